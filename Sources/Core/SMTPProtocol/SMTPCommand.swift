internal import MailModel

/// One command of a client, parsed (RFC 5321 §4.1).
enum SMTPCommand: Hashable, Sendable {
    case hello(Envelope.Hello)
    case startTLS
    /// The mechanism in upper case, and the initial response as it came.
    case authenticate(mechanism: String, initialResponse: ArraySlice<UInt8>?)
    case mail(ReversePath, parameters: [Parameter])
    /// `isInternational`: the address was written with UTF-8, and so needs SMTPUTF8.
    case recipient(ForwardPath, parameters: [Parameter], isInternational: Bool)
    case chunk(size: UInt64, isLast: Bool)
    case data, reset, noop, verify, help, quit

    /// `esmtp-param` (§4.1.2), its keyword in upper case.
    struct Parameter: Hashable {
        let keyword: String
        let value: String?
    }

    /// Why a line is not a command of ours.
    enum Fault: Error, Hashable {
        /// A verb of SMTP that this relay does not implement: 502.
        case notImplemented
        /// No verb of SMTP at all: 500.
        case unknown
        /// A known verb with a wrong argument: 501.
        case badArgument
        /// An address that is none, as it was written: 501 5.1.7 for a sender, 5.1.3 for a recipient.
        case badSender([UInt8])
        case badRecipient([UInt8])
        /// BDAT whose size cannot be known: 501, and nothing may follow it.
        case badChunk
        /// An address with UTF-8 in it, without SMTPUTF8: 553 5.6.7 (RFC 6531 §3.5).
        case internationalAddress
    }

    /// Verbs that are SMTP's but have no place here: this host has no lists to expand, and sends no mail on demand.
    private static let otherVerbs: Set<String> = [
        "EXPN", "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML", "BURL", "XCLIENT", "XFORWARD",
    ]

    /// Parses one line without its CRLF.
    static func parse(_ line: [UInt8], _ conversion: DomainNameConversion = .none) -> Result<SMTPCommand, Fault> {
        let end = line.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
        let verb = String(decoding: line[..<end], as: UTF8.self).uppercased()
        let argument = Self.trimmed(line[end...])
        let text = String(decoding: argument, as: UTF8.self)
        // A control byte has no place in any argument; escaping it in a log is not the same as not taking it.
        let isClean = argument.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        switch verb {
        case "EHLO", "HELO":
            guard isClean, !argument.isEmpty, argument.count <= 255, argument.allSatisfy({ (0x21...0x7e).contains($0) })
            else { return .failure(.badArgument) }
            return .success(.hello(Envelope.Hello(name: text, isExtended: verb == "EHLO")))
        case "MAIL": return isClean ? Self.mail(argument, conversion) : .failure(.badArgument)
        case "RCPT": return isClean ? Self.recipient(argument, conversion) : .failure(.badArgument)
        case "BDAT": return Self.chunk(line[end...])
        case "AUTH": return isClean ? Self.authenticate(argument) : .failure(.badArgument)
        case "NOOP": return .success(.noop)
        case "VRFY": return isClean ? Self.verify(argument) : .failure(.badArgument)
        case "HELP": return .success(.help)
        case "STARTTLS": return Self.bare(.startTLS, argument)
        case "DATA": return Self.bare(.data, argument)
        case "RSET": return Self.bare(.reset, argument)
        case "QUIT": return Self.bare(.quit, argument)
        case _ where Self.isMeantAsChunk(line): return .failure(.badChunk)
        default: return .failure(Self.otherVerbs.contains(verb) ? .notImplemented : .unknown)
        }
    }

    private static func bare(_ command: SMTPCommand, _ argument: ArraySlice<UInt8>) -> Result<SMTPCommand, Fault> {
        argument.isEmpty ? .success(command) : .failure(.badArgument)
    }

    /// `sasl-mech [SP initial-response]` (RFC 4954 §8).
    private static func authenticate(_ argument: ArraySlice<UInt8>) -> Result<SMTPCommand, Fault> {
        let words = argument.split(separator: UInt8(ascii: " "))
        guard let mechanism = words.first, words.count <= 2 else { return .failure(.badArgument) }
        return .success(
            .authenticate(
                mechanism: String(decoding: mechanism, as: UTF8.self).uppercased(),
                initialResponse: words.count == 2 ? words[1] : nil))
    }

    private static func mail(
        _ argument: ArraySlice<UInt8>, _ conversion: DomainNameConversion
    ) -> Result<SMTPCommand, Fault> {
        guard let isInternational = Self.isInternational(argument), let rest = Self.afterKeyword("FROM:", argument)
        else { return .failure(.badArgument) }
        guard let (path, tail) = ReversePath.parsePrefix(rest, conversion) else {
            let isUndeclared = isInternational && !Self.declaresUTF8(argument)
            return .failure(isUndeclared ? .internationalAddress : .badSender(Self.address(in: rest)))
        }
        guard let parameters = Self.parameters(tail) else { return .failure(.badArgument) }
        guard !Self.isWrittenInUTF8(rest, before: tail) || parameters.contains(where: { $0.keyword == "SMTPUTF8" })
        else { return .failure(.internationalAddress) }
        return .success(.mail(path, parameters: parameters))
    }

    private static func recipient(
        _ argument: ArraySlice<UInt8>, _ conversion: DomainNameConversion
    ) -> Result<SMTPCommand, Fault> {
        guard Self.isInternational(argument) != nil, let rest = Self.afterKeyword("TO:", argument) else {
            return .failure(.badArgument)
        }
        guard let (path, tail) = ForwardPath.parsePrefix(rest, conversion) else {
            return .failure(.badRecipient(Self.address(in: rest)))
        }
        guard let parameters = Self.parameters(tail) else { return .failure(.badArgument) }
        return .success(
            .recipient(path, parameters: parameters, isInternational: Self.isWrittenInUTF8(rest, before: tail)))
    }

    /// `VRFY` takes SMTPUTF8 as its last word (RFC 6531 §3.7.4.2), and must where its argument is not ASCII.
    private static func verify(_ argument: ArraySlice<UInt8>) -> Result<SMTPCommand, Fault> {
        guard !argument.isEmpty, let isInternational = Self.isInternational(argument) else {
            return .failure(.badArgument)
        }
        return isInternational && !Self.declaresUTF8(argument) ? .failure(.internationalAddress) : .success(.verify)
    }

    /// `SP chunk-size [SP "LAST"]` (RFC 3030 §2), and no more leniency than that: 1 to 20 digits that UInt64 holds.
    private static func chunk(_ rest: ArraySlice<UInt8>) -> Result<SMTPCommand, Fault> {
        let words = rest.dropFirst().split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let digits = words.first, (1...20).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let size = UInt64(String(decoding: digits, as: UTF8.self))
        else { return .failure(.badChunk) }
        switch words.count {
        case 1: return .success(.chunk(size: size, isLast: false))
        case 2 where String(decoding: words[1], as: UTF8.self).uppercased() == "LAST":
            return .success(.chunk(size: size, isLast: true))
        default: return .failure(.badChunk)
        }
    }

    /// A verb that is not quite BDAT, and that a host behind or before us may read as BDAT. What follows may be a chunk
    /// (`BDAT<TAB>5`).
    private static func isMeantAsChunk(_ line: [UInt8]) -> Bool {
        let verb = line.drop { $0 <= 0x20 }.prefix(4)
        return String(decoding: verb, as: UTF8.self).uppercased() == "BDAT"
    }

    /// Whether there is anything but ASCII; `nil` where it is not UTF-8 at all.
    private static func isInternational(_ argument: ArraySlice<UInt8>) -> Bool? {
        guard argument.contains(where: { $0 >= 0x80 }) else { return false }
        return String(validating: argument, as: UTF8.self) == nil ? nil : true
    }

    private static func isWrittenInUTF8(_ rest: ArraySlice<UInt8>, before tail: ArraySlice<UInt8>) -> Bool {
        rest[..<tail.startIndex].contains { $0 >= 0x80 }
    }

    private static func declaresUTF8(_ argument: ArraySlice<UInt8>) -> Bool {
        argument.split(separator: UInt8(ascii: " ")).dropFirst().contains {
            String(decoding: $0, as: UTF8.self).uppercased() == "SMTPUTF8"
        }
    }

    /// What was meant as an address: up to its closing bracket, or to the first space.
    private static func address(in rest: ArraySlice<UInt8>) -> [UInt8] {
        let end = rest.firstIndex(of: UInt8(ascii: ">")).map { $0 + 1 } ?? rest.firstIndex(of: UInt8(ascii: " "))
        return Array(rest[..<(end ?? rest.endIndex)])
    }

    /// What follows `FROM:` or `TO:`. A space after the colon is against the grammar, common, and harmless.
    private static func afterKeyword(_ keyword: String, _ argument: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let head = String(decoding: argument.prefix(keyword.utf8.count), as: UTF8.self)
        guard head.uppercased() == keyword else { return nil }
        return argument.dropFirst(keyword.utf8.count).drop { $0 == UInt8(ascii: " ") }
    }

    private static func parameters(_ tail: ArraySlice<UInt8>) -> [Parameter]? {
        guard let first = tail.first else { return [] }
        guard first == UInt8(ascii: " ") else { return nil }
        var parameters: [Parameter] = []
        for word in tail.split(separator: UInt8(ascii: " ")) {
            let halves = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard !halves[0].isEmpty, halves.count == 1 || !halves[1].isEmpty else { return nil }
            let keyword = String(decoding: halves[0], as: UTF8.self).uppercased()
            // A parameter given twice could be read differently by two hosts.
            guard !parameters.contains(where: { $0.keyword == keyword }) else { return nil }
            let value = halves.count == 1 ? nil : String(decoding: halves[1], as: UTF8.self)
            parameters.append(Parameter(keyword: keyword, value: value))
        }
        return parameters
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop { $0 == UInt8(ascii: " ") }
        while let last = bytes.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { bytes.removeLast() }
        return bytes
    }
}
