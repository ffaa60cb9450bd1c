import Admission
import MailModel
import NIOCore
import NodeState
import OperatingSystem
import QueueStore
import SMTPProtocol
import ServiceSupport
import Synchronization
import TestLiterals
import Testing

@testable import Inbound

/// RCPT where its answer takes time, or depends on capacity.
@Suite("Recipients of a connection", .timeLimit(.minutes(3)))
struct InboundRecipientTests {
    /// Answers questions about recipients when the test says so.
    private final class Oracle: RecipientVerifier {
        private let answers: AsyncStream<SMTPRecipientDecision>
        private let teller: AsyncStream<SMTPRecipientDecision>.Continuation
        let asked = Mutex<[String]>([])

        init() { (self.answers, self.teller) = AsyncStream.makeStream() }

        func tell(_ decision: SMTPRecipientDecision) { self.teller.yield(decision) }

        func decide(_ mailbox: Mailbox, of domain: DomainName) async -> SMTPRecipientDecision {
            self.asked.withLock { $0.append("\(mailbox)") }
            for await answer in self.answers { return answer }
            return .accept
        }
    }

    private let policy = InboundPolicy(
        domains: ["bravo.test": AcceptedDomain(), "asked.test": AcceptedDomain(verification: .callAhead)],
        relayNetworks: CIDRBlock.loopback)

    @Test("While the next hop is asked nothing is answered, no deadline passes, and what is pipelined waits")
    func asking() async throws {
        let oracle = Oracle()
        try await InboundClient.with(configure: { environment in
            environment.state = Replaceable(NodeState(self.policy))
            environment.verifier = oracle
        }) { client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@asked.test>\r\nRCPT TO:<postmaster@asked.test>\r\n")
            #expect(try await client.codes() == ["250"])
            await client.advance(3600)
            #expect(client.isOpen)
            oracle.tell(.accept)
            let replies = try await client.codesWhenStored()
            #expect(replies == ["250", "250"])
            #expect(oracle.asked.withLock { $0 } == ["bob@asked.test"])
        }
    }

    @Test("A recipient that the next hop does not know is an error like any other, and errors have a limit")
    func unknown() async throws {
        let oracle = Oracle()
        var limits = SMTPServerLimits()
        limits.errors = 2
        try await InboundClient.with(
            limits: limits,
            configure: { environment in
                environment.state = Replaceable(NodeState(self.policy))
                environment.verifier = oracle
            }
        ) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<a@alpha.test>\r\n")
            _ = try await client.codes()
            for code in ["550", "421"] {
                try await client.send("RCPT TO:<eve@asked.test>\r\n")
                oracle.tell(.refuse(InboundPolicy.unknownRecipient))
                #expect(try await client.codesWhenStored() == [code])
            }
        }
    }

    @Test("A recipient whose mail would come back is refused for now, and its next hop is not asked")
    func comesBack() async throws {
        let asked = Mutex<[DomainName]>([])
        try await InboundClient.with(
            address: .v4(0x7F00_0001),
            configure: { environment in
                environment.state = Replaceable(NodeState(self.policy))
                environment.routeRefusal = { domain in
                    asked.withLock { $0.append(domain) }
                    return ReturningDomains.comesBack
                }
                environment.verifier = Oracle()
            }
        ) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<a@alpha.test>\r\n")
            _ = try await client.codes()
            for domain in ["asked.test", "bravo.test"] {
                try await client.send("RCPT TO:<bob@\(domain)>\r\n")
                #expect(try await client.codesWhenStored() == ["451"])
            }
            // Where mail of a domain goes that is not accepted, is not asked here.
            try await client.send("RCPT TO:<bob@else.test>\r\n")
            #expect(try await client.codes() == ["250"])
            #expect(asked.withLock { $0 } == ["asked.test", "bravo.test"])
        }
    }

    @Test("A client that goes away while its recipient is asked about harms nothing")
    func goneMeanwhile() async throws {
        let oracle = Oracle()
        try await InboundClient.with(configure: { environment in
            environment.state = Replaceable(NodeState(self.policy))
            environment.verifier = oracle
        }) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@asked.test>\r\n")
            try await client.channel.close()
            oracle.tell(.accept)
        }
    }

    @Test(
        "A list, a domain or a network that is replaced meanwhile holds from the next RCPT on, and takes back none that was answered 250"
    )
    func replacedList() async throws {
        func policy(_ domain: DomainName, _ user: String, _ networks: [CIDRBlock]) -> InboundPolicy {
            InboundPolicy(
                domains: [
                    "listed.test": AcceptedDomain(verification: .list(RecipientList([user]))),
                    domain: AcceptedDomain(),
                ], relayNetworks: networks)
        }
        let replaceable = Replaceable(NodeState(policy("old.test", "bob", CIDRBlock.loopback)))
        try await InboundClient.with(address: .loopback, configure: { $0.state = replaceable }) { client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@listed.test>\r\nRCPT TO:<carol@listed.test>\r\n"
                    + "RCPT TO:<x@old.test>\r\nRCPT TO:<x@far.test>\r\n")
            #expect(try await client.codes() == ["250", "250", "550", "250", "250"])
            replaceable.replace(with: NodeState(policy("new.test", "carol", [])))
            try await client.send(
                "RCPT TO:<carol@listed.test>\r\nRCPT TO:<bob@listed.test>\r\nRCPT TO:<y@new.test>\r\n"
                    + "RCPT TO:<y@old.test>\r\nRCPT TO:<y@far.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "550", "250", "550", "550", "354"])
            try await client.send("x\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try #require(client.store.stored.withLock { $0.first })
            #expect(
                message.entries.flatMap(\.recipients).map(\.address).sorted() == [
                    "bob@listed.test", "carol@listed.test", "x@far.test", "x@old.test", "y@new.test",
                ])
        }
    }

    @Test("Without capacity RCPT is answered 452, after the question whether the client may relay at all")
    func noCapacity() async throws {
        try await InboundClient.with(configure: { environment in
            environment.storageRefusal = { envelope in
                envelope.declaredSize ?? 0 > 100
                    ? SMTPReply(452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "No room") : nil
            }
        }) { client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<a@alpha.test> SIZE=101\r\nRCPT TO:<bob@bravo.test>\r\nRCPT TO:<bob@else.test>\r\nRSET\r\n")
            #expect(try await client.codes() == ["250", "452", "550", "250"])
            try await client.send("MAIL FROM:<a@alpha.test> SIZE=100\r\nRCPT TO:<bob@bravo.test>\r\n")
            #expect(try await client.codes() == ["250", "250"])
        }
    }

    @Test(
        "An operator's rule refuses recipients by their domain and the sender, and not while the queue is unwell (451)")
    func rule() async throws {
        let isWell = Mutex(true)
        try await InboundClient.with(configure: { environment in
            environment.ruleRefusal = { domain, sender in
                guard domain == "bravo.test", sender != .null else { return nil }
                return SMTPReply(550, EnhancedStatusCode(.permanentFailure, 7, 0), "Refused by an operator")
            }
            environment.storageRefusal = { _ in
                isWell.withLock { $0 }
                    ? nil : SMTPReply(451, EnhancedStatusCode(.persistentTransientFailure, 3, 0), "Not available")
            }
        }) { client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\nRSET\r\nMAIL FROM:<>\r\n"
                    + "RCPT TO:<bob@bravo.test>\r\nRSET\r\n")
            #expect(try await client.codes() == ["250", "550", "250", "250", "250", "250"])
            isWell.withLock { $0 = false }
            try await client.send("MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\n")
            #expect(try await client.codes() == ["250", "451"], "the rule may be over by now")
        }
    }

    @Test("A message to many domains that turns out larger than declared is refused at its end")
    func largerThanDeclared() async throws {
        try await InboundClient.with(
            address: .loopback,
            configure: { environment in
                environment.copyBudget = CopyBudget(
                    bytes: 1000, shards: 64, maximumMessageBytes: 1000, inlineBytes: 64 << 10)
            }
        ) { client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<a@alpha.test> SIZE=500\r\nRCPT TO:<x@one.test>\r\nRCPT TO:<x@two.test>\r\n"
                    + "RCPT TO:<x@three.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "250", "250", "452", "354"])
            try await client.send(String(repeating: "x", count: 501) + "\r\n.\r\n")
            #expect(try await client.codes() == ["552"])
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    @Test("What can never be staged is refused at RCPT, or as soon as its size is known (field A5)")
    func neverFits() async throws {
        try await InboundClient.with(
            address: .loopback,
            configure: { environment in
                environment.copyBudget = CopyBudget(
                    bytes: 0, shards: 64, maximumMessageBytes: 50 << 20, inlineBytes: 64 << 10)
                environment.stagingBudget = StagingBudget(limit: 1 << 20, time: .system)
            }
        ) { client in
            try await client.hello()
            // Mail without a sender has a quarter of it, others from a client that may relay the whole.
            try await client.send("MAIL FROM:<> SIZE=262145\r\nRCPT TO:<x@one.test>\r\nRSET\r\n")
            #expect(try await client.codes() == ["250", "552", "250"])
            try await client.send(
                "MAIL FROM:<> SIZE=131072\r\nRCPT TO:<x@one.test>\r\nRCPT TO:<x@two.test>\r\nRCPT TO:<y@one.test>\r\n"
                    + "RCPT TO:<x@three.test>\r\nRSET\r\n")
            #expect(try await client.codes() == ["250", "250", "250", "250", "452", "250"])
            try await client.send("MAIL FROM:<a@alpha.test> SIZE=1048576\r\nRCPT TO:<x@one.test>\r\nRSET\r\n")
            #expect(try await client.codes() == ["250", "250", "250"])
        }
        try await InboundClient.with(configure: { $0.stagingBudget = StagingBudget(limit: 100 << 10, time: .system) }) {
            client in
            try await client.hello()
            try await client.send("MAIL FROM:<a@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "250", "354"])
            try await client.send(String(repeating: String(repeating: "x", count: 78) + "\r\n", count: 1000))
            #expect(try await client.codes() == [], "its client hears it at the end")
            try await client.send(".\r\nNOOP\r\n")
            #expect(try await client.codes() == ["552", "250"])
        }
    }
}
