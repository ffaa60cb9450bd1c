import ClusterModel
import ControlAPI
import ControlStore
import GRPCCore
import MailModel
import SwiftProtobuf

/// A list of recipients in parts, each a resource of its own, so that a list of any size passes.
struct RecipientListParts {
    /// The most bytes of local parts in one part.
    static let partBytes = 1 << 20
    /// The most bytes of a list, so that it fits into one write of the database.
    static let listBytes = 60 << 20
    /// What the encoding adds to each local part.
    static let overheadBytes = 3

    let parts: [ControlRecipientListPart]

    /// Sorted, so that the same list has the same parts whatever the order in which it was sent.
    init(_ localParts: Set<String>, of domain: String) {
        var parts: [ControlRecipientListPart] = []
        var part: [String] = []
        var size = 0
        func finish() {
            let names = part
            parts.append(
                .with {
                    $0.domain = domain
                    $0.index = UInt32(parts.count)
                    $0.localParts = names
                })
            (part, size) = ([], 0)
        }
        for name in localParts.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if size + name.utf8.count > Self.partBytes { finish() }
            part.append(name)
            size += name.utf8.count + Self.overheadBytes
        }
        finish()
        self.parts = parts
    }

    func writes() throws -> [ResourceWrite] {
        try self.parts.map {
            ResourceWrite(key: Self.key($0.domain, $0.index), content: try $0.stored, secret: nil, base: nil)
        }
    }

    /// The name has the index in four digits.
    static func key(_ domain: String, _ index: UInt32) -> ResourceKey {
        let digits = String(index)
        let padding = String(repeating: "0", count: max(0, 4 - digits.count))
        return ResourceKey(type: .recipientListPart, name: "\(domain)/\(padding)\(digits)")
    }

    /// Removes the parts of a domain's list from this one on.
    static func removals(of domain: ControlDomain, from first: UInt32) -> [ResourceWrite] {
        guard first < domain.recipientListParts else { return [] }
        return (first..<domain.recipientListParts).map {
            ResourceWrite(key: Self.key(domain.name, $0), content: nil, secret: nil, base: nil)
        }
    }

    /// How many recipients the list of a domain names.
    static func count(of domain: ControlDomain, in state: StateSnapshot) -> UInt64 {
        (0..<domain.recipientListParts).reduce(0) { sum, index in
            guard let stored = state[Self.key(domain.name, index)],
                let part = try? ControlRecipientListPart(serializedBytes: stored.content)
            else { return sum }
            return sum + UInt64(part.localParts.count)
        }
    }
}
