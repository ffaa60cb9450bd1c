import MailModel
import Testing

@testable import DatabaseHealth

/// Whether mail may be taken and sent, on a clock that the test sets.
@Suite("Health of the database")
struct StoreHealthTests {
    private var health = StoreHealth()
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    private let diskFull = StoreFault(.diskFull, "could not extend file")

    init() {
        _ = self.health.dueCheck(at: self.now)
        self.expect(.renewed, .none)
        self.expect(.checked, .none)
    }

    private mutating func expect(
        _ event: StoreHealth.Event, _ change: StoreHealth.Change, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let actual = self.health.handle(event, at: self.now)
        #expect(actual == change, sourceLocation: sourceLocation)
    }

    private mutating func expectCheck(_ pieces: Int?, sourceLocation: SourceLocation = #_sourceLocation) {
        let actual = self.health.dueCheck(at: self.now)
        #expect(actual == pieces, sourceLocation: sourceLocation)
    }

    private mutating func wait(_ time: Duration) { self.now = self.now + time }

    @Test("A node is ready when leases and a storage check have succeeded, and takes mail meanwhile")
    func start() {
        var health = StoreHealth()
        #expect(health.isOpen)
        #expect(health.problem == "not checked yet")
        _ = health.handle(.renewed, at: self.now)
        #expect(health.problem == "not checked yet")
        #expect(health.dueCheck(at: self.now) == 1)
        _ = health.handle(.checked, at: self.now)
        #expect(health.problem == nil)
        #expect(self.health.isOpen && self.health.problem == nil)
    }

    @Test("hostile-input 33: a full disk closes at once, is named, and opens when a large check fits")
    mutating func fullDisk() {
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        #expect(!self.health.isOpen)
        #expect(self.health.problem == "disk full: could not extend file")
        self.expectCheck(StoreHealth.firstCheck)
        self.expectCheck(nil)
        self.expect(.checkFailed(self.diskFull), .none)
        self.wait(.seconds(1))
        self.expectCheck(StoreHealth.firstCheck)
        self.expect(.checked, .recovered(after: .seconds(1)))
        #expect(self.health.isOpen && self.health.problem == nil)
    }

    @Test("hostile-input 33: on a full disk leases are renewed and small writes get through; that opens nothing")
    mutating func smallWrites() {
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expect(.renewed, .none)
        self.expect(.wrote, .none)
        #expect(!self.health.isOpen)
    }

    @Test("An accident closes nothing: a check or the next write clears the suspicion, a failed check confirms it")
    mutating func accident() {
        let cut = StoreFault(.connectionLost)
        self.wait(.seconds(5))
        self.expect(.failed(cut), .none)
        #expect(self.health.isOpen)
        self.expectCheck(StoreHealth.idleCheck)
        self.expect(.wrote, .none)
        self.wait(.seconds(5))
        self.expectCheck(nil)

        self.expect(.failed(cut), .none)
        self.expectCheck(StoreHealth.idleCheck)
        self.expect(.checkFailed(cut), .broke(cut))
        #expect(!self.health.isOpen)
    }

    @Test("Without mail it is checked every half minute, with mail not at all")
    mutating func idle() {
        self.wait(.seconds(29))
        self.expectCheck(nil)
        self.expect(.wrote, .none)
        self.wait(.seconds(29))
        self.expectCheck(nil)
        self.wait(.seconds(1))
        self.expectCheck(StoreHealth.idleCheck)
    }

    @Test("Breaking again soon takes larger checks and longer trials, of which none passes 30 s")
    mutating func relapses() {
        var sizes: [Int] = []
        var times: [Duration] = []
        for _ in 0..<8 {
            self.expect(.failed(self.diskFull), .broke(self.diskFull))
            let broken = self.now
            while !self.health.isOpen {
                if let pieces = self.health.dueCheck(at: self.now) {
                    if sizes.count == times.count { sizes.append(pieces) }
                    _ = self.health.handle(.checked, at: self.now)
                }
                self.wait(.milliseconds(100))
            }
            times.append(self.now - broken)
            self.wait(.seconds(2))
        }
        #expect(sizes == [16, 32, 64, 64, 64, 64, 64, 64])
        #expect(times == times.sorted())
        #expect(times[0] < .seconds(1))
        #expect((.seconds(14) ..< .seconds(30)).contains(times[7]))

        self.wait(StoreHealth.relapseTime)
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expectCheck(StoreHealth.firstCheck)
    }

    @Test("In a trial the first check alone is large, until one fails")
    mutating func trial() {
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expect(.checked, .recovered(after: .zero))
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expectCheck(2 * StoreHealth.firstCheck)
        self.expect(.checked, .none)
        self.wait(.seconds(1))
        self.expectCheck(StoreHealth.idleCheck)
        self.expect(.checkFailed(self.diskFull), .none)
        self.wait(.seconds(1))
        self.expectCheck(2 * StoreHealth.firstCheck)
    }

    @Test("A check that fails begins the trial anew")
    mutating func brokenTrial() {
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expect(.checked, .recovered(after: .zero))
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        self.expect(.checked, .none)
        self.wait(.seconds(1))
        self.expect(.checkFailed(self.diskFull), .none)
        self.wait(.seconds(1))
        self.expect(.checked, .none)
        self.wait(.seconds(1))
        self.expect(.checked, .none)
        self.wait(.seconds(1))
        self.expect(.checked, .recovered(after: .seconds(4)))
    }

    @Test("Leases that are not renewed make the node not ready, and leave what comes in alone")
    mutating func leases() {
        self.expect(.notRenewed("duplicate-node: another node is running"), .none)
        #expect(self.health.problem == "duplicate-node: another node is running")
        #expect(self.health.isOpen)
        self.expect(.renewed, .none)
        #expect(self.health.problem == nil)
    }

    @Test("Of two faults the newer is named")
    mutating func named() {
        let gone = StoreFault(.unreachable, "no such file")
        self.expect(.failed(gone), .broke(gone))
        self.expect(.checkFailed(self.diskFull), .broke(self.diskFull))
        #expect(self.health.problem == "\(self.diskFull)")
    }

    @Test("Readiness is said when it changes, and not with each message")
    mutating func news() {
        let first = self.health.news()
        #expect(first == StoreHealth.News(problem: nil, turn: 1))
        for _ in 0..<1000 { self.expect(.wrote, .none) }
        let afterMessages = self.health.news()
        #expect(afterMessages == nil)
        self.expect(.failed(self.diskFull), .broke(self.diskFull))
        let broken = self.health.news()
        #expect(broken == StoreHealth.News(problem: "\(self.diskFull)", turn: 2))
        self.expect(.checked, .recovered(after: .zero))
        let recovered = self.health.news()
        #expect(recovered == StoreHealth.News(problem: nil, turn: 3))
    }
}
