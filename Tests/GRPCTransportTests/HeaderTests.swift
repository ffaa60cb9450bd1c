import GRPCCore
import Testing

@testable import GRPCTransport

/// What stands in header and trailer sections (control 18).
@Suite("gRPC's header fields")
struct HeaderTests {
    static let request: HeaderList = [
        ":method": "POST", ":scheme": "https", ":path": "/pkg.Service/Method", ":authority": "host",
        "te": "trailers", "content-type": "application/grpc",
    ]

    /// The request with fields in place of others of the same name.
    private func request(_ changes: HeaderList, without: String = "") -> HeaderList {
        let names = Set(changes.fields.map(\.name))
        return HeaderList(
            Self.request.fields.filter { !names.contains($0.name) && $0.name != without } + changes.fields)
    }

    private func refusal(_ list: HeaderList) -> HeaderList? {
        if case .rejected(let answer) = RequestHead.judge(list) { answer } else { nil }
    }

    private func accepted(_ list: HeaderList) throws -> RequestHead {
        guard case .accepted(let head) = RequestHead.judge(list) else {
            throw RPCError(code: .unknown, message: "rejected")
        }
        return head
    }

    @Test(
        "control 18: a content type that is not gRPC's is HTTP 415",
        arguments: ["text/html", "application/json", "application/grpcx", "application/grpc-web", ""])
    func otherContentType(_ type: String) {
        #expect(self.refusal(self.request(["content-type": type])) == [":status": "415"])
    }

    @Test(
        "control 18: a content type of gRPC's passes with its suffix",
        arguments: ["application/grpc", "application/grpc+proto", "application/grpc;x=y", "Application/GRPC+json"])
    func contentType(_ type: String) throws {
        #expect(try self.accepted(self.request(["content-type": type])).method.method == "Method")
    }

    @Test("control 18: without a content type it is 415, with GET 405, without te: trailers INVALID_ARGUMENT")
    func otherRequests() {
        #expect(self.refusal(self.request([], without: "content-type"))?.first(":status") == "415")
        #expect(self.refusal(self.request([":method": "GET"]))?.first(":status") == "405")
        #expect(self.refusal(self.request([], without: "te"))?.first("grpc-status") == "3")
        #expect(self.refusal(self.request(["te": "gzip"]))?.first("grpc-status") == "3")
    }

    @Test(
        "control 18: a path that names no method is UNIMPLEMENTED",
        arguments: ["", "/", "Service/Method", "/Service", "/Service/", "//Method", "*"])
    func path(_ path: String) {
        #expect(self.refusal(self.request([":path": path]))?.first("grpc-status") == "12")
    }

    @Test(
        "control 18: grpc-timeout is up to 8 digits and a unit",
        arguments: [
            ("1H", Duration.seconds(3_600)), ("2M", .seconds(120)), ("3S", .seconds(3)), ("4m", .milliseconds(4)),
            ("5u", .microseconds(5)), ("6n", .nanoseconds(6)), ("99999999H", .seconds(359_999_996_400)), ("0n", .zero),
            ("00000001S", .seconds(1)),
        ])
    func timeout(_ value: String, _ duration: Duration) throws {
        #expect(try self.accepted(self.request(["grpc-timeout": value])).timeout == duration)
    }

    @Test(
        "control 18: any other grpc-timeout is refused",
        arguments: ["", "S", "1", "123456789S", "-1S", "+1S", "1.5S", "1s", "1 S", "１S", "1SS", "0x1S"])
    func badTimeout(_ value: String) {
        #expect(self.refusal(self.request(["grpc-timeout": value]))?.first("grpc-status") == "13")
    }

    @Test(
        "control 18: a timeout is sent in the finest unit with room, never longer than 8 digits",
        arguments: [
            (Duration.nanoseconds(5), "5n"), (.milliseconds(100), "100000u"), (.seconds(100), "100000m"),
            (.seconds(-1), "0n"), (.nanoseconds(99_999_999), "99999999n"), (.nanoseconds(100_000_001), "100001u"),
            (.seconds(Int64(1) << 50), "99999999H"),
        ])
    func sentTimeout(_ duration: Duration, _ value: String) {
        #expect(GRPCTimeout.format(duration) == value)
    }

    @Test(
        "control 18: binary values are taken with and without padding",
        arguments: [
            ("", []), ("AA==", [0]), ("AA", [0]), ("AAE=", [0, 1]), ("AAE", [0, 1]), ("AAEC", [0, 1, 2]),
            ("+/8", [251, 255]),
        ])
    func binary(_ text: String, _ bytes: [UInt8]) {
        #expect(BinaryValue.decode(text) == bytes)
    }

    @Test("control 18: binary values are sent without padding, and read back")
    func binaryRoundTrip() {
        for count in 0..<260 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            let text = BinaryValue.encode(bytes)
            #expect(!text.contains("=") && BinaryValue.decode(text) == bytes)
        }
    }

    @Test(
        "control 18: what is not base64 is refused", arguments: ["A", "AA=", "A===", "AAAA=", "A-_A", "AA AA", "AAé"])
    func notBinary(_ text: String) {
        #expect(BinaryValue.decode(text) == nil)
        #expect(self.refusal(self.request(["x-bin": text]))?.first("grpc-status") == "13")
    }

    @Test("control 18: one field of binary values is split at commas")
    func joined() throws {
        let head = try self.accepted(self.request(["x-bin": "AA==,AAE, AAEC,"]))
        #expect(Array(head.metadata[binaryValues: "x-bin"]) == [[0], [0, 1], [0, 1, 2], []])
    }

    @Test("control 18: a status message is percent-encoded, and reads back")
    func message() {
        #expect(StatusMessage.encode("plain text") == "plain text")
        #expect(StatusMessage.encode("100%\t☺") == "100%25%09%E2%98%BA")
        let text = "\t\nwith whitespace\r\nand ☺ and 😈 %41\t\n"
        #expect(StatusMessage.decode(StatusMessage.encode(text)) == text)
    }

    @Test(
        "control 18: a bad status message is never an error",
        arguments: [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%4", "a%4"), ("%FF", "\u{FFFD}"), ("%41%", "A%")])
    func badMessage(_ value: String, _ text: String) {
        #expect(StatusMessage.decode(value) == text)
    }

    @Test("control 19: only identity is taken; other encodings are told what is")
    func encodings() throws {
        #expect(try self.accepted(self.request(["grpc-encoding": "identity"])).method.method == "Method")
        let answer = self.refusal(self.request(["grpc-encoding": "gzip"]))
        #expect(answer?.first("grpc-status") == "12")
        #expect(answer?.first("grpc-accept-encoding") == "identity")
    }

    @Test("control 18: metadata passes both ways; fields of HTTP's and gRPC's own do not")
    func metadata() throws {
        var metadata: Metadata = ["X-Text": "value", "te": "x", "grpc-status": "1", "content-type": "a/b"]
        metadata.addBinary([1, 2, 3], forKey: "x-bytes-bin")
        let method = MethodDescriptor(fullyQualifiedService: "pkg.Service", method: "Method")
        let list = try RequestHead.fields(
            method, metadata, scheme: "https", authority: "host", timeout: .milliseconds(250))
        let head = try self.accepted(list)
        #expect(head.method == method)
        #expect(head.timeout == .milliseconds(250))
        #expect(Array(head.metadata[stringValues: "x-text"]) == ["value"])
        #expect(Array(head.metadata[binaryValues: "x-bytes-bin"]) == [[1, 2, 3]])
        #expect(list.values("te") == ["trailers"])
        #expect(list.first("grpc-status") == nil)
    }

    @Test(
        "control 18: metadata that cannot be sent is told to who wants to send it",
        arguments: [("x y", "a"), ("x\n", "a"), ("ü", "a"), ("x", "a\r\nb: c"), ("x", "é"), ("x", " a"), ("", "a")])
    func unsendable(_ key: String, _ value: String) {
        var metadata = Metadata()
        metadata.addString(value, forKey: key)
        #expect(throws: RPCError.self) { try ResponseHead.headers(metadata) }
        // A status goes out all the same.
        #expect(ResponseHead.trailers(.init(code: .ok, message: ""), metadata) == ["grpc-status": "0"])
    }
}
