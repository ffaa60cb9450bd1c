import ControlAPI
import GRPCCore
import InternationalDomains
import MailModel
import SwiftProtobuf

extension ClusterConsole {
    /// Lists the domains of the cluster.
    package func listDomains() async throws(ConsoleFailure) {
        let documents = try await self.allDomains().map { DomainDocument($0) }
        try self.terminal.write(list: "domains", documents.map(\.fields), as: self.format) {
            var table = DomainDocument.table(self.terminal.style)
            return table.lines(documents.map(\.row))
        }
    }

    /// Shows one domain.
    package func showDomain(_ name: String) async throws(ConsoleFailure) {
        guard let found = try await self.domain(try Self.domainName(name)) else {
            throw ConsoleFailure(.badData, "there is no domain \(name)")
        }
        let document = DomainDocument(found)
        try self.write(.document(document.fields)) { document.lines }
    }

    /// Removes a domain.
    package func removeDomain(_ name: String, _ change: ClusterChange) async throws(ConsoleFailure) {
        let name = try Self.domainName(name)
        guard let found = try await self.domain(name) else {
            throw ConsoleFailure(.badData, "there is no domain \(name)")
        }
        try self.confirm("remove \(name), whose mail is refused from then on", "remove", change)
        let answer = try await self.change(
            [("domain \(name)", found.version)],
            current: { _ throws(ConsoleFailure) in try await self.version(of: name) }
        ) { options in
            try await self.domains.removeDomain(
                .with {
                    $0.name = name
                    $0.baseVersion = found.version
                    $0.context = change.context
                }, options: options)
        }
        let document =
            change.fields("remove") + [
                .init("domain", .text(name)), .init("state_version", .number(Int(clamping: answer.stateVersion))),
            ]
        try self.write(.document(document)) { [change.told("removed \(name)")] }
        try await self.wait(for: answer.stateVersion, change)
    }

    /// Every domain of the cluster, in the order of names.
    func allDomains() async throws(ConsoleFailure) -> [ControlVersionedDomain] {
        var domains: [ControlVersionedDomain] = []
        var token = ""
        repeat {
            let start = token
            let page = try await self.ask { options in
                try await self.domains.listDomains(
                    .with {
                        $0.pageSize = Self.pageSize
                        $0.pageToken = start
                    }, options: options)
            }
            domains += page.domains
            token = page.nextPageToken
        } while !token.isEmpty
        return domains
    }

    /// A domain as the controller has it; `nil` if it does not.
    func domain(_ name: String) async throws(ConsoleFailure) -> ControlVersionedDomain? {
        try await self.ask { options in
            do {
                return try await self.domains.getDomain(.with { $0.name = name }, options: options).domain
            } catch let error as RPCError where error.code == .notFound {
                return nil
            }
        }
    }

    func version(of domain: String) async throws(ConsoleFailure) -> UInt64 {
        try await self.domain(domain)?.version ?? 0
    }

    /// The name as the controller has it.
    private static func domainName(_ text: String) throws(ConsoleFailure) -> String {
        guard let name = try? DomainName(unicode: text) else { throw ConsoleFailure(.usage, "\(text) is no domain") }
        return name.text
    }
}
