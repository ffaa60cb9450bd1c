import ClusterModel
import ControlAPI
import ControlStore
import GRPCCore
import SwiftProtobuf

/// Who changes the cluster, and why.
struct ChangeRequest {
    static let maximumReasonBytes = 1_000
    /// What goes to the audit of each object, before and after.
    private static let maximumAuditBytes = 16 << 10

    let actor: ClusterIdentity
    let reason: String
    let isDryRun: Bool

    init(_ context: ControlChangeContext) throws(RPCError) {
        guard context.reason.utf8.count <= Self.maximumReasonBytes else {
            throw .invalid("context.reason", "more than \(Self.maximumReasonBytes) bytes")
        }
        self.actor = try Caller.known().identity
        self.reason = context.reason
        self.isDryRun = context.dryRun
    }

    /// The row of the audit about one object. `before` and `after` have no secrets.
    func change(
        _ action: String, _ object: String, before: (any Message)? = nil, after: (any Message)? = nil
    ) -> ControlChange {
        ControlChange(
            actor: self.actor.uri, action: action, object: object, before: before.map(Self.json),
            after: after.map(Self.json), reason: self.reason, isDryRun: self.isDryRun)
    }

    private static func json(_ message: any Message) -> String {
        guard let text = try? message.jsonString() else { return "{}" }
        // Authorities in PEM can be long, and the audit is kept for good.
        return text.utf8.count <= Self.maximumAuditBytes ? text : "{\"bytes\":\(text.utf8.count)}"
    }
}
