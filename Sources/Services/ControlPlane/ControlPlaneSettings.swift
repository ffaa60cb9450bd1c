package import ClusterModel
package import GRPCTransport
package import QueueStore

/// What a replica of the controller is told. Limits that are not here are the services' own.
package struct ControlPlaneSettings: Sendable {
    /// Where it listens.
    package var addresses: [TransportAddress]
    /// Its name among replicas: a host name in lower case.
    package var replica: String
    package var programVersion: String
    package var terms = CertificateTerms()
    /// Connections that may be open at a time.
    package var maximumConnections = 1_000
    /// Streams that may begin in a second: each costs the making of a difference of states (control 8).
    package var snapshotsPerSecond = 25
    /// The age at which a connection ends, so that replicas share the nodes.
    package var connectionAge = Duration.seconds(1_800)
    /// The queue that operators see and change through the controller; without one QueueService refuses every call.
    package var queue: QueueConnection?
    /// Whether reflection is offered.
    package var offersReflection = false
    /// Strangers that ask for certificates.
    package var enrolments = RequestLimit(perSecond: 20, burst: 20, atOnce: 5)

    package init(addresses: [TransportAddress], replica: String, programVersion: String) {
        self.addresses = addresses
        self.replica = replica
        self.programVersion = programVersion
    }
}
