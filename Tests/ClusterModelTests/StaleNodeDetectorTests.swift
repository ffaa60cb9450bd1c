import ClusterModel
import MailModel
import Testing

@Suite("What does not change")
struct StaleNodeDetectorTests {
    private static func at(_ seconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test("It has to look the same for so long, from when it was first seen so")
    func still() {
        var watch = StaleNodeDetector<Int, String>()
        let results = [
            watch.observed([1: "a"], at: Self.at(0), stillFor: .seconds(10)),
            watch.observed([1: "a"], at: Self.at(9), stillFor: .seconds(10)),
            watch.observed([1: "a", 2: "b"], at: Self.at(10), stillFor: .seconds(10)),
            watch.observed([1: "a", 2: "b"], at: Self.at(20), stillFor: .seconds(10)),
        ]
        #expect(results == [[:], [:], [1: "a"], [1: "a", 2: "b"]])
    }

    @Test("A change, and an absence, begin anew")
    func changes() {
        var watch = StaleNodeDetector<Int, String>()
        let results = [
            watch.observed([1: "a"], at: Self.at(0), stillFor: .seconds(10)),
            watch.observed([1: "b"], at: Self.at(9), stillFor: .seconds(10)),
            watch.observed([1: "b"], at: Self.at(18), stillFor: .seconds(10)),
            watch.observed([:], at: Self.at(19), stillFor: .seconds(10)),
            watch.observed([1: "b"], at: Self.at(20), stillFor: .seconds(10)),
        ]
        #expect(results == Array(repeating: [:], count: 5))
    }
}
