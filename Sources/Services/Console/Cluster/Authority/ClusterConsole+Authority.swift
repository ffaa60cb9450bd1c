import ControlAPI
import MailModel
import SwiftProtobuf

/// The authorities of a cluster, and the rotation from one to the next.
struct AuthorityDocument {
    let answer: ControlGetAuthorityResponse

    var document: OutputValue {
        let authorities = self.answer.authorities.map { authority -> OutputValue in
            .record([
                .init("sha256", .text(Array(authority.sha256).hex)),
                .init("not_before", .text("\(Timestamp(authority.notBefore))")),
                .init("not_after", .text("\(Timestamp(authority.notAfter))")),
                .init("issuing", .bool(authority.isIssuing)), .init("nodes", .number(Int(authority.nodes))),
            ])
        }
        return .document([
            .init("phase", .text(self.answer.phase.words)), .init("authorities", .list(authorities)),
            .init("waiting_for", .list(self.answer.waitingFor.map { .text($0) })),
        ])
    }

    func lines(now: Timestamp, _ style: TableStyle) -> [String] {
        var table = TextTable("AUTHORITY", "ISSUES", "NODES", "ENDS", style: style)
        let rows = self.answer.authorities.map { authority -> [String] in
            let end = Timestamp(authority.notAfter)
            return [
                String(Array(authority.sha256).hex.prefix(16)), authority.isIssuing ? "yes" : "no",
                "\(authority.nodes)", end > now ? "in \((end - now).shortText)" : "\((now - end).shortText) ago",
            ]
        }
        var lines = ["phase: \(self.answer.phase.words)"] + table.lines(rows)
        if !self.answer.waitingFor.isEmpty {
            lines.append("the next step waits for \(ClusterConsole.list(self.answer.waitingFor))")
        }
        return lines
    }
}

extension ClusterConsole {
    /// How often the barrier is looked at.
    private static let look = Duration.seconds(1)

    /// Shows the authorities of the cluster.
    package func showAuthority() async throws(ConsoleFailure) {
        let document = AuthorityDocument(answer: try await self.authority())
        let now = self.time.date
        try self.write(document.document) { document.lines(now: now, self.terminal.style) }
    }

    /// Takes the next step of a rotation; if it is to wait, then all that follow, as soon as each may be taken.
    package func rotateAuthority(_ change: ClusterChange) async throws(ConsoleFailure) {
        let first = try await self.authority()
        try self.confirm(Self.question(first.phase, isWhole: change.wait != nil), "rotate", change)
        let end = change.wait.map { self.time.now + $0 }
        var phase = try await self.rotate(from: first.phase, change)
        while let end, phase != .settled, !change.isDryRun {
            let waiting = try await self.authority().waitingFor
            if waiting.isEmpty {
                phase = try await self.rotate(from: phase, change)
                continue
            }
            guard self.time.now < end else {
                throw ConsoleFailure(.temporary, "the rotation is \(phase.words), and waits for \(Self.list(waiting))")
            }
            try await self.pause(Self.look)
        }
        let fields =
            change.fields("rotate") + [
                .init("from", .text(first.phase.words)), .init("phase", .text(phase.words)),
            ]
        try self.write(.document(fields)) { [change.told("gone from \(first.phase.words) to \(phase.words)")] }
    }

    private func rotate(
        from phase: ControlRotationPhase, _ change: ClusterChange
    ) async throws(ConsoleFailure) -> ControlRotationPhase {
        let answer = try await self.ask { options in
            try await self.cluster.rotateAuthority(
                .with {
                    $0.from = phase
                    $0.context = change.context
                }, options: options)
        }
        if change.wait != nil { self.terminal.say("\(phase.words) -> \(answer.phase.words)") }
        // Whoever takes the next step must be let in by it.
        if !change.isDryRun { await self.renewal?.renewIfDue(self.client) }
        return answer.phase
    }

    private static func question(_ phase: ControlRotationPhase, isWhole: Bool) -> String {
        if isWhole { return "rotate the authority of the cluster, to the end" }
        return switch phase {
        case .trustingBoth: "issue from the new authority from now on"
        case .issuingNew: "drop the old authority"
        case .settled, .unspecified, .UNRECOGNIZED: "make a new authority, which all are to trust beside the old one"
        }
    }

    func authority() async throws(ConsoleFailure) -> ControlGetAuthorityResponse {
        try await self.ask { options in try await self.cluster.getAuthority(.init(), options: options) }
    }
}
