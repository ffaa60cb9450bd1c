import DANE
import DNSModel
import TestLiterals
import Testing

/// Records that hold whole certificates and keys cost parsing and signature checks, so only so many of them count.
@Suite("Records with full data")
struct FullRecordTests {
    private static func full(_ usage: UInt8, _ count: Int) -> [TLSARecord] {
        (0..<count).map { .record(usage, 1, 0, fill: UInt8($0)) }
    }

    private func counted(_ records: [TLSARecord]) -> [TLSARecord] {
        DANEAuthentication(
            records: records, baseDomain: TLSABaseDomain("mx.example.org"), referenceIdentifiers: ["mx.example.org"]
        ).countedRecords
    }

    @Test("Eight of each usage count; digests all do, wherever they stand (field A1)")
    func counted() {
        let digests = (0..<50).map { TLSARecord.record(2, 1, 1, fill: $0) }
        let records = Self.full(2, 100) + digests + Self.full(3, 9)
        #expect(self.counted(records) == Self.full(2, 8) + digests + Self.full(3, 8))
        #expect(self.counted(Self.full(2, 8)) == Self.full(2, 8))
    }

    @Test("No more of them are parsed, and what nobody looked at still obliges the client to authenticate (field A1)")
    func parsed() {
        var parsed = 0
        let set = TLSARecordSet(Self.full(2, 100), at: TLSABaseDomain("mx.example.org")) { _ in
            parsed += 1
            return false
        }
        #expect(parsed == DANELimits.fullRecords)
        #expect(set.usableRecords.count == 100 - DANELimits.fullRecords)
    }
}
