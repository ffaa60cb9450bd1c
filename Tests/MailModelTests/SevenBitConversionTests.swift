import MailModel
import Testing

/// 8-bit messages on their way to hosts without 8BITMIME (RFC 6152 §3).
@Suite("Conversion to 7-bit")
struct SevenBitConversionTests {
    /// Lines that end in LF, as stored. `\xHH` stands for a byte.
    private func stored(_ text: String) -> [UInt8] {
        var (bytes, rest) = ([UInt8](), Substring(text))
        while let character = rest.popFirst() {
            if character == "\n" {
                bytes += "\r\n".utf8
            } else if character == "\\", rest.first == "x", let byte = UInt8(rest.dropFirst().prefix(2), radix: 16) {
                bytes.append(byte)
                rest.removeFirst(3)
            } else {
                bytes += String(character).utf8
            }
        }
        return bytes
    }

    private func plan(
        _ content: [UInt8], piece: Int = .max, limits: SevenBitLimits = SevenBitLimits()
    ) -> Result<SevenBitPlan, SevenBitRefusal> {
        var survey = SevenBitSurvey(size: content.count, limits: limits)
        for part in content.pieces(of: piece) { survey.consume(part) }
        return survey.finish()
    }

    private func converted(_ content: [UInt8], piece: Int = .max) throws -> [UInt8] {
        let plan = try self.plan(content, piece: piece).get()
        var conversion = SevenBitConversion(plan)
        var output: [UInt8] = []
        for part in content.pieces(of: piece) { output += conversion.convert(part) }
        let rest = conversion.finish()
        output += try #require(rest)
        #expect(output.count == plan.size)
        return output
    }

    private func convertedText(_ text: String) throws -> String {
        let output = try self.converted(self.stored(text))
        #expect(output.allSatisfy { $0 < 0x80 })
        return String(decoding: output, as: UTF8.self)
    }

    private func refusal(_ text: String, limits: SevenBitLimits = SevenBitLimits()) -> SevenBitRefusal? {
        if case .failure(let refusal) = self.plan(self.stored(text), limits: limits) { refusal } else { nil }
    }

    // MARK: - What comes out

    @Test(
        "A message without MIME becomes quoted-printable in a character set that nobody named, RFC 1428 §3 (field C2)")
    func withoutMIME() throws {
        let text = try self.convertedText(
            "From: <a@alpha.test>\nSubject: Hello\n\nGr\\xFC\\xDFe = 1 \n.\n--\nFrom me\n")
        #expect(
            text == """
                From: <a@alpha.test>\r
                Subject: Hello\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=unknown-8bit\r
                Content-Transfer-Encoding: quoted-printable\r
                \r
                Gr=FC=DFe =3D 1=20\r
                =2E\r
                =2D-\r
                =46rom me\r

                """)
    }

    @Test("The field that names the encoding is replaced where it stands, and all others stay (field C2)")
    func replaced() throws {
        let text = try self.convertedText(
            """
            MIME-Version: 1.0
            content-transfer-encoding :
             8BIT (as it is)
            Content-Type: text/plain; charset=iso-8859-1;
            	format=flowed
            Subject: x

            \\xE4

            """)
        #expect(
            text == """
                MIME-Version: 1.0\r
                Content-Transfer-Encoding: quoted-printable\r
                Content-Type: text/plain; charset=iso-8859-1;\r
                \tformat=flowed\r
                Subject: x\r
                \r
                =E4\r

                """)
    }

    private static let nested = """
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="outer b"
        Content-Transfer-Encoding: 8bit

        preamble
        --outer b
        Content-Type: multipart/alternative; boundary=inner

        --inner

        \\xE4 text
        --inner\u{20}
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: binary

        <p>plain after all</p>
        --inner--
        --outer b
        Content-Type: text/plain
        Content-Transfer-Encoding: base64

        R3LDvMOfZQ==
        --outer b
        Content-Type: message/rfc822
        Content-Transfer-Encoding: 8bit

        Subject: within
        Content-Type: text/plain; charset=utf-8

        \\xC3\\xBC
        --outer b
        Content-Type: application/xml

        <\\xC3\\xBC>
        </>
        --outer b--
        epilogue

        """

    @Test("8-bit parts alone are encoded, at any depth; what holds them becomes 7bit, RFC 2045 §6.4 (field C2)")
    func parts() throws {
        let text = try self.convertedText(Self.nested)
        #expect(
            text.components(endedBy: "\r\n").joined(separator: "\n") == """
                MIME-Version: 1.0
                Content-Type: multipart/mixed; boundary="outer b"
                Content-Transfer-Encoding: 7bit

                preamble
                --outer b
                Content-Type: multipart/alternative; boundary=inner

                --inner
                Content-Type: text/plain; charset=unknown-8bit
                Content-Transfer-Encoding: quoted-printable

                =E4 text
                --inner\u{20}
                Content-Type: text/html; charset=utf-8
                Content-Transfer-Encoding: quoted-printable

                <p>plain after all</p>
                --inner--
                --outer b
                Content-Type: text/plain
                Content-Transfer-Encoding: base64

                R3LDvMOfZQ==
                --outer b
                Content-Type: message/rfc822
                Content-Transfer-Encoding: 7bit

                Subject: within
                Content-Type: text/plain; charset=utf-8
                MIME-Version: 1.0
                Content-Transfer-Encoding: quoted-printable

                =C3=BC
                --outer b
                Content-Type: application/xml
                Content-Transfer-Encoding: quoted-printable

                <=C3=BC>=0D=0A=
                </>
                --outer b--
                epilogue

                """)
    }

    @Test("Pieces of any size give the same (field C2)", arguments: [1, 2, 3, 7, 64])
    func pieces(size: Int) throws {
        let content = self.stored(Self.nested)
        #expect(try self.converted(content, piece: size) == self.converted(content))
    }

    @Test("In a digest a part without a type is a message, RFC 2046 §5.1.5 (field C2)")
    func digest() throws {
        let head = "Content-Type: multipart/digest; boundary=b\nMIME-Version: 1.0\n\n--b\n\nSubject: one\n\n"
        let text = try self.convertedText(head + "\\xE4\n--b--\n")
        #expect(text.contains("\r\n--b\r\n\r\nSubject: one\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset="))
        #expect(text.hasSuffix("\r\n\r\n=E4\r\n--b--\r\n"))
    }

    @Test("A part that is its header section only stays as it is (field C2)")
    func headerOnly() throws {
        let text = try self.convertedText(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b\n\n\\xE4\n--b--\n")
        #expect(text.contains("\r\n--b\r\nContent-Type: text/plain\r\n--b\r\n"))
    }

    // MARK: - What can be read again

    @Test(
        "What was encoded is read as what was sent, in lines of at most 76 columns (field C2)",
        arguments: [
            "text/plain; charset=utf-8", "application/octet-stream",
        ])
    func roundTrip(type: String) throws {
        let head = "MIME-Version: 1.0\r\nContent-Type: \(type)\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        var random = Seeded(state: 6)
        let alphabet = Array("..--==  \tFrom aZ~".utf8) + [0, 0x7f, 0x80, 0xe4, 0xff]
        for length in [0, 1, 2, 73, 74, 75, 76, 77, 150, 151, 152, 998, 65_000] {
            for _ in 0..<(length > 1000 ? 2 : 20) {
                var body = (0..<length).map { _ in alphabet[random.next(below: alphabet.count)] }
                for index in body.indices.dropLast() where random.next(below: 60) == 0 {
                    body.replaceSubrange(index...(index + 1), with: [0x0d, 0x0a])
                }
                body = Self.repaired(body) + "\r\n".utf8
                let output = try self.converted(Array(head.utf8) + body, piece: 1 + random.next(below: 5000))
                let text = String(decoding: output, as: UTF8.self)
                let sections = text.components(endedBy: "\r\n\r\n")
                let encoded = text.utf8.dropFirst(sections[0].utf8.count + 4)
                #expect(
                    try QuotedPrintableReader.decode(String(decoding: encoded, as: UTF8.self)) == body)
                let lines = text.components(endedBy: "\r\n")
                #expect(lines.allSatisfy { !$0.hasPrefix("--") && !$0.hasPrefix(".") && !$0.hasPrefix("From ") })
            }
        }
    }

    /// Without line ends that overlap or stand apart.
    private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        for byte in bytes where byte != 0x0d { output += byte == 0x0a ? [0x0d, 0x0a] : [byte] }
        return output
    }

    @Test("No encoded line is taken for a delimiter, even of a boundary that looks like an escape (field C2)")
    func noDelimiter() throws {
        let long = String(repeating: "x", count: 75)
        let text = try self.convertedText(
            "Content-Type: multipart/mixed; boundary=\"=C3\"\n\n--=C3\n\n--\\xC3\n\(long)--=C3\n--=C3--\n")
        let lines = text.components(endedBy: "\r\n")
        #expect(lines.filter { $0.hasPrefix("--=C3") } == ["--=C3", "--=C3--"])
        #expect(lines.contains("=2D-=C3") && lines.contains("=2D-=3DC3"))
    }

    // MARK: - What stays as it is

    @Test(
        "What is signed, encrypted or a fragment is never touched, wherever it stands (field C2)",
        arguments: [
            ("DKIM-Signature: v=1\n\n\\xE4\n", SevenBitRefusal.signed), ("arc-seal : i=1\n\n\\xE4\n", .signed),
            ("DomainKey-Signature: a=b\n\n\\xE4\n", .signed),
            ("Content-Type: multipart/signed; boundary=b\n\n--b\n\n\\xE4\n--b--\n", .signed),
            ("Content-Type: Application/PKCS7-mime\n\n\\xE4\n", .signed),
            ("Content-Type: multipart/encrypted (x); boundary=b\n\n--b\n\n\\xE4\n--b--\n", .encrypted),
            ("Content-Type: message/partial; id=1\n\nA: b\n\n\\xE4\n", .fragment),
            ("A: b\n\n-----BEGIN PGP SIGNED MESSAGE-----\n\n\\xE4\n", .signed),
            ("Content-Type: message/rfc822\n\nDKIM-Signature: v=1\n\n\\xE4\n", .signed),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/signed\n\n\\xE4\n", .signed),
        ])
    func untouched(text: String, refusal: SevenBitRefusal) {
        #expect(self.refusal(text) == refusal)
    }

    @Test(
        "8-bit text where no encoding may stand, and MIME that can be read in two ways, is refused (field C2)",
        arguments: [
            ("Subject: \\xE4\n\n\\xE4\n", SevenBitRefusal.eightBitHeader),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b\nX: \\xE4\n\n\\xE4\n", .eightBitHeader),
            ("Content-Transfer-Encoding: base64\n\n\\xE4\n", .unencodable),
            ("Content-Transfer-Encoding: x-own\n\n\\xE4\n", .unencodable),
            ("Content-Type: message/delivery-status\n\nA: \\xE4\n", .unencodable),
            ("Content-Type: multipart/mixed; boundary=b\n\n\\xE4\n--b--\n", .unencodable),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b--\n\\xE4\n", .unencodable),
            ("Content-Type: multipart/mixed\n\n\\xE4\n", .malformed), ("Content-Type: text\n\n\\xE4\n", .malformed),
            ("Content-Type: text/plain; a=\"b\n\n\\xE4\n", .malformed),
            ("Content-Type: text/plain (a\n\n\\xE4\n", .malformed),
            ("Content-Type: text/plain\nContent-Type: text/html\n\n\\xE4\n", .malformed),
            ("Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 7bit\n\n\\xE4\n", .malformed),
            ("Content-Transfer-Encoding: 8 bit\n\n\\xE4\n", .malformed),
            ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n\\xE4\n", .malformed),
            ("Content-Type: multipart/mixed; boundary*0=b\n\n--b\n\n\\xE4\n", .malformed),
            ("Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n\n\\xE4\n", .malformed),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\\xE4\n--bc\n--b--\n", .malformed),
            ("no field\n\n\\xE4\n", .malformed), (" folded\n\n\\xE4\n", .malformed), ("\\xE4\n", .eightBitHeader),
            ("A: b\n\n\\x0D\\xE4\n", .malformed), ("A: b\n\n\\x0A\\xE4\n", .malformed),
        ])
    func refused(text: String, refusal: SevenBitRefusal) {
        #expect(self.refusal(text) == refusal)
    }

    @Test("Each limit refuses by name, and what just keeps to it is converted (field C2)")
    func limits() {
        func refusal(_ text: String, _ change: (inout SevenBitLimits, Int) -> Void, _ limit: Int) -> SevenBitRefusal? {
            var limits = SevenBitLimits()
            change(&limits, limit)
            return self.refusal(text, limits: limits)
        }
        let text = "A: b\n\n\\xE4cd\n"
        #expect(refusal(text, { $0.message = $1 }, 13) == nil)
        #expect(refusal(text, { $0.message = $1 }, 12) == .limit(.message))
        #expect(refusal(text, { $0.header = $1 }, 6) == nil)
        #expect(refusal(text, { $0.header = $1 }, 5) == .limit(.header))
        #expect(refusal(text, { $0.line = $1 }, 6) == nil)
        #expect(refusal("A: b\n\n\\xE4cdef\n", { $0.line = $1 }, 6) == .limit(.line))
        // Two multiparts and a message, with five parts in all.
        #expect(refusal(Self.nested, { $0.depth = $1 }, 2) == nil)
        #expect(refusal(Self.nested, { $0.depth = $1 }, 1) == .limit(.depth))
        #expect(refusal(Self.nested, { $0.parts = $1 }, 5) == nil)
        #expect(refusal(Self.nested, { $0.parts = $1 }, 4) == .limit(.parts))
        let boundary = String(repeating: "b", count: 70)
        #expect(self.refusal("Content-Type: multipart/mixed; boundary=\(boundary)\n\n--\(boundary)\n\n\\xE4\n") == nil)
        #expect(
            self.refusal("Content-Type: multipart/mixed; boundary=\(boundary)b\n\n--\(boundary)b\n\n\\xE4\n")
                == .malformed)
    }

    @Test("A line beyond the limit is given up before its end has come (field C2)")
    func endlessLine() {
        var survey = SevenBitSurvey(size: 0)
        survey.consume(Array("A: b\r\n\r\n".utf8))
        let piece = [UInt8](repeating: 0x61, count: 32 << 10)
        for _ in 0..<4 { survey.consume(piece) }
        #expect(survey.refusal == nil)
        survey.consume(piece)
        #expect(survey.refusal == .limit(.line))
    }

    @Test("Content that is not that of the plan has no end (field C2)")
    func otherContent() throws {
        var conversion = SevenBitConversion(try self.plan(self.stored("A: b\n\n\\xE4\n")).get())
        _ = conversion.convert(self.stored("A: b\n\n\\xE4\n\\xE4\n"))
        let rest = conversion.finish()
        #expect(rest == nil)
    }
}

extension [UInt8] {
    fileprivate func pieces(of size: Int) -> [[UInt8]] {
        guard size < self.count else { return [self] }
        return stride(from: 0, to: self.count, by: size).map { Array(self[$0..<Swift.min($0 + size, self.count)]) }
    }
}

/// The same numbers in each run (xorshift).
private struct Seeded {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        self.state ^= self.state << 13
        self.state ^= self.state >> 7
        self.state ^= self.state << 17
        return Int(self.state % UInt64(limit))
    }
}
