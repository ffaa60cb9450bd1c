import InternationalDomains
import MailModel
import QueueStore

/// What is to be looked up anew, as it stands on a command line.
public struct DNSFlushRequest: Hashable, Sendable {
    /// A name, with or without what is below it.
    public var name: String?
    /// With all names below it, and not its service names alone.
    public var includesSubdomains = false
    /// Every answer is meant.
    public var isEverythingMeant = false
    /// It is confirmed already.
    public var isConfirmed = false
    /// Why, for the record.
    public var reason: String?
    /// Who, for the record.
    public var actor: String

    /// A request.
    public init(_ name: String?, by actor: String) {
        self.name = name
        self.actor = actor
    }

    func parsed() throws(ConsoleFailure) -> DNSFlush {
        guard let name else {
            guard self.isEverythingMeant, !self.includesSubdomains else {
                throw ConsoleFailure(.usage, "say which NAME to look up anew, or --everything")
            }
            return .everything
        }
        guard !self.isEverythingMeant else { throw ConsoleFailure(.usage, "--everything goes with no NAME") }
        guard let domain = try? DomainName(unicode: name) else {
            throw ConsoleFailure(.usage, "\(name) is no domain name")
        }
        return self.includesSubdomains ? .zone(domain) : .name(domain)
    }
}

extension QueueConsole {
    /// Has all nodes look something up anew, and writes what that is. They learn of it within a second.
    public func flush(_ request: DNSFlushRequest) async throws(ConsoleFailure) {
        let flush = try request.parsed()
        if request.isEverythingMeant, !request.isConfirmed {
            guard let ask = self.terminal.confirm else {
                throw ConsoleFailure(.usage, "--everything needs --yes where there is no terminal to ask on")
            }
            guard ask("look everything up anew? [y/N] ") else { throw ConsoleFailure(.failed, "nothing was done") }
        }
        try await self.queue.flush(flush, by: request.actor, because: request.reason)
        let (scope, name) = flush.told
        let document = OutputValue.document([
            .init("action", .text("dns-flush")), .init("scope", .text(scope)), .init("name", .optional(name)),
        ])
        try self.write(document) { ["nodes look up anew: \(flush.words)"] }
    }
}

extension DNSFlush {
    fileprivate var told: (scope: String, name: String?) {
        switch self {
        case .name(let name): ("name", name.text)
        case .zone(let name): ("subdomains", name.text)
        case .route(let name): ("route", name.text)
        case .everything: ("everything", nil)
        }
    }

    fileprivate var words: String {
        switch self {
        case .name(let name): "\(name), and service names such as _25._tcp.\(name)"
        case .zone(let name): "\(name) and all names below it"
        case .route(let name): "all that leads to the hosts of \(name)"
        case .everything: "everything"
        }
    }
}
