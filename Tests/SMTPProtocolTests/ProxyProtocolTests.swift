import MailModel
import SMTPProtocol
import Testing

/// A header of the PROXY protocol as a proxy would write it, with one thing wrong where a test wants that.
struct ProxyHeaderBytes {
    var signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    var command: UInt8 = 0x21
    var family: UInt8 = 0x11
    var addresses: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 25]
    var extensions: [UInt8] = []
    var length: Int?

    var bytes: [UInt8] {
        let length = self.length ?? self.addresses.count + self.extensions.count
        return self.signature + [self.command, self.family, UInt8(length >> 8), UInt8(length & 255)] + self.addresses
            + self.extensions
    }

    static func ipv6(_ client: IPAddress) -> ProxyHeaderBytes {
        ProxyHeaderBytes(
            family: 0x21, addresses: client.bytes + [UInt8](repeating: 0, count: 16) + [0x30, 0x39, 0, 25])
    }
}

/// hostile-input 16, as far as bytes can state it.
@Suite("PROXY protocol, version 2")
struct ProxyProtocolTests {
    /// The reading of all bytes; on the way every shorter beginning must have asked for more.
    private func read(_ bytes: [UInt8]) -> ProxyProtocolHeader.Reading {
        for count in 0...bytes.count {
            let reading = ProxyProtocolHeader.read(bytes.span.extracting(first: count))
            if reading != .needInput {
                // Whole, they must come to the same.
                #expect(ProxyProtocolHeader.read(bytes.span) == reading)
                return reading
            }
        }
        return .needInput
    }

    @Test("The client's address and port are read, byte by byte and whole")
    func addresses() throws {
        let four = ProxyHeaderBytes()
        #expect(
            self.read(four.bytes) == .header(.proxied(client: .v4(0xC000_0207), port: 12_345), length: four.bytes.count)
        )
        let client = try #require(IPAddress("2001:db8::7"))
        let six = ProxyHeaderBytes.ipv6(client)
        #expect(self.read(six.bytes) == .header(.proxied(client: client, port: 12_345), length: six.bytes.count))
    }

    @Test("TLVs are skipped, and the client's own bytes are left alone")
    func extensions() {
        let header = ProxyHeaderBytes(extensions: [0x04, 0, 3, 1, 2, 3])
        #expect(
            ProxyProtocolHeader.read((header.bytes + Array("EHLO x\r\n".utf8)).span)
                == .header(.proxied(client: .v4(0xC000_0207), port: 12_345), length: header.bytes.count))
    }

    @Test("LOCAL is the proxy itself, whatever family and block it states", arguments: [0x00, 0x11, 0x31] as [UInt8])
    func local(family: UInt8) {
        let header = ProxyHeaderBytes(command: 0x20, family: family, addresses: [])
        #expect(self.read(header.bytes) == .header(.local, length: 16))
    }

    @Test(
        "hostile-input 16: what is malformed is refused at the byte that shows it",
        arguments: [
            (ProxyHeaderBytes(signature: Array("PROXY TCP4 1".utf8)), ProxyProtocolHeader.Refusal.signature),
            (ProxyHeaderBytes(signature: Array("EHLO x\r\n\r\n\r\n".utf8)), .signature),
            (ProxyHeaderBytes(command: 0x11), .command), (ProxyHeaderBytes(command: 0x22), .command),
            (ProxyHeaderBytes(family: 0x13), .family), (ProxyHeaderBytes(family: 0xFF), .family),
            (ProxyHeaderBytes(family: 0x00, addresses: []), .family),
            (ProxyHeaderBytes(family: 0x31, addresses: [UInt8](repeating: 0, count: 216)), .family),
            (ProxyHeaderBytes(family: 0x12), .family), (ProxyHeaderBytes(length: 65_535), .length),
            (ProxyHeaderBytes(length: 11), .length), (ProxyHeaderBytes(family: 0x21), .length),
            (ProxyHeaderBytes(command: 0x20, length: 65_535), .length),
        ])
    func malformed(_ header: ProxyHeaderBytes, _ refusal: ProxyProtocolHeader.Refusal) {
        #expect(self.read(header.bytes) == .refused(refusal))
    }

    @Test("A header of 536 bytes is read, one of 537 is refused before its end")
    func longest() {
        let capacity = ProxyProtocolHeader.maximumLength - 16 - 12
        let longest = ProxyHeaderBytes(extensions: [UInt8](repeating: 0, count: capacity))
        #expect(
            self.read(longest.bytes)
                == .header(.proxied(client: .v4(0xC000_0207), port: 12_345), length: ProxyProtocolHeader.maximumLength))
        let longer = ProxyHeaderBytes(extensions: [UInt8](repeating: 0, count: capacity + 1))
        #expect(ProxyProtocolHeader.read(longer.bytes.span.extracting(first: 16)) == .refused(.length))
    }
}
