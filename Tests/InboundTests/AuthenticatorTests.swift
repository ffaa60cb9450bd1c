import Admission
import Cryptography
import LabSupport
import Logging
import MailModel
import NodeState
import SMTPProtocol
import ServiceSupport
import ShardLeases
import Synchronization
import Testing

@testable import Inbound

/// What credentials are worth, and when nobody looks at them.
@Suite("Authenticator", .timeLimit(.minutes(3)))
struct AuthenticatorTests {
    private static let client = IPAddress.v4(0xC000_0201)
    private let clock = ManualClock()

    /// Runs `body` with an authenticator that knows alice with the password `secret`.
    private func with(
        failures: Int = 3, cacheTime: Duration = .zero, threads: Int = 2, waiting: Int = 10, expensive: Bool = false,
        users given: Replaceable<UserCredentials?>? = nil, _ body: (Authenticator) async throws -> Void
    ) async throws {
        let cost = try #require(
            PasswordCost(logRounds: expensive ? 16 : 10, blockSize: 8, parallelism: expensive ? 4 : 1))
        let users = Replaceable<UserCredentials?>(try self.users(["alice": "secret"], cost))
        let authenticator = Authenticator(
            users: { (given ?? users).current },
            limits: .init(
                threads: threads, waiting: waiting, failures: failures, failureWindow: .seconds(600),
                cacheTime: cacheTime),
            metrics: testMetrics(), time: self.clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { group in
            group.addTask { try await authenticator.run() }
            try await body(authenticator)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func users(_ passwords: [String: String], _ cost: PasswordCost) throws -> UserCredentials {
        UserCredentials(try passwords.mapValues { try PasswordHash(of: Array($0.utf8), cost: cost) })
    }

    private func credentials(_ user: String, _ password: String, for other: String = "") -> SASLCredentials {
        SASLCredentials(authorizationID: other, authenticationID: user, password: Array(password.utf8))
    }

    @Test("The right password of a known user is accepted, any other refused")
    func judged() async throws {
        try await self.with(failures: 100) { authenticator in
            func judge(_ credentials: SASLCredentials) async -> SASLDecision {
                await authenticator.judge(credentials, from: Self.client)
            }
            #expect(await judge(self.credentials("alice", "secret")) == .accepted(identity: "alice"))
            #expect(await judge(self.credentials("alice", "secret", for: "alice")) == .accepted(identity: "alice"))
            for wrong in [
                self.credentials("alice", "Secret"), self.credentials("alice", ""), self.credentials("Alice", "secret"),
                self.credentials("bob", "secret"), self.credentials("alice", "secret", for: "bob"),
            ] {
                #expect(await judge(wrong) == .refused, "\(wrong)")
            }
        }
    }

    @Test("Who failed too often is put off, even with the right password, until the window is over")
    func failures() async throws {
        try await self.with { authenticator in
            for _ in 0..<3 {
                #expect(await authenticator.judge(self.credentials("alice", "x"), from: Self.client) == .refused)
            }
            let right = self.credentials("alice", "secret")
            #expect(await authenticator.judge(right, from: Self.client) == .unavailable)
            // Others are not concerned.
            #expect(await authenticator.judge(right, from: .loopback) == .accepted(identity: "alice"))
            self.clock.advance(by: .seconds(601))
            #expect(await authenticator.judge(right, from: Self.client) == .accepted(identity: "alice"))
        }
    }

    @Test("A password that was right is remembered for a while, and only with its name")
    func remembered() async throws {
        try await self.with(failures: 100, cacheTime: .seconds(60), expensive: true) { authenticator in
            let right = self.credentials("alice", "secret")
            #expect(await authenticator.judge(right, from: Self.client) == .accepted(identity: "alice"))
            let started = ContinuousClock.now
            for _ in 0..<1000 { _ = await authenticator.judge(right, from: Self.client) }
            let took = ContinuousClock.now - started
            #expect(took < .seconds(20), "1000 computations would take minutes")
            #expect(await authenticator.judge(self.credentials("bob", "secret"), from: Self.client) == .refused)
            #expect(await authenticator.judge(self.credentials("alice", "secre"), from: Self.client) == .refused)
        }
    }

    @Test("Users that are replaced count at once: nobody is remembered who is gone or has another password")
    func replaced() async throws {
        let cost = try #require(PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1))
        let users = Replaceable<UserCredentials?>(try self.users(["alice": "secret", "bob": "secret"], cost))
        try await self.with(failures: 100, cacheTime: .seconds(60), users: users) { authenticator in
            func judge(_ user: String, _ password: String = "secret") async -> SASLDecision {
                await authenticator.judge(self.credentials(user, password), from: Self.client)
            }
            for user in ["alice", "bob"] { #expect(await judge(user) == .accepted(identity: user)) }
            users.replace(with: try self.users(["alice": "changed", "carol": "secret"], cost))
            #expect(await judge("alice") == .refused)
            #expect(await judge("alice", "changed") == .accepted(identity: "alice"))
            #expect(await judge("bob") == .refused)
            #expect(await judge("carol") == .accepted(identity: "carol"))
            // When all have gone, that says nothing of a password.
            users.replace(with: nil)
            #expect(await judge("carol") == .unavailable)
            users.replace(with: try self.users(["carol": "other"], cost))
            #expect(await judge("carol") == .refused)
        }
    }

    @Test("More at once than may wait are put off at once")
    func overload() async throws {
        try await self.with(failures: 1000, threads: 1, waiting: 2, expensive: true) { authenticator in
            let decisions = await withTaskGroup { group in
                for number in 0..<20 {
                    group.addTask {
                        await authenticator.judge(
                            SASLCredentials(authenticationID: "alice", password: [UInt8(number)]), from: Self.client)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(decisions.contains(.refused))
            #expect(decisions.contains(.unavailable))
        }
    }

    @Test("After the end nobody is accepted and nobody waits")
    func ended() async throws {
        try await self.with { _ in () }
        let workers = PasswordWorkers(threads: 1, waiting: 1)
        await workers.shutDown()
        let cost = try #require(PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1))
        let hash = try PasswordHash(of: [1], cost: cost)
        #expect(await workers.matches([1], hash) { true } == nil)
    }
}
