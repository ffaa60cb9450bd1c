"""Calls relay.test.Interop with grpcio, and prints one line for each case: `NAME ok` or `NAME failed: REASON`.

Usage: grpcio_client.py TARGET [--root FILE --name NAME [--chain FILE --key FILE]] [--case NAME]...

A message is the number of responses asked for and their sizes, each in four bytes, and then a payload.
"""
import argparse
import struct
import sys
import threading
import time

import grpc

SERVICE = "/relay.test.Interop/"
LIMIT = [("grpc.max_receive_message_length", 8 << 20), ("grpc.max_send_message_length", 8 << 20)]


def message(sizes=(), payload=b""):
    return struct.pack(">I", len(sizes)) + b"".join(struct.pack(">I", size) for size in sizes) + payload


class Calls:
    def __init__(self, channel):
        self.channel = channel
        self.empty = channel.unary_unary(SERVICE + "EmptyCall")
        self.unary = channel.unary_unary(SERVICE + "UnaryCall")
        self.collect = channel.stream_unary(SERVICE + "StreamingInputCall")
        self.expand = channel.unary_stream(SERVICE + "StreamingOutputCall")
        self.duplex = channel.stream_stream(SERVICE + "FullDuplexCall")


def expect(value, wanted, what):
    if value != wanted:
        raise AssertionError(f"{what}: {str(value)[:200]!r} instead of {str(wanted)[:200]!r}")


def failure(body, code, what):
    try:
        body()
    except grpc.RpcError as error:
        expect(error.code(), code, f"{what} ({error.details()})")
        return error
    raise AssertionError(f"{what}: no error")


class Feed:
    """Requests that are sent one by one."""

    def __init__(self):
        self.condition = threading.Condition()
        self.items = []
        self.is_over = False

    def put(self, item):
        with self.condition:
            self.items.append(item)
            self.condition.notify()

    def end(self):
        with self.condition:
            self.is_over = True
            self.condition.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.condition:
            while not self.items:
                if self.is_over:
                    raise StopIteration
                self.condition.wait()
            return self.items.pop(0)


# The fourteen cases of gRPC's interoperability description.


def empty_unary(calls):
    expect(calls.empty(b""), b"", "response")


def large_unary(calls):
    expect(len(calls.unary(message([314159], bytes(271828)))), 314159, "size")


def client_streaming(calls):
    sizes = [27182, 8, 1828, 45904]
    total = calls.collect(iter([message([], bytes(size)) for size in sizes]))
    expect(struct.unpack(">I", total)[0], sum(sizes), "sum")


def server_streaming(calls):
    sizes = [31415, 9, 2653, 58979]
    expect([len(part) for part in calls.expand(message(sizes))], sizes, "sizes")


def ping_pong(calls):
    feed = Feed()
    responses = calls.duplex(feed)
    for request, response in zip([27182, 8, 1828, 45904], [31415, 9, 2653, 58979]):
        feed.put(message([response], bytes(request)))
        expect(len(next(responses)), response, "size")
    feed.end()
    expect(list(responses), [], "rest")


def empty_stream(calls):
    expect(list(calls.duplex(iter([]))), [], "responses")


def custom_metadata(calls):
    initial, trailing = "test_initial_metadata_value", b"\x0a\x0b\x0a\x0b\x0a\x0b"
    metadata = [("x-grpc-test-echo-initial", initial), ("x-grpc-test-echo-trailing-bin", trailing)]
    _, call = calls.unary.with_call(message([314159], bytes(271828)), metadata=metadata)
    expect(dict(call.initial_metadata())["x-grpc-test-echo-initial"], initial, "initial")
    expect(dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"], trailing, "trailing")
    responses = calls.duplex(iter([message([314159], bytes(271828))]), metadata=metadata)
    expect(len(list(responses)), 1, "responses")
    expect(dict(responses.initial_metadata())["x-grpc-test-echo-initial"], initial, "initial")
    expect(dict(responses.trailing_metadata())["x-grpc-test-echo-trailing-bin"], trailing, "trailing")


def status_code_and_message(calls):
    metadata = [("x-status", "2"), ("x-message-bin", b"test status message")]
    error = failure(lambda: calls.unary(message(), metadata=metadata), grpc.StatusCode.UNKNOWN, "unary")
    expect(error.details(), "test status message", "message")
    error = failure(lambda: list(calls.duplex(iter([]), metadata=metadata)), grpc.StatusCode.UNKNOWN, "duplex")
    expect(error.details(), "test status message", "message")


def special_status_message(calls):
    text = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001F608\t\n"
    metadata = [("x-status", "2"), ("x-message-bin", text.encode())]
    error = failure(lambda: calls.unary(message(), metadata=metadata), grpc.StatusCode.UNKNOWN, "unary")
    expect(error.details(), text, "message")


def unimplemented_method(calls):
    call = calls.channel.unary_unary(SERVICE + "UnimplementedCall")
    failure(lambda: call(b""), grpc.StatusCode.UNIMPLEMENTED, "method")


def unimplemented_service(calls):
    call = calls.channel.unary_unary("/relay.test.Nothing/UnimplementedCall")
    failure(lambda: call(b""), grpc.StatusCode.UNIMPLEMENTED, "service")


def cancel_after_begin(calls):
    call = calls.collect.future(Feed())
    time.sleep(0.05)
    call.cancel()
    expect(call.code(), grpc.StatusCode.CANCELLED, "code")


def cancel_after_first_response(calls):
    feed = Feed()
    responses = calls.duplex(feed)
    feed.put(message([31415], bytes(27182)))
    expect(len(next(responses)), 31415, "size")
    responses.cancel()
    failure(lambda: next(responses), grpc.StatusCode.CANCELLED, "rest")


def timeout_on_sleeping_server(calls):
    feed = Feed()
    feed.put(message([], bytes(27182)))
    failure(lambda: list(calls.duplex(feed, timeout=0.05)), grpc.StatusCode.DEADLINE_EXCEEDED, "deadline")


INTEROP = [
    empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, custom_metadata,
    status_code_and_message, special_status_message, unimplemented_method, unimplemented_service,
    cancel_after_begin, cancel_after_first_response, timeout_on_sleeping_server,
]

# More than that.


def sizes(calls):
    for size in [0, 1, 16383, 16384, 65535, 65536, 1 << 20, (4 << 20) - 4]:
        payload = bytes(index * 7 & 255 for index in range(min(size, 4096))) * (size // max(1, min(size, 4096)) + 1)
        request = message([], payload[:size])
        expect(calls.unary(request, metadata=[("x-echo", "1")]) == request, True, f"echo of {size} bytes")


def too_large(calls):
    body = bytes((4 << 20) + 1)
    failure(lambda: calls.unary(body), grpc.StatusCode.RESOURCE_EXHAUSTED, "request")
    empty_unary(calls)


def status_details(calls):
    details = b"\x08\x05\x12\x07details" + bytes(range(256))
    metadata = [("x-status", "9"), ("x-message-bin", b"with details"), ("x-details-bin", details)]
    error = failure(lambda: calls.unary(message(), metadata=metadata), grpc.StatusCode.FAILED_PRECONDITION, "unary")
    expect(dict(error.trailing_metadata())["grpc-status-details-bin"], details, "details")


def deadline_at_server(calls):
    # The server itself ends the call: its status comes before the client's own patience is over.
    metadata = [("x-sleep-ms", "5000")]
    started = time.monotonic()
    failure(lambda: calls.unary(message(), metadata=metadata, timeout=0.2), grpc.StatusCode.DEADLINE_EXCEEDED, "call")
    expect(time.monotonic() - started < 2, True, "promptness")


def concurrent_streams(calls):
    count = 1000
    feeds = [Feed() for _ in range(count)]
    responses = [calls.duplex(feed) for feed in feeds]
    for feed in feeds:
        feed.put(message([100], bytes(100)))
    for response in responses:
        expect(len(next(response)), 100, "size")
    # All are open at this moment.
    for feed in feeds:
        feed.put(message([3], bytes(10)))
        feed.end()
    for response in responses:
        expect([len(part) for part in response], [3], "rest")


def slow_reader(calls):
    responses = calls.expand(message([65536] * 200))
    count = 0
    for index, part in enumerate(responses):
        count += len(part)
        if index % 20 == 0:
            time.sleep(0.05)
            # Others are served meanwhile.
            empty_unary(calls)
    expect(count, 200 * 65536, "bytes")


def slow_server(calls):
    # The server reads a message every 5 ms: the client's writes must wait, and all arrive.
    total = calls.collect(iter([message([], bytes(65536))] * 100), metadata=[("x-slow-ms", "5")])
    expect(struct.unpack(">I", total)[0], 100 * 65536, "bytes")


def many_messages(calls):
    requests = [message([index % 50], bytes(index % 97)) for index in range(5000)]
    responses = calls.duplex(iter(requests))
    expect([len(part) for part in responses], [index % 50 for index in range(5000)], "sizes")


def wait_for_ready(calls):
    expect(calls.empty(b"", wait_for_ready=True), b"", "response")


MORE = [
    sizes, too_large, status_details, deadline_at_server, concurrent_streams, slow_reader, slow_server, many_messages,
    wait_for_ready,
]


def who(calls):
    """Prints whom the server takes the client for."""
    print("you are", calls.unary(message(), metadata=[("x-who", "1")]).decode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--root")
    parser.add_argument("--name")
    parser.add_argument("--chain")
    parser.add_argument("--key")
    parser.add_argument("--case", action="append", default=[])
    options = parser.parse_args()
    read = lambda path: open(path, "rb").read() if path else None
    if options.root:
        credentials = grpc.ssl_channel_credentials(read(options.root), read(options.key), read(options.chain))
        override = [("grpc.ssl_target_name_override", options.name)]
        channel = grpc.secure_channel(options.target, credentials, options=LIMIT + override)
    else:
        channel = grpc.insecure_channel(options.target, options=LIMIT)
    failed = 0
    for case in INTEROP + MORE + [who]:
        if options.case and case.__name__ not in options.case:
            continue
        if not options.case and case is who:
            continue
        try:
            case(Calls(channel))
            print(case.__name__, "ok", flush=True)
        except Exception as error:
            failed += 1
            print(case.__name__, "failed:", repr(error)[:400].replace("\n", " "), flush=True)
    channel.close()
    sys.exit(1 if failed else 0)


main()
