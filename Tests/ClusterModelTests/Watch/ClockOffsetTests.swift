import ClusterModel
import MailModel
import Testing

@Suite("Clocks of nodes")
struct ClockOffsetTests {
    private static func offset(_ milliseconds: Int64) -> ClockOffset {
        let ours = Timestamp(seconds: 1_800_000_000)
        return ClockOffset(theirs: ours + .milliseconds(milliseconds), ours: ours)
    }

    @Test(
        "control 15: an offset is shown, and warned about above 2 s, either way",
        arguments: [
            (Int64(0), "0.000 s ahead", false), (2_000, "2.000 s ahead", false), (2_001, "2.001 s ahead", true),
            (-2_000, "2.000 s behind", false), (-2_001, "2.001 s behind", true), (3_600_050, "3600.050 s ahead", true),
        ])
    func offset(_ milliseconds: Int64, _ text: String, _ isExcessive: Bool) {
        let offset = Self.offset(milliseconds)
        #expect(offset.description == text)
        #expect(offset.isExcessive == isExcessive)
        #expect(ClockOffset(ahead: .milliseconds(milliseconds)) == offset)
    }

    @Test("control 15: a node may claim any time", arguments: [Int64.min, -1, 0, .max], [Int64.min, 0, 1, .max])
    func anyTime(_ theirs: Int64, _ ours: Int64) {
        let offset = ClockOffset(theirs: Timestamp(microseconds: theirs), ours: Timestamp(microseconds: ours))
        #expect(offset.isExcessive == (abs(Double(theirs) - Double(ours)) > 2e6))
        #expect(offset.description.hasSuffix(theirs < ours ? "behind" : "ahead"))
    }
}
