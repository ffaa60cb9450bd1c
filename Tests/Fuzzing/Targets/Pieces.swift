/// In what pieces an input is offered: networks cut a stream where they like, and no meaning may come of it.
enum Pieces: CaseIterable {
    /// `bytes` cuts between any two of the first 64 bytes, and less often from there on, which keeps the fuzzer quick.
    case whole, bytes, random

    /// The lengths of the pieces of `input`, which add up to its length; random ones depend on the input alone.
    func lengths(of input: [UInt8]) -> [Int] {
        switch self {
        case .whole: return input.isEmpty ? [] : [input.count]
        case .bytes:
            let rest = max(0, input.count - 64)
            let lengths = Array(repeating: 1, count: input.count - rest) + Array(repeating: 31, count: rest / 31)
            return rest % 31 == 0 ? lengths : lengths + [rest % 31]
        case .random:
            var state = input.checksum
            var left = input.count
            var lengths: [Int] = []
            while left > 0 {
                // A linear congruential generator will do: the pieces need to differ, not to be unpredictable.
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let length = min(left, 1 + Int(state >> 33) % 23)
                lengths.append(length)
                left -= length
            }
            return lengths
        }
    }
}

extension Collection<UInt8> {
    /// A number by which an owner's decisions are made: equal input, equal decision. Only some bytes count, for speed.
    var checksum: UInt64 {
        var sum: UInt64 = 14_695_981_039_346_656_037 ^ UInt64(self.count)
        for byte in self.prefix(4) { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        for byte in self.suffix(12) { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        return sum ^ sum >> 29
    }
}

extension Sequence<UInt8> {
    /// Whether every CR stands before an LF and every LF behind a CR, and there is no NUL.
    var hasOnlyWholeLineEnds: Bool {
        var sawCarriageReturn = false
        for byte in self {
            if byte == 0 || (byte == 10) != sawCarriageReturn { return false }
            sawCarriageReturn = byte == 13
        }
        return !sawCarriageReturn
    }

    /// Whether this is printable ASCII in CRLF lines.
    var isPrintableLines: Bool {
        self.hasOnlyWholeLineEnds && self.allSatisfy { (0x20...0x7e).contains($0) || $0 == 13 || $0 == 10 }
    }
}
