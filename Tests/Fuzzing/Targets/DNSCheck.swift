import DNSModel
import MailModel
import SecureResolver

/// Response packets: the first byte says what the validator said and what was asked, the rest is the packet.
enum DNSCheck {
    private static let reading = AnswerReading(
        maximumRecords: 16, maximumAliases: 4,
        anchors: TrustAnchorKey.keys(
            inZoneText: ". DS 20326 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"))
    private static let now = Timestamp(seconds: 1_790_000_000)

    static func check(_ input: [UInt8]) throws(Violation) {
        guard let flags = input.first, let name = DomainName("mx.alpha.test") else { return }
        let types = DNSQuestion.RecordType.allCases
        let question = DNSQuestion(name, types[Int(flags >> 2) % types.count])
        let raw = RawAnswer(rcode: flags & 1 == 0 ? 0 : 3, isSecure: flags & 2 != 0, packet: Array(input.dropFirst()))
        let timed = self.reading.read(raw, to: question, at: self.now)
        try promise(timed.lifetime >= .zero && timed.lifetime <= .seconds(Int64(Int32.max)), "kept \(timed.lifetime)")
        try self.check(timed.answer, raw, question)
        // Whoever says "bogus" or "failed" is believed, whatever the packet holds (RFC 7672 §2.1.2).
        let bogus = RawAnswer(rcode: raw.rcode, isSecure: raw.isSecure, bogusReason: "forged", packet: raw.packet)
        try promise(
            self.reading.read(bogus, to: question, at: self.now).answer == .failed(.bogus("forged")), "not bogus")
        let broken = RawAnswer(rcode: 2, isSecure: raw.isSecure, packet: raw.packet)
        try promise(
            self.reading.read(broken, to: question, at: self.now).answer == .failed(.serverFailure), "not failed")
    }

    private static func check(_ answer: DNSAnswer, _ raw: RawAnswer, _ question: DNSQuestion) throws(Violation) {
        switch answer {
        case .found(let records, let state, let aliases):
            let isPart = [.mx, .a, .aaaa].contains(question.type)
            try promise(!records.isEmpty && (isPart || records.count <= 16) && aliases.count <= 4, "over its limits")
            try promise((state == .secure) == raw.isSecure, "security out of nothing")
            for record in records { try promise(self.fits(record, question), "\(record) to \(question)") }
        case .absent(let absence, let state, let aliases):
            try promise(aliases.count <= 4, "more aliases than allowed")
            try promise((state == .secure) == raw.isSecure, "security out of nothing")
            try promise(
                absence == .unsignedDelegation || (absence == .nameError) == (raw.rcode == 3), "a wrong kind of absence"
            )
            try promise(absence != .unsignedDelegation || question.type == .ds, "a delegation that nobody asked for")
        case .failed: break
        }
    }

    private static func fits(_ record: DNSRecord, _ question: DNSQuestion) -> Bool {
        switch (record, question.type) {
        case (.mx, .mx), (.tlsa, .tlsa), (.alias, .cname), (.delegationSigner, .ds), (.address(.v4), .a),
            (.address(.v6), .aaaa):
            true
        default: false
        }
    }
}
