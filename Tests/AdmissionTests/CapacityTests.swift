import LabSupport
import MailModel
import TestLiterals
import Testing

@testable import Admission

/// When the queue is full: limits on the whole of it, and on the copies of one message.
@Suite("Capacity of the queue")
struct CapacityTests {
    private func expect<Value: Equatable>(
        _ actual: Value, _ wanted: Value, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(actual == wanted, sourceLocation: sourceLocation)
    }

    // MARK: The whole queue

    @Test("Mail without a sender may fill half of the queue (field A3)")
    func withoutSender() {
        var state = StorageState(StorageLimits(messages: 100, bytes: 1000))
        for (messages, bytes, hasCapacity) in [(49, 499, true), (50, 0, false), (0, 500, false), (99, 999, false)] {
            _ = state.observed(StorageUsage(messages: messages, bytes: bytes))
            #expect(state.hasCapacity(for: nil, hasSender: false) == hasCapacity)
            #expect(state.hasCapacity(for: nil))
        }
        #expect(StorageState(StorageLimits()).hasCapacity(for: nil, hasSender: false))
    }

    @Test("It closes at a limit, and opens under nine tenths of it")
    func hysteresis() {
        var state = StorageState(StorageLimits(messages: 100))
        self.expect(state.observed(StorageUsage(messages: 99)), .none)
        #expect(state.hasCapacity(for: nil))
        self.expect(state.observed(StorageUsage(messages: 100)), .closed(.messages))
        #expect(!state.hasCapacity(for: 1))
        self.expect(state.observed(StorageUsage(messages: 90)), .none)
        #expect(!state.hasCapacity(for: nil))
        self.expect(state.observed(StorageUsage(messages: 89)), .opened)
        #expect(state.hasCapacity(for: nil))
    }

    @Test("Each limit counts, and 0 is none")
    func limits() {
        let full = StorageUsage(messages: 1 << 40, bytes: 1 << 50, databaseBytes: 1 << 50)
        var unlimited = StorageState(StorageLimits())
        self.expect(unlimited.observed(full), .none)
        for (limits, reached) in [
            (StorageLimits(messages: 1), StorageState.Limit.messages), (StorageLimits(bytes: 1), .bytes),
            (StorageLimits(databaseBytes: 1), .databaseBytes),
        ] {
            var state = StorageState(limits)
            self.expect(state.observed(full), .closed(reached))
        }
    }

    @Test("It stays closed until all limits allow more, whichever closed it")
    func severalLimits() {
        var state = StorageState(StorageLimits(messages: 100, bytes: 1000))
        self.expect(state.observed(StorageUsage(messages: 100, bytes: 950)), .closed(.messages))
        self.expect(state.observed(StorageUsage(messages: 10, bytes: 950)), .none)
        self.expect(state.observed(StorageUsage(messages: 10, bytes: 899)), .opened)
    }

    @Test("A message that says its size is refused when it alone would not fit (RFC 1870 §6.1)")
    func declaredSize() {
        var state = StorageState(StorageLimits(bytes: 1000))
        _ = state.observed(StorageUsage(bytes: 600))
        #expect(state.hasCapacity(for: 400))
        #expect(!state.hasCapacity(for: 401))
        #expect(state.hasCapacity(for: nil))
        #expect(!state.hasCapacity(for: .max))
    }

    // MARK: Bodies on their way in

    private func owner(_ number: UInt32, isRestricted: Bool = true) -> StagingState.Owner {
        StagingState.Owner(client: .v4(number), isRestricted: isRestricted)
    }

    @Test("Strangers stage half of the budget at most; the rest is for those who may relay (field A5)")
    func stagingHalf() {
        let now = MonotonicInstant(nanoseconds: 1)
        var state = StagingState(limit: 1000)
        for number in 1...50 { self.expect(state.take(10, for: self.owner(UInt32(number)), at: now), true) }
        self.expect(state.take(1, for: self.owner(51), at: now), false)
        self.expect(state.take(500, for: self.owner(52, isRestricted: false), at: now), true)
        self.expect(state.take(1, for: self.owner(53, isRestricted: false), at: now), false)
        self.expect([state.held, state.heldByStrangers], [1000, 500])
        state.published(10, of: self.owner(1))
        self.expect(state.take(10, for: self.owner(54), at: now), true)
    }

    @Test("One stranger stages no more than it leaves free for others (field A5)")
    func stagingShare() {
        let now = MonotonicInstant(nanoseconds: 1)
        var state = StagingState(limit: 1000)
        var taken = 0
        while state.take(10, for: self.owner(1), at: now) { taken += 10 }
        self.expect(taken, 250)
        self.expect(state.take(100, for: self.owner(2), at: now), true)
    }

    @Test("What is removed counts until a vacuum has passed (field A5)")
    func stagingRemoved() {
        let now = MonotonicInstant(nanoseconds: 1)
        let owner = self.owner(1, isRestricted: false)
        var state = StagingState(limit: 100)
        self.expect(state.take(100, for: owner, at: now), true)
        state.removed(100, of: owner, at: now)
        self.expect(state.take(1, for: owner, at: now + .seconds(119)), false)
        self.expect(state.take(100, for: owner, at: now + .seconds(120)), true)
    }

    @Test("Whatever comes and goes, the sums are those of what is there (field A5)")
    func stagingSums() {
        var (state, now) = (StagingState(limit: 1 << 20), MonotonicInstant(nanoseconds: 1))
        var random = SplitMix(seed: 7)
        var held: [(owner: StagingState.Owner, bytes: Int)] = []
        for _ in 0..<5000 {
            now = now + .seconds(Int.random(in: 0...5, using: &random))
            let owner = self.owner(.random(in: 1...9, using: &random), isRestricted: .random(using: &random))
            let bytes = Int.random(in: 1...99_999, using: &random)
            if state.take(bytes, for: owner, at: now) { held.append((owner, bytes)) }
            #expect(state.held <= 1 << 20 && state.heldByStrangers <= 1 << 19)
            guard Bool.random(using: &random), let last = held.popLast() else { continue }
            if Bool.random(using: &random) {
                state.published(last.bytes, of: last.owner)
            } else {
                state.removed(last.bytes, of: last.owner, at: now)
            }
        }
        for (owner, bytes) in held { state.published(bytes, of: owner) }
        _ = state.take(0, for: self.owner(1), at: now + StagingState.vacuumTime)
        self.expect(state, StagingState(limit: 1 << 20))
    }

    // MARK: Copies of one message

    private func envelope(size: Int?, _ recipients: [Mailbox]) -> Envelope {
        var envelope = Envelope(reversePath: .null, hello: Envelope.Hello(name: "client.test", isExtended: true))
        envelope.declaredSize = size
        envelope.recipients = recipients.map { EnvelopeRecipient(.mailbox($0)) }
        return envelope
    }

    /// The places of the recipients that are refused, when each is in a domain of its own.
    private func refused(_ budget: CopyBudget, size: Int?, domains: Int) -> [Int] {
        var counter = CopyCounter()
        var accepted: [Mailbox] = []
        return (0..<domains).filter { number in
            guard let mailbox = Mailbox("a@d\(number).test"), let domain = mailbox.domainName else { return false }
            let isOver = counter.isOver(budget, adding: domain, to: self.envelope(size: size, accepted))
            if !isOver { accepted.append(mailbox) }
            return isOver
        }
    }

    @Test("What can never be staged is refused for good, and what could be in parts is sent in parts (field A5)")
    func stagedCopies() {
        var budget = CopyBudget(bytes: 0, shards: 64, maximumMessageBytes: 50 << 20, inlineBytes: 64 << 10)
        budget.stagedBytes = 256 << 20
        #expect(self.refused(budget, size: 50 << 20, domains: 8) == [5, 6, 7])
        #expect(self.refused(budget, size: nil, domains: 6) == [5])
        #expect(
            self.refused(budget, size: 64 << 10, domains: 100) == [], "a message that fits into its row is not staged")
        #expect(budget.canHold(nil) && budget.canHold(256 << 20) && !budget.canHold(256 << 20 + 1))
        #expect(budget.messageBytes(forDomains: 5) == (256 << 20) / 5)
        budget.stagedBytes = 1000
        #expect(budget.canHold(64 << 10) && !budget.canHold(64 << 10 + 1))
        #expect(budget.messageBytes(forDomains: 10) == 64 << 10)
    }

    @Test(
        "Whatever RCPT takes fits into a node that has nothing else under way (field A5)", arguments: [true, false])
    func whatIsTakenFits(isRestricted: Bool) {
        var random = SplitMix(seed: 11)
        for _ in 0..<500 {
            let limit = Int.random(in: 1...64 << 20, using: &random)
            var budget = CopyBudget(bytes: 0, shards: 64, maximumMessageBytes: 50 << 20, inlineBytes: 64 << 10)
            budget.stagedBytes = StagingState.most(of: limit, isRestricted: isRestricted)
            let size = Int.random(in: 64 << 10...4 << 20, using: &random)
            let copies = min(budget.copies(of: size), Int.random(in: 1...64, using: &random))
            guard budget.canHold(size) else { continue }
            #expect(size <= budget.messageBytes(forDomains: copies))
            var (state, left) = (StagingState(limit: limit), size)
            while left > 0 {
                let chunk = min(left, 64 << 10)
                let isTaken = state.take(
                    chunk * copies, for: self.owner(1, isRestricted: isRestricted), at: MonotonicInstant(nanoseconds: 1)
                )
                #expect(isTaken, "\(left) of \(size) bytes are left, in \(copies) copies, of \(limit)")
                guard isTaken else { break }
                left -= chunk
            }
        }
    }

    private let budget = CopyBudget(bytes: 1000, shards: 64, maximumMessageBytes: 500, inlineBytes: 64 << 10)

    @Test("As many domains as copies fit the budget; an undeclared size counts as the largest")
    func domains() {
        #expect(self.refused(self.budget, size: 100, domains: 12) == [10, 11])
        #expect(self.refused(self.budget, size: nil, domains: 4) == [2, 3])
        #expect(self.refused(self.budget, size: 5, domains: 300) == [])
        #expect(self.refused(.unlimited(inlineBytes: 64 << 10), size: 1 << 40, domains: 100) == [])
    }

    @Test("A message goes to one domain whatever its size, and to more recipients of the same one")
    func oneDomain() {
        #expect(self.refused(self.budget, size: 5000, domains: 3) == [1, 2])
        var counter = CopyCounter()
        let envelope = self.envelope(size: 5000, ["a@bravo.test", "b@bravo.test"])
        let isOver = counter.isOver(self.budget, adding: "bravo.test", to: envelope)
        #expect(!isOver)
    }

    @Test("More domains than shards make no more copies")
    func shards() {
        let budget = CopyBudget(bytes: 1000, shards: 4, maximumMessageBytes: 500, inlineBytes: 64 << 10)
        #expect(self.refused(budget, size: 250, domains: 100) == [])
        #expect(self.refused(budget, size: 251, domains: 5) == [3, 4])
    }

    @Test("A new transaction is counted anew")
    func transactions() {
        var counter = CopyCounter()
        let first = self.envelope(size: 500, ["a@one.test", "a@two.test"])
        self.expect(counter.isOver(self.budget, adding: "three.test", to: first), true)
        self.expect(counter.isOver(self.budget, adding: "three.test", to: self.envelope(size: 500, [])), false)
        self.expect(
            counter.isOver(self.budget, adding: "four.test", to: self.envelope(size: 500, ["a@three.test"])), false)
    }

    @Test("Whatever was declared, the content of all copies stays within the budget")
    func content() {
        #expect(self.budget.messageBytes(forDomains: 1) == .max)
        #expect(self.budget.messageBytes(forDomains: 10) == 100)
        #expect(self.budget.messageBytes(forDomains: 1000) == 1000 / 64)
        #expect(CopyBudget.unlimited(inlineBytes: 64 << 10).messageBytes(forDomains: 1000) == .max)
    }
}
