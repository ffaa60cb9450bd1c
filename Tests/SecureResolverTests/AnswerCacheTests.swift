import DNSModel
import Foundation
import LabSupport
import Logging
import MailModel
import OperatingSystem
import TestLiterals
import Testing

@testable import SecureResolver

@Suite("The cache in front of libunbound")
struct AnswerCacheTests {
    private let start = Timestamp(seconds: 1_800_000_000)
    private let absent = DNSAnswer.absent(.noData, .secure)

    private func question(_ number: Int) -> DNSQuestion {
        .init("host\(number).test", .a)
    }

    @Test("An answer lives for its lifetime, and not at all when the clock jumps back (hostile-input 26)")
    func lifetime() throws {
        let question = self.question(1)
        var cache = AnswerCache(maximumEntries: 10, maximumBytes: 10_000)
        cache.store(TimedAnswer(answer: self.absent, lifetime: .seconds(5)), to: question, at: self.start)
        #expect(cache.answer(to: question, at: self.start + .seconds(4.9)) == self.absent)
        #expect(cache.answer(to: question, at: self.start + .seconds(5)) == nil)
        cache.store(TimedAnswer(answer: self.absent, lifetime: .seconds(5)), to: question, at: self.start)
        #expect(cache.answer(to: question, at: self.start + .seconds(-86_400)) == nil)
        cache.store(TimedAnswer(answer: self.absent, lifetime: .zero), to: question, at: self.start)
        #expect(cache.count == 0)
        #expect(cache.bytes == 0)
    }

    @Test("Neither the number of entries nor their bytes pass the limits; the oldest go first")
    func limits() throws {
        var cache = AnswerCache(maximumEntries: 10, maximumBytes: 2000)
        for number in 0..<1000 {
            let timed = TimedAnswer(answer: self.absent, lifetime: .seconds(60))
            cache.store(timed, to: self.question(number), at: self.start)
            // Asking and replacing leave nothing behind either.
            cache.store(timed, to: self.question(number), at: self.start)
            #expect(cache.count <= 10)
            #expect(cache.bytes <= 2000)
        }
        #expect(cache.answer(to: self.question(999), at: self.start) == self.absent)
        #expect(cache.answer(to: self.question(900), at: self.start) == nil)
        #expect(cache.evictions > 900)
        let huge = DNSAnswer.failed(.bogus(String(repeating: "x", count: 3000)))
        cache.store(TimedAnswer(answer: huge, lifetime: .seconds(1)), to: self.question(1), at: self.start)
        #expect(cache.answer(to: self.question(1), at: self.start) == nil)
    }
}

@Suite("What a resolver is told")
struct UnboundConfigurationTests {
    @Test("Debian's root anchor is read with the key tags that IANA publishes")
    func rootAnchor() throws {
        let configuration = try UnboundConfiguration(SecureResolverSettings())
        #expect(Set(configuration.anchors.map(\.keyTag)).isSuperset(of: [20326]))
        #expect(configuration.anchors.allSatisfy { $0.owner.isEmpty })
        #expect(configuration.description.contains("20326"))
    }

    @Test("Each option is chosen once, since libunbound heeds the last of two (field D1, D3)")
    func chosenOnce() throws {
        let text = try UnboundConfiguration(SecureResolverSettings()).text(at: .systemNow)
        let names = text.split(separator: "\n").compactMap { $0.split(separator: ":").first }
            .filter { !$0.hasPrefix("trust-anchor") }
        let repeated = Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys
        #expect(repeated.isEmpty, "\(repeated)")
        #expect(text.contains("aggressive-nsec: no\n"))
    }

    @Test("Without a trust anchor nothing starts, for all would be insecure")
    func noAnchor() {
        var settings = SecureResolverSettings()
        settings.trustAnchors = []
        #expect(throws: SecureResolverError.self) { try UnboundConfiguration(settings) }
        settings.trustAnchors = [.file("/nonexistent/root.key")]
        #expect(throws: SecureResolverError.self) { try UnboundConfiguration(settings) }
        settings.trustAnchors = [.record("not an anchor")]
        #expect(throws: SecureResolverError.self) { try UnboundConfiguration(settings) }
    }

    @Test("An option that libunbound does not know fails the start")
    func unknownOption() async throws {
        var settings = SecureResolverSettings()
        settings.executable = try BuiltProgram.named("relayd").path
        settings.options = [.init("no-such-option", "yes")]
        let configured = settings
        await #expect(throws: SecureResolverError.self) {
            try await SecureResolver(settings: configured, logger: .init(label: "test"), now: { .systemNow })
        }
    }
}
