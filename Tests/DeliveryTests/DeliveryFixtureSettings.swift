import Admission
import DatabaseHealth
import DeliveryQueue
import MailModel
import Routing
import SMTPProtocol
import ShardLeases
import Telemetry
import TestLiterals

@testable import Delivery

/// What tests change of a `DeliveryFixture`; all else is as in a node without settings.
struct DeliveryFixtureSettings {
    let connections = 200
    var connectionsPerSite = 20
    var connectionsPerDestination = 20
    var messagesPerConnection = 100
    var greetingTime = Duration.seconds(300)
    /// The system chooses where there is none.
    var sources: [Egress] = []
    var retries = RetryPolicy(firstWaits: [.seconds(30), .seconds(60), .seconds(300)])

    var sites: SiteLimits { SiteLimits(SiteLimit(connections: self.connectionsPerSite)) }

    var timeouts: DialTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.greeting = self.greetingTime
        return DialTimeouts(connect: .seconds(30), steps: timeouts)
    }

    var delivery: DeliverySettings {
        DeliverySettings(
            node: "relay.test", port: 25, convertsEightBit: false,
            connectionsPerDestination: self.connectionsPerDestination,
            messagesPerConnection: self.messagesPerConnection, retries: self.retries,
            reportsFrom: "mailer-daemon@relay.test", returnedBytes: 50 * 1024)
    }
}

extension DeliveryMetrics {
    /// A registry's worth for one test.
    init(testing registry: MetricsRegistry) {
        let database = DatabaseMetrics(in: registry)
        self.init(
            in: registry, queueOperationDuration: database.queueOperationDuration,
            queueCommitWait: database.queueCommitWait)
    }
}
