import DNSModel
import LabDNS
import MailModel
import SecureResolver
import TestLiterals
import Testing

@Suite("Answers that are made to keep a resolver busy", WithLabInternet(), .timeLimit(.minutes(5)))
struct HostileAnswersTests {
    /// What a look-up may take here, so that those which nobody answers end soon.
    private static let deadline = Duration.seconds(12)

    @Test(
        "What a stranger's zone may cost is bounded: questions, processor time and memory; and others are answered (field 0)",
        arguments: HostileShape.all)
    func cost(_ shape: HostileShape) async throws {
        try await HostileZone.with({ $0.queryDeadline = Self.deadline }, script: shape.script) { zone in
            let resolver = zone.resolver
            let address = DNSAnswer.found([.address(IPAddress("192.0.2.1")!)], .secure)
            #expect(await resolver.answer(to: .init("mx.alpha.test", .a)) == address)
            let before = resolver.use
            async let hostile = resolver.answer(to: shape.question)
            #expect(await resolver.answer(to: .init("beside.alpha.test", .a)) == .absent(.nameError, .secure))
            let answer = await hostile
            let after = resolver.use
            #expect(await resolver.answer(to: .init("behind.alpha.test", .a)) == .absent(.nameError, .secure))

            let asked = zone.server.questions()
            let processorTime = after.processorTime - before.processorTime
            let memory = after.memory - before.memory
            print("\(shape.testDescription): \(asked) questions, \(processorTime), \(memory >> 10) KiB, \(answer)")
            #expect(shape.ends(answer), "\(answer)")
            #expect(asked <= shape.questions)
            #expect(processorTime <= shape.processorTime)
            #expect(memory <= shape.memory)
            #expect(resolver.statistics.processes.deaths == [:])
        }
    }
}
