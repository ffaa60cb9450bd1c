import MailModel
import SecureResolver
import Testing

@testable import Delivery

@Suite("Look-ups that are refused")
struct LookupShortageTests {
    @Test("The limit that refused most is named once a minute, as long as any refuses (field A4)")
    func limits() {
        var shortage = LookupShortage()
        let start = MonotonicInstant(nanoseconds: 1)
        #expect(shortage.limit(toSayOf: [:], at: start) == nil)
        #expect(shortage.limit(toSayOf: [.silent: 3, .domain: 1], at: start) == .silent)
        #expect(shortage.limit(toSayOf: [.silent: 4, .domain: 9], at: start + .seconds(59)) == nil)
        #expect(shortage.limit(toSayOf: [.silent: 4, .domain: 9], at: start + .seconds(60)) == .domain)
        #expect(shortage.limit(toSayOf: [.silent: 4, .domain: 9], at: start + .seconds(120)) == nil)
        #expect(shortage.limit(toSayOf: [.silent: 4, .domain: 9, .all: 1], at: start + .seconds(121)) == .all)
    }
}
