/// How an 8-bit message becomes 7-bit: what `SevenBitSurvey` finds, and `SevenBitConversion` does.
public struct SevenBitPlan: Hashable, Sendable {
    /// Bytes of the message when it is 7-bit.
    public fileprivate(set) var size = 0
    /// Which parts are encoded, counting those that hold no others.
    fileprivate var encodedParts: Set<Int> = []
    fileprivate let limits: SevenBitLimits
}

/// Reads a message once, to find whether and how it becomes 7-bit for a host without 8BITMIME (RFC 6152 §3).
///
/// Content comes as stored, in pieces of any size. A header section and a line are kept in memory, no more.
public struct SevenBitSurvey: Sendable {
    /// The part that is passing by, with its size both ways.
    private struct Part {
        let headers: MIMEHeaders
        var encoder: QuotedPrintableEncoder
        var isEightBit: Bool
        var originalSize: Int
        var encodedSize: Int

        init(_ headers: MIMEHeaders) {
            self.headers = headers
            self.encoder = QuotedPrintableEncoder(isText: headers.content == .text)
            self.isEightBit = headers.isDeclaredEightBit && headers.content != .fixed
            self.originalSize = headers.original.count
            self.encodedSize = headers.quotedPrintable.count
        }
    }

    private var lines: ContentLines
    private var walk: MIMEWalk
    private var plan: SevenBitPlan
    private var parts = 0
    private var part: Part?
    private var scratch: [UInt8] = []
    /// Why it stays as it is, once that is known: then no more content is of any use.
    public private(set) var refusal: SevenBitRefusal?

    /// A survey of a message of so many bytes.
    public init(size: Int, limits: SevenBitLimits = SevenBitLimits()) {
        self.lines = ContentLines(limit: limits.line)
        self.walk = MIMEWalk(limits: limits)
        self.plan = SevenBitPlan(limits: limits)
        if size > limits.message { self.refusal = .limit(.message) }
    }

    /// Takes the next piece of content.
    public mutating func consume(_ content: [UInt8]) {
        self.attempt { (survey) throws(SevenBitRefusal) in
            var lines = survey.lines
            try lines.take(content) { (line) throws(SevenBitRefusal) in
                for event in try survey.walk.take(line) { try survey.take(event) }
            }
            survey.lines = lines
        }
    }

    /// What came of it, after all of the content.
    public mutating func finish() -> Result<SevenBitPlan, SevenBitRefusal> {
        self.attempt { (survey) throws(SevenBitRefusal) in
            var lines = survey.lines
            try lines.finish { (line) throws(SevenBitRefusal) in
                for event in try survey.walk.take(line) { try survey.take(event) }
            }
            for event in try survey.walk.finish() { try survey.take(event) }
        }
        return self.refusal.map { .failure($0) } ?? .success(self.plan)
    }

    private mutating func attempt(_ body: (inout SevenBitSurvey) throws(SevenBitRefusal) -> Void) {
        guard self.refusal == nil else { return }
        do throws(SevenBitRefusal) { try body(&self) } catch { self.refusal = error }
    }

    private mutating func take(_ event: MIMEWalk.Event) throws(SevenBitRefusal) {
        switch event {
        case .structure(let line): self.plan.size += line.count
        case .headers(let headers) where headers.isOfContainer: self.plan.size += headers.sevenBit.count
        case .headers(let headers): self.part = Part(headers)
        case .content(let line): try self.take(content: line)
        case .contentEnd: self.endPart()
        }
    }

    private mutating func take(content line: [UInt8]) throws(SevenBitRefusal) {
        guard var part = self.part else { return }
        self.part = nil
        if !part.isEightBit, line.contains(where: { $0 >= 0x80 }) {
            guard part.headers.content != .fixed else { throw .unencodable }
            part.isEightBit = true
        }
        part.originalSize += line.count
        part.encoder.encode(line, into: &self.scratch)
        part.encodedSize += self.takeScratch()
        self.part = part
    }

    private mutating func endPart() {
        guard var part = self.part else { return }
        part.encoder.finish(into: &self.scratch)
        part.encodedSize += self.takeScratch()
        self.plan.size += part.isEightBit ? part.encodedSize : part.originalSize
        if part.isEightBit { self.plan.encodedParts.insert(self.parts) }
        self.parts += 1
        self.part = nil
    }

    private mutating func takeScratch() -> Int {
        defer { self.scratch.removeAll(keepingCapacity: true) }
        return self.scratch.count
    }
}

/// Makes a message 7-bit: 8-bit parts become quoted-printable (RFC 2045 §6.7), and what holds them says so. All else
/// stays byte for byte.
///
/// Content comes as stored, in pieces of any size, before dots are stuffed. A header section and a line are kept in memory, no more.
public struct SevenBitConversion: Sendable {
    private let plan: SevenBitPlan
    private var lines: ContentLines
    private var walk: MIMEWalk
    private var parts = 0
    /// The encoder of the part that is passing by, if it is to be encoded.
    private var encoder: QuotedPrintableEncoder?
    private var written = 0
    private var isBroken = false

    /// A conversion of the message that the plan was made of.
    public init(_ plan: SevenBitPlan) {
        self.plan = plan
        self.lines = ContentLines(limit: plan.limits.line)
        self.walk = MIMEWalk(limits: plan.limits)
    }

    /// Takes the next piece of content, and gives what can be written of it.
    public mutating func convert(_ content: [UInt8]) -> [UInt8] {
        self.output { (conversion, output) throws(SevenBitRefusal) in
            var lines = conversion.lines
            try lines.take(content) { (line) throws(SevenBitRefusal) in
                for event in try conversion.walk.take(line) { conversion.write(event, into: &output) }
            }
            conversion.lines = lines
        }
    }

    /// Gives the rest, after all of the content; `nil` where this was not the message of the plan.
    public mutating func finish() -> [UInt8]? {
        let rest = self.output { (conversion, output) throws(SevenBitRefusal) in
            var lines = conversion.lines
            try lines.finish { (line) throws(SevenBitRefusal) in
                for event in try conversion.walk.take(line) { conversion.write(event, into: &output) }
            }
            for event in try conversion.walk.finish() { conversion.write(event, into: &output) }
        }
        return !self.isBroken && self.written == self.plan.size ? rest : nil
    }

    private mutating func output(
        _ body: (inout SevenBitConversion, inout [UInt8]) throws(SevenBitRefusal) -> Void
    ) -> [UInt8] {
        guard !self.isBroken else { return [] }
        var output: [UInt8] = []
        do throws(SevenBitRefusal) { try body(&self, &output) } catch { self.isBroken = true }
        self.written += output.count
        return output
    }

    private mutating func write(_ event: MIMEWalk.Event, into output: inout [UInt8]) {
        switch event {
        case .structure(let line): output += line
        case .headers(let headers) where headers.isOfContainer: output += headers.sevenBit
        case .headers(let headers):
            let isEncoded = self.plan.encodedParts.contains(self.parts)
            self.encoder = isEncoded ? QuotedPrintableEncoder(isText: headers.content == .text) : nil
            output += isEncoded ? headers.quotedPrintable : headers.original
        case .content(let line):
            if self.encoder?.encode(line, into: &output) == nil { output += line }
        case .contentEnd:
            self.encoder?.finish(into: &output)
            self.encoder = nil
            self.parts += 1
        }
    }
}

extension MIMEHeaders {
    /// Parts or a message stand behind it.
    fileprivate var isOfContainer: Bool {
        switch self.content {
        case .multipart, .message: true
        case .text, .data, .fixed: false
        }
    }
}
