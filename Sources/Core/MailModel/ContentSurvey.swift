/// What there is to know of a message's content as it passes by, in pieces of any size. It keeps a few hundred bytes of
/// state.
public struct ContentSurvey: Hashable, Sendable {
    /// The Received fields of its header section.
    public private(set) var receivedFields: ReceivedFieldCounter
    /// There is a byte beyond ASCII, whatever the client declared (RFC 6152).
    public private(set) var isEightBit = false
    /// There is one in the header section, which only a host with SMTPUTF8 has promised to take (RFC 6532).
    public private(set) var hasInternationalHeader = false
    private var messageIDReader = MessageIDFieldReader()
    private var dateFields: HeaderFieldCounter?

    /// There was a Message-ID field, if only an empty one.
    public var hasMessageID: Bool { self.messageIDReader.isFound }

    /// The body of the Message-ID field, if there is one, made harmless.
    public var messageID: String? { self.messageIDReader.value }

    /// The whole header section has passed.
    public var isHeaderOver: Bool { !self.receivedFields.isInHeader }

    /// There was no Date field so far; `false` where nobody asked.
    public var lacksDate: Bool { self.dateFields?.count == 0 }

    /// Nothing has passed yet.
    ///
    /// - Parameter looksForDate: whether it is to be known if there is a Date field.
    public init(receivedFieldLimit: Int, looksForDate: Bool = false) {
        self.receivedFields = ReceivedFieldCounter(limit: receivedFieldLimit)
        self.dateFields = looksForDate ? HeaderFieldCounter("date") : nil
    }

    /// Takes the next piece of content.
    public mutating func consume(_ content: [UInt8]) {
        let headerBytes = self.receivedFields.consume(content)
        if headerBytes > 0 {
            self.messageIDReader.consume(content[..<headerBytes])
            self.dateFields?.consume(content[..<headerBytes])
        }
        content.withUnsafeBufferPointer { bytes in
            if headerBytes > 0, !self.hasInternationalHeader {
                self.hasInternationalHeader =
                    UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<headerBytes])).isBeyondASCII
            }
            if !self.isEightBit {
                self.isEightBit = self.hasInternationalHeader || UnsafeRawBufferPointer(bytes).isBeyondASCII
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether a byte has its high bit set; eight are looked at together.
    fileprivate var isBeyondASCII: Bool {
        var index = 0
        while index + 8 <= self.count {
            if self.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return true }
            index += 8
        }
        return self[index...].contains { $0 >= 0x80 }
    }
}
