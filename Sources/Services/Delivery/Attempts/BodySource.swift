import QueueStore

/// The content of an entry, read one chunk ahead of the connection.
struct BodySource: Sendable {
    enum Piece: Sendable {
        case chunk([UInt8])
        case end
        case unreadable
    }

    private var reader: any MessageBody
    private var first: Piece?

    /// Reads the first chunk.
    static func open(_ key: EntryKey, in store: any DeliveryStore) async -> BodySource {
        var source = BodySource(reader: store.body(of: key), first: nil)
        source.first = await source.next()
        return source
    }

    mutating func next() async -> Piece {
        if let first = self.first {
            self.first = nil
            return first
        }
        do throws(QueueStoreError) {
            return try await self.reader.next().map(Piece.chunk) ?? .end
        } catch {
            return .unreadable
        }
    }
}
