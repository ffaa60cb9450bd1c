/// What the node says to its resolver, one message a datagram.
package enum ResolverRequest: Equatable, Sendable {
    /// The first message: what the child may use, and whether it must lock itself in.
    case start(ResolverAllowance)
    /// Look this up. The name is without its trailing dot, and empty for the root.
    case question(UInt64, name: String, type: UInt16)
    /// Nobody waits for this answer any more.
    case withdraw(UInt64)
    /// Say that you live, by way of libunbound's own thread.
    case ping(UInt64)
}

/// What a resolver says to its node, one message a datagram.
package enum ResolverReport: Equatable, Sendable {
    /// It is locked in, and takes questions; the text is libunbound's version.
    case ready(String)
    /// It cannot start, and ends; the text says why.
    case refused(String)
    /// An answer of the DNS.
    case answer(UInt64, RawAnswer)
    /// libunbound itself failed, in these words.
    case failed(UInt64, String)
    /// The answer to a ping.
    case pong(UInt64)
}

/// What a child may use at the most.
package struct ResolverAllowance: Equatable, Sendable {
    /// Bytes of memory that it may write to.
    package var memory: UInt64
    /// Descriptors, and so sockets.
    package var descriptors: UInt32
    /// Whether it locks itself in before it looks anything up.
    package var isLockedIn: Bool

    package init(memory: UInt64, descriptors: UInt32, isLockedIn: Bool) {
        self.memory = memory
        self.descriptors = descriptors
        self.isLockedIn = isLockedIn
    }
}

/// The form of both: a byte that names the kind, numbers in network order, and what is left of the datagram at the end.
///
/// The node reads a report as it reads any stranger's bytes, for whoever broke into the child writes them.
package enum ResolverMessage {
    /// A name of the DNS has no more bytes as text.
    package static let longestName = 254
    /// The longest reason or complaint; more is cut off by who writes, and malformed to who reads.
    package static let longestText = 1024
    /// The longest answer of the DNS (RFC 1035 §4.2.2).
    package static let longestPacket = 65_535
    /// The longest message: an answer with its head and its reason.
    package static let longestMessage = 14 + longestText + longestPacket
    /// RCODEs have twelve bits (RFC 6891 §6.1.3).
    private static let greatestRCode: UInt16 = 4095

    private enum Kind {
        static let start: UInt8 = 1
        static let question: UInt8 = 2
        static let withdraw: UInt8 = 3
        static let ping: UInt8 = 4
        static let ready: UInt8 = 16
        static let refused: UInt8 = 17
        static let answer: UInt8 = 18
        static let failed: UInt8 = 19
        static let pong: UInt8 = 20
    }

    // MARK: Writing

    package static func bytes(_ request: ResolverRequest) -> [UInt8] {
        switch request {
        case .start(let allowance):
            [Kind.start] + Self.bytes(allowance.memory) + Self.bytes(allowance.descriptors)
                + [allowance.isLockedIn ? 1 : 0]
        case .question(let id, let name, let type):
            [Kind.question] + Self.bytes(id) + Self.bytes(type) + Array(name.utf8.prefix(Self.longestName))
        case .withdraw(let id): [Kind.withdraw] + Self.bytes(id)
        case .ping(let number): [Kind.ping] + Self.bytes(number)
        }
    }

    package static func bytes(_ report: ResolverReport) -> [UInt8] {
        switch report {
        case .ready(let text): [Kind.ready] + Self.cut(text)
        case .refused(let text): [Kind.refused] + Self.cut(text)
        case .failed(let id, let text): [Kind.failed] + Self.bytes(id) + Self.cut(text)
        case .pong(let number): [Kind.pong] + Self.bytes(number)
        case .answer(let id, let raw):
            Self.bytes(id, raw)
        }
    }

    private static func bytes(_ id: UInt64, _ raw: RawAnswer) -> [UInt8] {
        let reason = raw.bogusReason.map { Self.cut($0) } ?? []
        let flags: UInt8 = (raw.isSecure ? 1 : 0) | (raw.bogusReason != nil ? 2 : 0) | (raw.passed?.rawValue ?? 0) << 4
        return [Kind.answer] + Self.bytes(id) + [flags] + Self.bytes(UInt16(clamping: raw.rcode))
            + Self.bytes(UInt16(reason.count)) + reason + raw.packet.prefix(Self.longestPacket)
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        stride(from: type(of: number).bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func cut(_ text: String) -> [UInt8] { Array(text.utf8.prefix(Self.longestText)) }

    // MARK: Reading

    /// What the node said; `nil` is no such message.
    package static func request(_ bytes: [UInt8]) -> ResolverRequest? {
        var reader = Reader(bytes)
        guard let kind: UInt8 = reader.number(), let first: UInt64 = reader.number() else { return nil }
        switch kind {
        case Kind.start:
            guard let descriptors: UInt32 = reader.number(), let flag: UInt8 = reader.number(), flag <= 1,
                reader.isAtEnd
            else { return nil }
            return .start(.init(memory: first, descriptors: descriptors, isLockedIn: flag == 1))
        case Kind.question:
            guard let type: UInt16 = reader.number(), let name = reader.text(atMost: Self.longestName) else {
                return nil
            }
            return .question(first, name: name, type: type)
        case Kind.withdraw: return reader.isAtEnd ? .withdraw(first) : nil
        case Kind.ping: return reader.isAtEnd ? .ping(first) : nil
        default: return nil
        }
    }

    /// What the resolver said; `nil` is no such message, after which nothing that it says is to be believed.
    package static func report(_ bytes: [UInt8]) -> ResolverReport? {
        var reader = Reader(bytes)
        guard let kind: UInt8 = reader.number() else { return nil }
        switch kind {
        case Kind.ready: return reader.text(atMost: Self.longestText).map { .ready($0) }
        case Kind.refused: return reader.text(atMost: Self.longestText).map { .refused($0) }
        case Kind.failed:
            guard let id: UInt64 = reader.number() else { return nil }
            return reader.text(atMost: Self.longestText).map { .failed(id, $0) }
        case Kind.pong:
            guard let number: UInt64 = reader.number(), reader.isAtEnd else { return nil }
            return .pong(number)
        case Kind.answer: return Self.answer(&reader)
        default: return nil
        }
    }

    private static func answer(_ reader: inout Reader) -> ResolverReport? {
        guard let id: UInt64 = reader.number(), let flags: UInt8 = reader.number(),
            let rcode: UInt16 = reader.number(), rcode <= Self.greatestRCode, let length: UInt16 = reader.number(),
            length == 0 || flags == 2, Int(length) <= Self.longestText, let reason = reader.text(of: Int(length)),
            let packet = reader.rest(atMost: Self.longestPacket)
        else { return nil }
        // Only one at a time: what is bogus is not secure, and what failed is neither.
        let passed = LookupBudget(rawValue: flags >> 4)
        guard flags <= 2 || (flags & 0xF == 0 && passed != nil && Int(rcode) == RawAnswer.serverFailure) else {
            return nil
        }
        return .answer(
            id,
            RawAnswer(
                rcode: Int(rcode), isSecure: flags == 1, bogusReason: flags == 2 ? reason : nil, packet: packet,
                passed: passed))
    }

    /// Reads a message from front to back, and never beyond its end.
    private struct Reader {
        private var left: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) { self.left = bytes[...] }

        var isAtEnd: Bool { self.left.isEmpty }

        mutating func number<Number: FixedWidthInteger>() -> Number? {
            let count = Number.bitWidth / 8
            guard self.left.count >= count else { return nil }
            defer { self.left = self.left.dropFirst(count) }
            // In steps of a byte, for which a number of one byte has no shift.
            return self.left.prefix(count).reduce(0) { count == 1 ? Number($1) : $0 << 8 | Number($1) }
        }

        /// The next bytes as text that is safe to show.
        mutating func text(of count: Int) -> String? {
            guard self.left.count >= count else { return nil }
            defer { self.left = self.left.dropFirst(count) }
            let printable = self.left.prefix(count).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
            return String(decoding: printable, as: UTF8.self)
        }

        /// All that is left as text.
        mutating func text(atMost limit: Int) -> String? {
            self.left.count <= limit ? self.text(of: self.left.count) : nil
        }

        /// All that is left.
        mutating func rest(atMost limit: Int) -> [UInt8]? {
            guard self.left.count <= limit else { return nil }
            defer { self.left = [] }
            return Array(self.left)
        }
    }
}
