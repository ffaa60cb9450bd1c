"""Serves relay.test.Interop with grpcio until it is ended, and writes the port to a file.

Usage: grpcio_server.py PORTFILE [--chain FILE --key FILE --root FILE] [--unix PATH]
"""
import argparse
import os
import struct
import time
from concurrent import futures

import grpc


def parse(request):
    if len(request) < 4:
        return [], b""
    count = struct.unpack(">I", request[:4])[0]
    sizes = struct.unpack(f">{count}I", request[4 : 4 + 4 * count])
    return sizes, request[4 + 4 * count :]


def begin(context):
    """Does what the metadata asks for, and gives it."""
    metadata = dict(context.invocation_metadata())
    if "x-grpc-test-echo-initial" in metadata:
        context.send_initial_metadata([("x-grpc-test-echo-initial", metadata["x-grpc-test-echo-initial"])])
    trailing = []
    if "x-grpc-test-echo-trailing-bin" in metadata:
        trailing.append(("x-grpc-test-echo-trailing-bin", metadata["x-grpc-test-echo-trailing-bin"]))
    if "x-details-bin" in metadata:
        trailing.append(("grpc-status-details-bin", metadata["x-details-bin"]))
    context.set_trailing_metadata(trailing)
    if "x-status" in metadata:
        code = next(code for code in grpc.StatusCode if code.value[0] == int(metadata["x-status"]))
        context.abort(code, metadata["x-message-bin"].decode())
    time.sleep(float(metadata.get("x-sleep-ms", 0)) / 1000)
    return metadata


def empty(request, context):
    begin(context)
    return b""


def unary(request, context):
    metadata = begin(context)
    if "x-echo" in metadata:
        return request
    if "x-who" in metadata:
        names = context.auth_context().get("x509_common_name", [b"nobody"])
        return names[0]
    sizes, _ = parse(request)
    return bytes(sizes[0]) if sizes else b""


def collect(requests, context):
    slow = float(begin(context).get("x-slow-ms", 0)) / 1000
    total = 0
    for request in requests:
        total += len(parse(request)[1])
        time.sleep(slow)
    return struct.pack(">I", total)


def expand(request, context):
    begin(context)
    for size in parse(request)[0]:
        yield bytes(size)


def duplex(requests, context):
    begin(context)
    for request in requests:
        for size in parse(request)[0]:
            yield bytes(size)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("portfile")
    parser.add_argument("--chain")
    parser.add_argument("--key")
    parser.add_argument("--root")
    parser.add_argument("--unix")
    options = parser.parse_args()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=1100),
        options=[("grpc.max_receive_message_length", 4 << 20), ("grpc.max_concurrent_streams", 2000)],
    )
    handlers = {
        "EmptyCall": grpc.unary_unary_rpc_method_handler(empty),
        "UnaryCall": grpc.unary_unary_rpc_method_handler(unary),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(collect),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(expand),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(duplex),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("relay.test.Interop", handlers),))
    read = lambda path: open(path, "rb").read()
    if options.unix:
        server.add_insecure_port("unix:" + options.unix)
        port = 0
    elif options.chain:
        credentials = grpc.ssl_server_credentials(
            [(read(options.key), read(options.chain))], read(options.root), require_client_auth=True
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open(options.portfile + ".new", "w") as file:
        file.write(str(port))
    os.rename(options.portfile + ".new", options.portfile)
    server.wait_for_termination()


main()
