import Foundation
import QueueStore
import Testing

@Suite("Stored values")
struct StoredValuesTests {
    @Test("Attributes that an older program stored without a newer field can be read")
    func olderAttributes() throws {
        let stored = Data(#"{"isEightBit":true,"clientName":"mx.alpha.test"}"#.utf8)
        let attributes = try JSONDecoder().decode(MessageAttributes.self, from: stored)
        var expected = MessageAttributes()
        expected.isEightBit = true
        expected.clientName = "mx.alpha.test"
        #expect(attributes == expected)
    }

    @Test("Attributes are read as they were stored")
    func roundTrip() throws {
        var attributes = MessageAttributes()
        attributes.isEightBit = true
        attributes.envelopeID = "QQ314159"
        attributes.clientAddress = "192.0.2.1"
        let stored = try JSONEncoder().encode(attributes)
        #expect(try JSONDecoder().decode(MessageAttributes.self, from: stored) == attributes)
    }
}
