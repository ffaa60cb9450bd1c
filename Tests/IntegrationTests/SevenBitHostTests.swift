import Foundation
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// Hosts without 8BITMIME, and a relay that converts for them.
    fileprivate static var sevenBitHosts: Self {
        SharedLab { body in
            var options = LabRelayOptions()
            options.settings = ["delivery.eight-bit-conversion": "unsigned"]
            let domains: [LabDomain] = [
                .dane("data.test", rules: [.offer(["STARTTLS", "PIPELINING", "SIZE 52428800"])]),
                .dane("chunks.test", rules: [.offer(["STARTTLS", "PIPELINING", "SIZE 52428800", "CHUNKING"])]),
                .dane("alpha.test"),
            ]
            try await LabRelay.with(domains, options, body)
        }
    }
}

/// `delivery.eight-bit-conversion: unsigned`.
@Suite("Hosts that take 7-bit text only", .sevenBitHosts, .timeLimit(.minutes(2)))
struct SevenBitHostTests {
    private static let lines = (0..<4000).map { "Zeile \($0): Grüße = mehr als 7 Bit.\($0 % 7 == 0 ? " " : "")" }

    @Test(
        "A host without 8BITMIME gets what was sent as quoted-printable, by DATA and by BDAT (field C2)",
        arguments: ["data.test", "chunks.test"])
    func converted(domain: String) async throws {
        let lab = try SharedLab.lab
        let address = "bob@\(domain)"
        let message = LabRelay.message(
            from: "alice@alpha.test", to: [address], text: Self.lines.joined(separator: "\n"))
        let trace = try await lab.wait(for: try await lab.submit(to: address, message: message)) { $0.count > 1 }
        #expect(trace.map(\.kind) == [.receive, .send])
        let mail = try #require(lab.peer(domain).server.received.first)
        #expect(mail.content.allSatisfy { $0 < 0x80 } && mail.chunks.isEmpty == (domain == "data.test"))
        #expect(mail.mailParameters == ["SIZE=\(mail.size)"])
        let end = try #require(mail.text.range(of: "\r\n\r\n"))
        let header = mail.text[..<end.lowerBound]
        #expect(
            header.hasSuffix(
                "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable"
            ))
        let text = Self.lines.map { "\($0)\r\n" }.joined()
        #expect(Self.decoded(mail.text[end.upperBound...].utf8) == Array(text.utf8))
    }

    @Test("What is signed is not converted, and the sender hears why (field C2)")
    func signed() async throws {
        let lab = try SharedLab.lab
        let message =
            "DKIM-Signature: v=1\n"
            + LabRelay.message(from: "alice@alpha.test", to: ["eve@data.test"], text: "Grüße")
        let id = try await lab.submit(to: "eve@data.test", message: message)
        let end = try #require(try await lab.wait(for: id) { $0.first(.fail) != nil }.first(.fail))
        #expect(end.reason == "unsupported-by-host" && end.status.map { "\($0)" } == "5.6.3")
        let report = try await lab.deliveredReport(on: id, to: "alice@alpha.test", at: "alpha.test")
        #expect(report.text.contains("is not converted: it is signed"))
        #expect(lab.peer("data.test").server.received.allSatisfy { $0.recipients != ["eve@data.test"] })
    }

    private static func decoded(_ text: Substring.UTF8View) -> [UInt8] {
        var output: [UInt8] = []
        var bytes = Array(text)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                output.append(byte)
                continue
            }
            let code = String(decoding: bytes.prefix(2), as: UTF8.self)
            bytes = bytes.dropFirst(2)
            // What is no escape is a soft break.
            if let value = UInt8(code, radix: 16) { output.append(value) }
        }
        return output
    }
}
