import ArgumentParser
import DNSModel
import Foundation
import LabDNS
import LabSupport
import Logging
import MailModel
import OperatingSystem
import SecureResolver

struct LookUps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dns", abstract: "Measure look-ups: of names asked for the first time, and of names in the cache.",
        discussion: """
            Asks a signed zone of its own for addresses that nobody asked for before, then for the same again. The name
            server is a process of its own, whose time is not counted.
            """)

    @Option(name: .long, help: "Names, each asked once cold and ten times cached.")
    var names = 5000

    @Option(name: .long, help: "Questions at once.")
    var atOnce = 64

    @Option(name: .long, help: "Rounds, each with names of its own.")
    var rounds = 3

    func validate() throws {
        guard self.names > 0, self.atOnce > 0, self.rounds > 0 else {
            throw ValidationError("Numbers must be above 0.")
        }
    }

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "relay-bench-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let names = (0..<(self.names * self.rounds)).map { "host\($0).alpha.test" }
        let internet = try await SignedInternet.start(
            in: folder, zones: [LabZone("alpha.test", names.map { .a($0, "192.0.2.1") })])
        for round in 0..<self.rounds {
            let questions = names.dropFirst(round * self.names).prefix(self.names).compactMap { DomainName($0) }
                .map { DNSQuestion($0, .a) }
            let resolver = try await Self.resolver(internet)
            print("cold    " + (try await self.measure(questions, resolver)))
            let again = (0..<10).flatMap { _ in questions }
            print("cached  " + (try await self.measure(again, resolver)))
            await resolver.shutdown()
        }
        await internet.stopServer()
    }

    private static func resolver(_ internet: SignedInternet) async throws -> SecureResolver {
        var settings = SecureResolverSettings()
        settings.forwarders = [.init(.loopback, port: internet.port)]
        settings.trustAnchors = [.file(internet.trustAnchorFile.path)]
        settings.options = internet.resolverOptions.map { .init($0.name, $0.value) }
        settings.executable = try BuiltProgram.named("relayd").path
        return try await SecureResolver(
            settings: settings, logger: .quiet,
            now: { .systemNow })
    }

    private func measure(_ questions: [DNSQuestion], _ resolver: SecureResolver) async throws -> String {
        let before = try Self.processorTime(resolver)
        let start = ContinuousClock.now
        let slices = (0..<self.atOnce).map { first in
            stride(from: first, to: questions.count, by: self.atOnce).map { questions[$0] }
        }
        let timings = try await withThrowingTaskGroup { group in
            for slice in slices {
                group.addTask {
                    var timings: [Duration] = []
                    for question in slice {
                        let begun = ContinuousClock.now
                        guard case .found(_, .secure, _) = await resolver.answer(to: question) else {
                            throw LabFailure("\(question.name) was not found")
                        }
                        timings.append(begun.duration(to: .now))
                    }
                    return timings
                }
            }
            return try await group.reduce(into: Timings()) { all, some in some.forEach { all.add($0) } }
        }
        let time = ContinuousClock.now - start
        let used = try Self.processorTime(resolver) - before
        let rate = Int(Double(questions.count) / time.seconds)
        let cost = (used.seconds / Double(questions.count) * 1_000_000).rounded(to: 1)
        return "\(rate) questions/s, p50 / p99 / most \(timings.text) ms, \(cost) µs of processor time a question"
    }

    /// What this process and the resolver's have used.
    private static func processorTime(_ resolver: SecureResolver) throws -> Duration {
        var used = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        let own = Duration.seconds(Int64(used.tv_sec)) + .nanoseconds(Int64(used.tv_nsec))
        return try resolver.children.reduce(own) { $0 + (try ProcessTree.processorTime(of: $1)) }
    }
}
