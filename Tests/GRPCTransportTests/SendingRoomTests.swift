import LabSupport
import Testing

@testable import GRPCTransport

@Suite("Room for what waits to be sent")
struct SendingRoomTests {
    /// 10 bytes for a stream and 25 for all, with streams 1 to 4 open.
    private static func room() -> SendingRoom<String> {
        var room = SendingRoom<String>(MailboxLimits(stream: 10, connection: 25))
        for key in 1...4 as ClosedRange<StreamKey> { room.open(key) }
        return room
    }

    /// All writes that have room now.
    private static func granted(_ room: inout SendingRoom<String>) -> [String] {
        var granted: [String] = []
        while let (_, waiter) = room.next() { granted.append(waiter) }
        return granted
    }

    @Test("control 24, 29: a stream that is full waits for itself, and stops no other")
    func fullStream() {
        var room = Self.room()
        #expect([room.take(10, for: 1), room.take(1, for: 1), room.take(1, for: 2)] == [.taken, .full, .taken])
        room.wait("1a", 1, for: 1)
        room.wait("1b", 1, for: 1)
        room.free(1, of: 2)
        #expect(Self.granted(&room) == [])
        room.free(1, of: 1)
        #expect(Self.granted(&room) == ["1a"])
        room.free(2, of: 1)
        #expect(Self.granted(&room) == ["1b"])
    }

    @Test("control 24, 29: streams take turns when the connection is full")
    func turns() {
        var room = Self.room()
        for key in [1, 2, 3] as [StreamKey] { #expect(room.take(9, for: key) == .taken) }
        #expect(room.take(1, for: 4) == .full)
        for write in ["1a", "1b", "2a", "4a"] { room.wait(write, 1, for: StreamKey(write.prefix(1))!) }
        var order: [String] = []
        for _ in 0..<8 {
            room.free(1, of: 3)
            order += Self.granted(&room)
        }
        // Stream 1 is full after its first write.
        #expect(order == ["1a", "2a", "4a"])
        room.free(1, of: 1)
        #expect(Self.granted(&room) == ["1b"])
    }

    @Test("What has no bytes needs no room, and a stream that is not open takes none")
    func exceptions() {
        var room = Self.room()
        #expect([room.take(25, for: 1), room.take(0, for: 1), room.take(0, for: 2)] == [.taken, .taken, .taken])
        #expect(room.take(1, for: 5) == .notOpen)
        #expect(room.total == 25)
    }

    @Test("A write that leaves the line, and a stream that closes, make room for the others")
    func leaving() {
        var room = Self.room()
        #expect(room.take(9, for: 1) == .taken && room.take(20, for: 2) == .taken)
        for write in ["1a", "3a", "4a"] { room.wait(write, 1, for: StreamKey(write.prefix(1))!) }
        #expect(room.leave(3) { $0 == "3a" } == "3a")
        #expect(room.leave(3) { $0 == "3a" } == nil)
        #expect(room.close(1) == ["1a"])
        #expect(room.close(1) == nil)
        #expect(Self.granted(&room) == ["4a"])
        #expect(room.total == 21)
    }
}

/// Whatever happens, room is used and never overdrawn. A failure prints its seed.
@Suite("Room for what waits to be sent, at random")
struct SendingRoomRandomTests {
    private static let limits = MailboxLimits(stream: 10, connection: 25)

    @Test(
        "control 24, 29: no write waits that has room, and the writes of a stream keep their order", arguments: 0..<50)
    func random(_ number: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var world = RoomWorld(seed: seed)
        for _ in 0..<500 { world.step() }
        #expect(world.broken.prefix(3) == [], "seed \(seed)")
        #expect(world.granted > 20, "seed \(seed)")
    }

    /// Room beside a plain account of what it should hold.
    private struct RoomWorld {
        var chance: SplitMix
        var room = SendingRoom<Int>(limits)
        var queued: [StreamKey: Int] = [:]
        var waiting: [StreamKey: [(number: Int, bytes: Int)]] = [:]
        var number = 0
        var granted = 0
        var broken: [String] = []

        init(seed: UInt64) { self.chance = SplitMix(seed: seed) }

        mutating func step() {
            let key = StreamKey.random(in: 1...8, using: &self.chance)
            switch Int.random(in: 0..<20, using: &self.chance) {
            case 0: self.close(key)
            case 1..<4: self.leave(key)
            case 4..<12: self.write(key)
            default: self.send(key)
            }
            while let (key, number) = self.room.next() { self.grant(key, number) }
            self.check()
        }

        private mutating func write(_ key: StreamKey) {
            if self.queued[key] == nil {
                self.room.open(key)
                self.queued[key] = 0
            }
            let bytes = Int.random(in: 1...12, using: &self.chance)
            if self.room.take(bytes, for: key) == .taken {
                if self.waiting[key]?.isEmpty == false { self.broken.append("a write overtook another one") }
                self.queued[key, default: 0] += bytes
            } else {
                self.number += 1
                self.room.wait(self.number, bytes, for: key)
                self.waiting[key, default: []].append((self.number, bytes))
            }
        }

        private mutating func send(_ key: StreamKey) {
            guard let queued = self.queued[key], queued > 0 else { return }
            let bytes = Int.random(in: 1...queued, using: &self.chance)
            self.room.free(bytes, of: key)
            self.queued[key] = queued - bytes
        }

        private mutating func leave(_ key: StreamKey) {
            guard let writes = self.waiting[key], let index = writes.indices.randomElement(using: &self.chance) else {
                return
            }
            let number = writes[index].number
            if self.room.leave(key, where: { $0 == number }) != number { self.broken.append("\(number) did not wait") }
            self.waiting[key]?.remove(at: index)
        }

        private mutating func close(_ key: StreamKey) {
            let writes = self.room.close(key)
            if writes ?? [] != (self.waiting[key] ?? []).map(\.number) { self.broken.append("writes were lost") }
            self.queued[key] = nil
            self.waiting[key] = nil
        }

        private mutating func grant(_ key: StreamKey, _ number: Int) {
            self.granted += 1
            if self.waiting[key]?.first?.number != number { self.broken.append("\(number) came out of order") }
            if self.queued.values.reduce(0, +) >= limits.connection { self.broken.append("the connection was full") }
            if self.queued[key] ?? .max >= limits.stream { self.broken.append("stream \(key) was full") }
            if let first = self.waiting[key]?.removeFirst() { self.queued[key, default: 0] += first.bytes }
        }

        private mutating func check() {
            let total = self.queued.values.reduce(0, +)
            if self.room.total != total { self.broken.append("\(self.room.total) bytes, not \(total)") }
            guard total < limits.connection else { return }
            for (key, writes) in self.waiting where !writes.isEmpty && self.queued[key] ?? 0 < limits.stream {
                self.broken.append("stream \(key) waits though it has room")
            }
        }
    }
}
