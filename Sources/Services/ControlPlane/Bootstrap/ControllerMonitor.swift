import ControlStore
import Logging
import MailModel
import ServiceSupport
import Telemetry

/// Says by `/readyz` whether a replica can do its work.
struct ControllerMonitor: Sendable {
    private static let interval = Duration.seconds(1)

    let plane: ControlPlane
    let store: ControlStore
    let keys: KeyRing
    let health: HealthChecks<ControllerCheck>
    let clock: any NodeClock
    let logger: Logger

    /// Looks until the task is cancelled.
    func run() async {
        // Answers once the replica listens.
        let addresses = await self.plane.listeningAddresses
        if !addresses.isEmpty {
            self.health.set(.cluster, .passing)
            self.logger.notice(
                "listening", metadata: ["addresses": "\(addresses.map { "\($0)" }.joined(separator: ", "))"])
        }
        while !Task.isCancelled {
            await self.look()
            try? await self.clock.sleep(for: Self.interval)
        }
    }

    private func look() async {
        let isInTouch = self.plane.isInTouch
        self.health.set(.database, isInTouch ? .passing : .failing("has not answered for some time"))
        self.health.set(.certificate, Self.status(ofAuthorityUntil: self.plane.authority.notAfter, at: self.clock.date))
        if isInTouch { try? await self.lookAtKeys() }
    }

    private func lookAtKeys() async throws(ControlStoreError) {
        guard let cluster = try await self.store.cluster() else { return }
        self.health.set(.keys, Self.status(sealing: self.keys.identifier, named: cluster.keyIdentifier))
    }

    /// An authority that has ended is of no use to anybody; nodes and people then refuse each certificate of it.
    static func status(ofAuthorityUntil notAfter: Timestamp, at now: Timestamp) -> HealthStatus {
        now < notAfter
            ? .passing
            : .failing(
                "the authority ended at \(notAfter), and it is \(now) here: run relay-controller recover --new-authority"
            )
    }

    static func status(sealing key: String, named: String) -> HealthStatus {
        key == named
            ? .passing
            : .degraded(
                """
                this replica seals under key \(key), and the cluster's key is \(named): give all replicas the same \
                keys.encryption-key-file, and run relay-controller rewrap
                """)
    }
}
