import DeliveryQueue
import MailModel
import Testing

/// How many connections an address gets, on a clock that the tests move.
@Suite("The window of an address")
struct ConnectionWindowTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    /// A host that takes so many connections at once and refuses one more, and a sender that opens all it may.
    private struct World {
        let limit: Int
        var window = ConnectionWindow()
        var now = ConnectionWindowTests.start
        var refused = 0

        /// Opens, a wave at a time, until the window is full.
        mutating func fill() {
            while self.window.capacity(at: self.now) == .free {
                var wave = 0
                while self.window.capacity(at: self.now) == .free {
                    self.window.began()
                    wave += 1
                }
                for _ in 0..<wave {
                    if self.window.established < self.limit {
                        self.window.succeeded(at: self.now)
                    } else {
                        self.refused += 1
                        let works = self.window.refused(at: self.now)
                        #expect(works)
                        self.window.ended(wasEstablished: false)
                    }
                }
            }
        }
    }

    @Test(
        "A host that takes three refuses few until that is found out, and one each time that one more is tried (field B1)"
    )
    func three() {
        var world = World(limit: 3)
        world.fill()
        #expect(world.window.established == 3)
        #expect((1...3).contains(world.refused), "\(world.refused)")
        let first = world.refused
        world.now = world.now + .seconds(59)
        world.fill()
        #expect(world.refused == first)
        // After a minute one more may try; then after two, four, eight and, from then on, fifteen.
        for minutes in [1, 2, 4, 8, 15, 15] {
            world.now = world.now + .seconds(60 * minutes)
            world.fill()
        }
        #expect(world.refused == first + 6)
        #expect(world.window.size(at: world.now) == 3)
    }

    @Test("A host that takes one, and one that takes two, are found out too (field B1)", arguments: [1, 2, 5, 20])
    func few(_ limit: Int) {
        var world = World(limit: limit)
        world.fill()
        #expect(world.window.established == limit)
        #expect(world.refused <= limit + 1, "\(world.refused)")
    }

    @Test("A host that takes more than before gets more, one a minute (field B1)")
    func widens() {
        var world = World(limit: 3)
        world.fill()
        let larger = World(limit: 6, window: world.window, now: world.now + .seconds(60), refused: 0)
        world = larger
        world.fill()
        #expect(world.window.established == 4)
        world.now = world.now + .seconds(60)
        world.fill()
        #expect(world.window.established == 5)
        #expect(world.refused == 0)
    }

    @Test("Where no other connection works it is a failure, and the window begins anew (field B1)")
    func failure() {
        var window = ConnectionWindow()
        window.began()
        var works = window.refused(at: Self.start)
        #expect(!works)
        window.ended(wasEstablished: false)
        #expect(window.capacity(at: Self.start) == .free)

        for _ in 0..<10 {
            window.began()
            window.succeeded(at: Self.start)
        }
        #expect(window.size(at: Self.start) > 10)
        for _ in 0..<10 { window.ended(wasEstablished: true) }
        window.began()
        works = window.refused(at: Self.start + .seconds(11))
        #expect(!works)
        #expect(window.size(at: Self.start) == ConnectionWindow.first)
    }

    @Test(
        "While none is open, but one was just now, tries are a second apart, and after ten seconds it is a failure (field B1)"
    )
    func resting() {
        var window = ConnectionWindow()
        window.began()
        window.succeeded(at: Self.start)
        window.ended(wasEstablished: true)
        var (now, tries) = (Self.start, 0)
        while true {
            switch window.capacity(at: now) {
            case .free:
                window.began()
                tries += 1
                let works = window.refused(at: now)
                window.ended(wasEstablished: false)
                guard works else {
                    #expect((2...11).contains(tries))
                    return
                }
            case .resting(let time): now = now + time
            case .full: Issue.record("nothing is open")
            }
        }
    }

    @Test("To an address that says nothing there are never more than two (field A4)")
    func silence() {
        var window = ConnectionWindow()
        for _ in 0..<2 { window.began() }
        #expect(window.capacity(at: Self.start + .seconds(100_000)) == .full(isGrowing: true))
    }
}
