import ClusterModel
import Foundation
import PostgresDriver

/// What is done to the cluster, as the audit tells it.
public struct ControlChange: Hashable, Sendable {
    /// The identity that does it, as in its certificate.
    public let actor: String
    /// Such as `domain.apply`.
    public let action: String
    /// Such as `domain/contoso.test`.
    public let object: String
    /// JSON, without secrets; nothing where it did not exist.
    public let before: String?
    /// JSON, without secrets; nothing where it no longer exists.
    public let after: String?
    /// Why.
    public let reason: String
    /// Whether everything is checked and nothing is changed.
    public let isDryRun: Bool

    /// A change, as it is told.
    public init(
        actor: String, action: String, object: String, before: String? = nil, after: String? = nil, reason: String = "",
        isDryRun: Bool = false
    ) {
        self.actor = actor
        self.action = action
        self.object = object
        self.before = before
        self.after = after
        self.reason = reason
        self.isDryRun = isDryRun
    }
}

/// The changes of one transaction, as the database takes them.
struct AuditEntries {
    /// One of them, by the names of columns.
    private struct Entry: Encodable {
        let actor, action, object: String
        let before, after: String?
        let reason: String
    }

    /// Names the request, so that it is done once.
    let request = PostgresUUID.random()
    /// A JSON array.
    let json: String
    let isDryRun: Bool

    /// Refuses what is larger than its limit, and a transaction that says nothing of itself or of which only a part is a dry run.
    init(_ changes: [ControlChange]) throws(ControlStoreError) {
        guard let first = changes.first, changes.allSatisfy({ $0.isDryRun == first.isDryRun }) else {
            throw ControlStoreError(
                .unfit, "a write needs a change for the audit, and all of it is a dry run or nothing")
        }
        try ControlLimits.check(changes.count, atMost: ControlLimits.resourcesInWrite, "changes for the audit")
        for change in changes { try Self.check(change) }
        self.isDryRun = first.isDryRun
        let entries = changes.map {
            Entry(
                actor: $0.actor.storable, action: $0.action.storable, object: $0.object.storable,
                before: $0.before?.storable, after: $0.after?.storable, reason: $0.reason.storable)
        }
        // Encoding structs of strings cannot fail.
        self.json = (try? JSONEncoder().encode(entries)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
    }

    private static func check(_ change: ControlChange) throws(ControlStoreError) {
        for name in [change.actor, change.action, change.object] {
            try ControlLimits.check(
                name.utf8.count, atMost: ControlLimits.auditNameBytes, "bytes of \(name.prefix(40))…")
        }
        for content in [change.before, change.after].compactMap(\.self) {
            let count = content.utf8.count
            try ControlLimits.check(
                count, atMost: ControlLimits.auditContentBytes, "bytes of audit of \(change.object)")
        }
        try ControlLimits.check(change.reason.utf8.count, atMost: ControlLimits.auditReasonBytes, "bytes of reason")
    }
}

extension ControlStore {
    /// Makes a change of these statements, together with its rows of the audit; all of it, or nothing.
    ///
    /// - Parameters:
    ///   - begin: what begins it, if not the lock of the cluster.
    ///   - term: of a leader that makes it; the change is refused once the term is over.
    /// - Returns: whether it was made; not if what it changes was not as the statements expect.
    func change(
        _ changes: [ControlChange], begin: ((PostgresUUID) -> Statement)? = nil, under term: LeaderTerm? = nil,
        _ statements: [Statement]
    ) async throws(ControlStoreError) -> Bool {
        let entries = try AuditEntries(changes)
        let fence = term.map { [Statement("SELECT control.fence($1)", $0.epoch.rawValue)] } ?? []
        let record = Statement("SELECT control.record_changes($1, NULL, $2)", entries.request, entries.json)
        let undo = entries.isDryRun ? [Statement("SELECT control.undo_change()")] : []
        let first = begin?(entries.request) ?? Statement("SELECT control.begin_change($1)", entries.request)
        do throws(ControlStoreError) {
            _ = try await self.idempotently([first] + fence + statements + [record] + undo)
            return true
        } catch {
            switch error.cause?.sqlState {
            // It was done before, and its reply was lost; or it was a dry run.
            case "RL103", "RL104": return true
            case "RL105": return false
            default: throw error
            }
        }
    }
}
