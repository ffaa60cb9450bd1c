import ClusterModel
import ControlAPI
import ControlStore
import GRPCCore

/// What some changes of domains write, made on one state.
struct DomainPlan {
    private(set) var writes: [ResourceWrite] = []
    private(set) var changes: [ControlChange] = []

    init(_ requested: [ControlDomainChange], in state: StateSnapshot, _ change: ChangeRequest) throws {
        var count = state.count(of: .domain)
        for (index, item) in requested.enumerated() {
            let key = ResourceKey(type: .domain, name: item.domain.name)
            let before = state[key]
            if before == nil { count += 1 }
            try self.add(item, "changes[\(index)]", key, before, change)
        }
        guard count <= DomainService.maximumDomains else {
            throw RPCError(
                code: .failedPrecondition, message: "a cluster has at most \(DomainService.maximumDomains) domains")
        }
    }

    private mutating func add(
        _ item: ControlDomainChange, _ field: String, _ key: ResourceKey, _ before: StoredResource?,
        _ change: ChangeRequest
    ) throws {
        let old = try before?.domain
        var new = item.domain
        let parts = old?.recipientListParts ?? 0
        // The list is the controller's: whoever reads a domain and applies it again tells its parts, or does not.
        guard new.recipientListParts == 0 || new.recipientListParts == parts else {
            throw RPCError.invalid(
                "\(field).domain.recipient_list_parts", "lists are replaced by ReplaceRecipients only")
        }
        new.recipientListParts = new.recipientVerification == .list ? parts : 0
        if new.recipientVerification == .list, parts == 0 {
            throw RPCError(
                code: .failedPrecondition,
                message:
                    "\(field).domain.recipient_verification: \(new.name) has no list; replace its recipients, which "
                    + "makes the list count")
        }
        let base = item.hasBaseVersion ? item.baseVersion : before?.version ?? 0
        self.writes.append(ResourceWrite(key: key, content: try new.stored, secret: nil, base: base))
        if let old { self.writes += RecipientListParts.removals(of: old, from: new.recipientListParts) }
        self.changes.append(change.change("domain.apply", "domain/\(new.name)", before: old, after: new))
    }
}

extension StateWriter {
    /// How often a change is made anew on a state that has become another one meanwhile.
    private static let attempts = 5

    /// Makes a change that is made on whatever there is. A change on a version that its request names is made once.
    func retrying(
        _ body: () async throws -> StateSnapshot, unless isOnce: () -> Bool = { false }
    ) async throws -> StateSnapshot {
        for _ in 1..<Self.attempts where !isOnce() {
            do {
                return try await body()
            } catch let error as RPCError where error.code == .aborted {
                continue
            }
        }
        return try await body()
    }
}
