import ControlAPI
import MailModel

/// The credential of this person.
struct CredentialFacts: Hashable, Sendable {
    /// Who it names, such as `relay://lab/admin/alice`.
    let identity: String
    let notBefore, notAfter: Timestamp
}

/// What a check of a cluster is made of. It decides alone: whoever has asked the controller brings the answers.
struct ClusterFacts {
    var now: Timestamp
    /// The version of this program.
    var program: String
    var status: ControlGetStatusResponse
    var authority: ControlGetAuthorityResponse
    var nodes: [ControlNode]
    var certificates: [ControlCertificateSummary]
    /// The names of domains.
    var domains: [String]

    /// A clock that is further off is told (control 15).
    static let clockTolerance = Duration.seconds(2)
    /// The part of an authority's life from which on its end is told (control 14).
    static let authorityShare = 0.3
    /// The same of a person's credential, which renews itself at half life.
    static let credentialShare = 0.2
}

extension CredentialFacts {
    func findings(at now: Timestamp) -> [CheckFinding] {
        let id = "credential-valid"
        if now < self.notBefore {
            return [
                .error(
                    id, "the credential is not valid before \(self.notBefore), and the clock here says \(now)",
                    "set the clock of this machine")
            ]
        }
        let left = self.notAfter - now
        guard left > .zero else {
            return [
                .error(
                    id, "the credential of \(self.identity) expired at \(self.notAfter)",
                    "log in anew with a token of an admin (`relayctl node token --role`), or run `relay-controller recover`"
                )
            ]
        }
        let title = "the credential of \(self.identity) is valid for \(left.shortText)"
        guard left.share(of: self.notAfter - self.notBefore) >= ClusterFacts.credentialShare else {
            return [
                .warning(
                    id, title,
                    "it renews itself from half its life on, if the controller answers and its file can be written")
            ]
        }
        return [.ok(id, title)]
    }
}

extension ClusterFacts {
    var report: CheckReport {
        var report = CheckReport()
        report.add("controller", self.controllerFindings)
        report.add("authority", self.authorityFindings)
        report.add("nodes", self.nodeFindings)
        report.add("certificates", self.certificateFindings)
        report.add("domains", self.domainFindings)
        return report
    }

    // MARK: - The controller

    private var controllerFindings: [CheckFinding] {
        let offset = self.now - Timestamp(self.status.clock)
        let clock: CheckFinding =
            offset.isWithin(Self.clockTolerance)
            ? .ok("clock", "the clock here is \(offset.offsetText) off the controller's")
            : .warning(
                "clock", "the clock here is \(offset.offsetText) off the controller's",
                "set both by NTP: certificates are judged by them")
        let leader: CheckFinding =
            self.status.leader.isEmpty
            ? .warning(
                "leader", "no replica leads",
                "rotations and cleaning wait; look at the replicas' logs and their database")
            : .ok("leader", "replica \(self.status.leader) leads")
        return [
            .ok("reachable", "replica \(self.status.replica) of cluster \(self.status.cluster) answers"), clock, leader,
            self.versionFinding,
        ]
    }

    private var versionFinding: CheckFinding {
        let told =
            [("relayctl", self.program), ("the controller", self.status.programVersion)]
            + self.nodes.filter(\.isConnected).map { ($0.name, $0.programVersion) }
        let known = told.filter { !$0.1.isEmpty }
        let versions = Set(known.map(\.1))
        guard versions.count > 1 else { return .ok("versions", "all run version \(versions.first ?? "unknown")") }
        let words = versions.sorted().map { version in
            "\(version): \(ClusterConsole.list(known.filter { $0.1 == version }.map(\.0)))"
        }
        return .warning(
            "versions", "versions differ: \(words.joined(separator: "; "))",
            "that is usual during an upgrade; finish it, nodes last")
    }

    // MARK: - Its authority

    private var authorityFindings: [CheckFinding] {
        guard let issuing = self.authority.authorities.first(where: \.isIssuing) else {
            return [.error("authority", "no authority issues", "run `relayctl ca status`")]
        }
        return [self.life(of: issuing)] + self.rotationFindings
    }

    private func life(of authority: ControlAuthority) -> CheckFinding {
        let (begin, end) = (Timestamp(authority.notBefore), Timestamp(authority.notAfter))
        let left = end - self.now
        let rotate = "run `relayctl ca rotate --wait`"
        guard left > .zero else { return .error("authority-life", "the authority expired at \(end)", rotate) }
        let title = "the authority is valid for \(left.shortText)"
        return left.share(of: end - begin) < Self.authorityShare
            ? .warning("authority-life", title, rotate) : .ok("authority-life", title)
    }

    private var rotationFindings: [CheckFinding] {
        guard self.authority.phase != .settled else { return [.ok("rotation", "no rotation is under way")] }
        let waiting = self.authority.waitingFor
        let title = "a rotation of the authority is under way (\(self.authority.phase.words))"
        let hint =
            waiting.isEmpty
            ? "its next step can be taken: `relayctl ca rotate`" : "it waits for \(ClusterConsole.list(waiting))"
        return [.warning("rotation", title, hint)]
    }
}
