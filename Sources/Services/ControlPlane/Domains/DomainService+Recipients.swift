import ClusterModel
package import ControlAPI
import ControlStore
package import GRPCCore
import MailModel
import SwiftProtobuf

extension DomainService {
    package func replaceRecipients(
        request: RPCAsyncSequence<ControlReplaceRecipientsRequest, any Error>, context: ServerContext
    ) async throws -> ControlReplaceRecipientsResponse {
        try await self.lists.within("lists of recipients at a time") {
            let sent = try await SentList(request)
            let change = try ChangeRequest(sent.head.context)
            let list = RecipientListParts(sent.localParts, of: sent.head.domain)
            let state = try await self.writer.retrying {
                try await self.write(list, sent, change)
            } unless: {
                sent.head.hasBaseVersion
            }
            return try .with {
                $0.stateVersion = state.version
                if let domain = try Self.versioned(sent.head.domain, in: state) { $0.domain = domain }
            }
        }
    }

    private func write(
        _ list: RecipientListParts, _ sent: SentList, _ change: ChangeRequest
    ) async throws -> StateSnapshot {
        let state = try await self.writer.current()
        guard let stored = state[ResourceKey(type: .domain, name: sent.head.domain)] else {
            throw Self.missing(sent.head.domain)
        }
        let old = try stored.domain
        var new = old
        new.recipientVerification = .list
        new.recipientListParts = UInt32(list.parts.count)
        let base = sent.head.hasBaseVersion ? sent.head.baseVersion : stored.version
        let domain = ResourceWrite(key: stored.key, content: try new.stored, secret: nil, base: base)
        let writes =
            [domain] + (try list.writes()) + RecipientListParts.removals(of: old, from: new.recipientListParts)
        // The audit has numbers: the names are the domain's own.
        let row = change.change(
            "domain.recipients", "domain/\(new.name)",
            before: try Self.versioned(new.name, in: state),
            after: ControlVersionedDomain.with {
                $0.domain = new
                $0.recipients = UInt64(sent.localParts.count)
            })
        return try await self.writer.write(.recipients, writes, [row])
    }
}

/// A list as a client sent it, in messages.
private struct SentList {
    let head: ControlReplaceRecipientsRequest
    private(set) var localParts: Set<String> = []

    init(_ messages: RPCAsyncSequence<ControlReplaceRecipientsRequest, any Error>) async throws {
        var head: ControlReplaceRecipientsRequest?
        var localParts: Set<String> = []
        var bytes = 0
        for try await message in messages {
            if head == nil {
                _ = try FieldChecks.domain(message.domain, "domain")
                head = message
                head?.localParts = []
            } else if !message.domain.isEmpty || message.hasBaseVersion || message.hasContext {
                throw RPCError.invalid("domain", "domain, base_version and context belong into the first message only")
            }
            for part in message.localParts {
                bytes += part.utf8.count + RecipientListParts.overheadBytes
                guard bytes <= RecipientListParts.listBytes else {
                    throw RPCError.invalid("local_parts", "more than \(RecipientListParts.listBytes) bytes in all")
                }
                localParts.insert(try Self.localPart(part))
            }
        }
        guard let head else { throw RPCError.invalid("domain", "nothing was sent") }
        guard !localParts.isEmpty else {
            throw RPCError.invalid(
                "local_parts",
                "an empty list refuses all mail; to end verification by list, apply the domain without it")
        }
        self.head = head
        self.localParts = localParts
    }

    /// What a node reads of it: without quoting, and case makes no difference.
    private static func localPart(_ text: String) throws(RPCError) -> String {
        guard let mailbox = Mailbox("\(text)@domain.invalid") else {
            throw .invalid("local_parts", "\(FieldChecks.shown(text)) is not the part of an address before the @")
        }
        return mailbox.localPart.lowercased()
    }
}
