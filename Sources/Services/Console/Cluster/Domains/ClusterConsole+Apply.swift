import ControlAPI
import GRPCCore
import SwiftProtobuf

extension ClusterConsole {
    /// The most domains of one change.
    private static let domainsPerChange = 1000
    /// The bytes of one part of a list.
    private static let bytesPerPart = 512 << 10

    /// Adds a domain that is not there yet.
    package func addDomain(
        _ name: String, settings: [(key: String, value: String)], _ change: ClusterChange
    ) async throws(ConsoleFailure) {
        let desired = try DomainsFile(domain: name, settings: settings).domains
        if let domain = desired.first?.domain, let found = try await self.domain(domain.name) {
            throw .conflict("domain \(domain.name)", made: 0, current: found.version)
        }
        try await self.apply(desired, change)
    }

    /// Has domains be as a file says; others stay as they are.
    package func applyDomains(file path: String, _ change: ClusterChange) async throws(ConsoleFailure) {
        try await self.apply(try DomainsFile(path: path).domains, change)
    }

    private func apply(_ desired: [DesiredDomain], _ change: ClusterChange) async throws(ConsoleFailure) {
        var plans = try await self.plans(desired)
        var changed = Set(plans.filter { !$0.differences.isEmpty }.map(\.name))
        let told = plans
        // What a domain had counts on until its list is there.
        var state = try await self.send(plans.indices.filter { plans[$0].current == nil }, &plans, change)
        for index in plans.indices where plans[index].desired.recipients != nil {
            guard let before = plans[index].current else { continue }
            let answer = try await self.replaceRecipients(of: plans[index], change)
            state = max(state, answer.stateVersion)
            if answer.domain.version != before.version { changed.insert(plans[index].name) }
            if !change.isDryRun { plans[index].current = answer.domain }
        }
        let rest = plans.indices.filter { told[$0].current != nil && plans[$0].isChanged }
        state = max(state, try await self.send(rest, &plans, change))
        try self.tell(told, changed, state, change)
        if !changed.isEmpty { try await self.wait(for: state, change) }
    }

    /// What must be done for each, with what the controller has now.
    private func plans(_ desired: [DesiredDomain]) async throws(ConsoleFailure) -> [DomainPlan] {
        var current: [String: ControlVersionedDomain] = [:]
        // To ask for each of a few is less than to list all.
        if desired.count <= 10 {
            for wanted in desired { current[wanted.domain.name] = try await self.domain(wanted.domain.name) }
        } else {
            for domain in try await self.allDomains() { current[domain.domain.name] = domain }
        }
        return desired.map { DomainPlan(desired: $0, current: current[$0.domain.name]) }
    }

    /// Sends some of the plans, which then have what the controller has; the state that has them.
    private func send(
        _ indices: [Int], _ plans: inout [DomainPlan], _ change: ClusterChange
    ) async throws(ConsoleFailure) -> UInt64 {
        var state: UInt64 = 0
        for start in stride(from: 0, to: indices.count, by: Self.domainsPerChange) {
            let chosen = indices[start..<min(start + Self.domainsPerChange, indices.count)]
            let answer = try await self.send(chosen.map { plans[$0] }, change)
            state = answer.stateVersion
            let sent = Dictionary(answer.domains.map { ($0.domain.name, $0) }, uniquingKeysWith: { $1 })
            for index in chosen where !change.isDryRun { plans[index].current = sent[plans[index].name] }
        }
        return state
    }

    private func send(
        _ plans: [DomainPlan], _ change: ClusterChange
    ) async throws(ConsoleFailure) -> ControlApplyDomainsResponse {
        try await self.change(
            plans.map { ("domain \($0.name)", $0.base) },
            current: { index throws(ConsoleFailure) in try await self.version(of: plans[index].name) }
        ) { options in
            try await self.domains.applyDomains(
                .with {
                    $0.changes = plans.map { plan in
                        .with {
                            $0.domain = plan.domain
                            $0.baseVersion = plan.base
                        }
                    }
                    $0.context = change.context
                }, options: options)
        }
    }

    /// Sends the list of a domain in parts.
    private func replaceRecipients(
        of plan: DomainPlan, _ change: ClusterChange
    ) async throws(ConsoleFailure) -> ControlReplaceRecipientsResponse {
        let (name, base) = (plan.name, plan.base)
        let parts = Self.parts(plan.desired.recipients ?? [])
        return try await self.change(
            [("domain \(name)", base)], current: { _ throws(ConsoleFailure) in try await self.version(of: name) }
        ) { options in
            try await self.domains.replaceRecipients(options: options) { writer in
                for (index, part) in parts.enumerated() {
                    try await writer.write(
                        .with {
                            if index == 0 {
                                $0.domain = name
                                $0.baseVersion = base
                                $0.context = change.context
                            }
                            $0.localParts = part
                        })
                }
            }
        }
    }

    /// A list in parts that a message can have; at least one, because it is the first that names the domain.
    static func parts(_ recipients: [String]) -> [[String]] {
        var parts: [[String]] = [[]]
        var bytes = 0
        for recipient in recipients {
            // A length stands before each.
            let size = recipient.utf8.count + 3
            if bytes + size > Self.bytesPerPart, !parts[parts.count - 1].isEmpty {
                parts.append([])
                bytes = 0
            }
            parts[parts.count - 1].append(recipient)
            bytes += size
        }
        return parts
    }

    private func tell(
        _ plans: [DomainPlan], _ changed: Set<String>, _ state: UInt64, _ change: ClusterChange
    ) throws(ConsoleFailure) {
        let more = change.fields("apply") + [.init("state_version", .number(Int(clamping: state)))]
        try self.terminal.write(list: "domains", plans.map(\.fields), more: more, as: self.format) {
            let lists = plans.filter { $0.differences.isEmpty && changed.contains($0.name) }
                .map { "~ \($0.name): other recipients" }
            let added = plans.count { $0.current == nil }
            let kept = plans.count { !changed.contains($0.name) }
            let words = "added \(added), changed \(plans.count - added - kept), kept \(kept)"
            return plans.flatMap(\.lines) + lists + [change.told(words)]
        }
    }
}
