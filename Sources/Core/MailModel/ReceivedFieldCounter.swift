/// Counts the Received fields of a message as its content passes by, to find mail that goes in circles (RFC 5321 §6.3).
public struct ReceivedFieldCounter: Hashable, Sendable {
    /// The most fields of a message that is not taken for one in a loop.
    public let limit: Int
    private var fields = HeaderFieldCounter("received")

    /// Nothing has passed yet.
    public init(limit: Int) { self.limit = limit }

    /// The fields so far.
    public var count: Int { self.fields.count }

    /// Whether the message has been through too many hosts.
    public var isLoop: Bool { self.count > self.limit }

    /// The empty line behind the header section has not passed yet.
    public var isInHeader: Bool { self.fields.isInHeader }

    /// Takes the next piece of content, and says how many of its bytes belong to the header section.
    @discardableResult
    public mutating func consume(_ content: some Sequence<UInt8>) -> Int { self.fields.consume(content) }
}
