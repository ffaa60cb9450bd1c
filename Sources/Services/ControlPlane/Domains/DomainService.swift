import ClusterModel
package import ControlAPI
import ControlStore
package import GRPCCore
import MailModel
import SwiftProtobuf

/// Domains of the cluster and the lists of their recipients.
///
/// A domain has a list exactly if its recipients are verified by it. `ReplaceRecipients` makes the list count.
package struct DomainService: ControlDomainService.SimpleServiceProtocol {
    static let maximumChanges = 1_000
    /// The most domains of a cluster.
    static let maximumDomains = 200_000

    let writer: StateWriter
    let lists: RequestBudget

    /// - Parameter lists: the limit on lists that are replaced at a time, each of which is held as a whole.
    package init(writer: StateWriter, lists: RequestBudget) {
        self.writer = writer
        self.lists = lists
    }

    // MARK: Reading

    package func getDomain(
        request: ControlGetDomainRequest, context: ServerContext
    ) async throws -> ControlGetDomainResponse {
        let name = try FieldChecks.domain(request.name, "name").text
        guard let domain = try Self.versioned(name, in: await self.writer.current()) else {
            throw Self.missing(name)
        }
        return .with { $0.domain = domain }
    }

    package func listDomains(
        request: ControlListDomainsRequest, context: ServerContext
    ) async throws -> ControlListDomainsResponse {
        let page = try PageRequest(size: request.pageSize, token: request.pageToken)
        let state = try await self.writer.current()
        let found = state.resources(of: .domain, after: page.after, limit: page.size + 1)
        return try .with {
            $0.domains = try found.prefix(page.size).map { try Self.versioned($0, in: state) }
            if found.count > page.size { $0.nextPageToken = found[page.size - 1].key.name }
        }
    }

    static func versioned(_ name: String, in state: StateSnapshot) throws -> ControlVersionedDomain? {
        try state[ResourceKey(type: .domain, name: name)].map { try Self.versioned($0, in: state) }
    }

    private static func versioned(
        _ stored: StoredResource, in state: StateSnapshot
    ) throws -> ControlVersionedDomain {
        let domain = try stored.domain
        return .with {
            $0.domain = domain
            $0.version = stored.version
            $0.recipients = RecipientListParts.count(of: domain, in: state)
        }
    }

    static func missing(_ name: String) -> RPCError {
        RPCError(code: .notFound, message: "there is no domain \(name)")
    }

    // MARK: Changing

    package func applyDomains(
        request: ControlApplyDomainsRequest, context: ServerContext
    ) async throws -> ControlApplyDomainsResponse {
        let change = try ChangeRequest(request.context)
        try Self.check(request.changes)
        let names = request.changes.map(\.domain.name)
        let state = try await self.writer.retrying {
            let state = try await self.writer.current()
            let plan = try DomainPlan(request.changes, in: state, change)
            return try await self.writer.write(.domain, plan.writes, plan.changes)
        } unless: {
            request.changes.contains { $0.hasBaseVersion }
        }
        return try .with {
            $0.stateVersion = state.version
            $0.domains =
                change.isDryRun
                ? request.changes.map { item in .with { $0.domain = item.domain } }
                : try names.compactMap { try Self.versioned($0, in: state) }
        }
    }

    private static func check(_ changes: [ControlDomainChange]) throws(RPCError) {
        guard (1...Self.maximumChanges).contains(changes.count) else {
            throw .invalid("changes", "\(changes.count), and 1 to \(Self.maximumChanges) may be made at once")
        }
        for (index, change) in changes.enumerated() {
            try DomainChecks.check(change.domain, "changes[\(index)].domain")
        }
        guard Set(changes.map(\.domain.name)).count == changes.count else {
            throw .invalid("changes", "a domain is there twice")
        }
    }

    package func removeDomain(
        request: ControlRemoveDomainRequest, context: ServerContext
    ) async throws -> ControlRemoveDomainResponse {
        let change = try ChangeRequest(request.context)
        let name = try FieldChecks.domain(request.name, "name").text
        let state = try await self.writer.retrying {
            let state = try await self.writer.current()
            guard let stored = state[ResourceKey(type: .domain, name: name)] else { throw Self.missing(name) }
            let domain = try stored.domain
            let base = request.hasBaseVersion ? request.baseVersion : stored.version
            let writes =
                [ResourceWrite(key: stored.key, content: nil, secret: nil, base: base)]
                + RecipientListParts.removals(of: domain, from: 0)
            return try await self.writer.write(
                .domain, writes, [change.change("domain.remove", "domain/\(name)", before: domain)])
        } unless: {
            request.hasBaseVersion
        }
        return .with { $0.stateVersion = state.version }
    }
}
