import DANE
import DNSModel
import MailModel
import TestLiterals
import Testing

/// dane-rules 13 to 15: what each record is worth.
@Suite("Judging the records")
struct JudgementTests {
    /// Whether a record of full data parses is told by its first byte, a DER SEQUENCE.
    private func judge(_ records: TLSARecord..., preference: DigestPreference = .strongestFirst) -> TLSARecordSet {
        TLSARecordSet(records, at: TLSABaseDomain("mx.example.org"), preference: preference) {
            $0.associationData.first == 0x30
        }
    }

    @Test(
        "dane-rules 13: unusable records are known, and why",
        arguments: [
            (TLSARecord.record(0, 1, 1), TLSAUnusability.usageNotForSMTP),
            (.record(1, 1, 1), .usageNotForSMTP),
            (.record(4, 1, 1), .unknownUsage),
            (.record(255, 1, 1), .unknownUsage),
            (.record(3, 2, 1), .unknownSelector),
            (.record(2, 255, 0), .unknownSelector),
            (.record(3, 1, 3), .unknownMatchingType),
            (.record(3, 1, 255, data: []), .unknownMatchingType),
            (.record(3, 1, 1, data: []), .emptyData),
            (.record(3, 1, 0, data: []), .emptyData),
            (.record(3, 1, 1, length: 31), .wrongDigestLength(expected: 32, actual: 31)),
            (.record(3, 1, 1, length: 64), .wrongDigestLength(expected: 32, actual: 64)),
            (.record(2, 0, 2, length: 3), .wrongDigestLength(expected: 64, actual: 3)),
            (.record(3, 0, 0), .unparsableCertificate),
            (.record(2, 1, 0), .unparsableKey),
        ])
    func unusable(_ record: TLSARecord, _ reason: TLSAUnusability) {
        let set = self.judge(record)
        #expect(set.judged.map(\.judgement) == [.unusable(reason)])
        #expect(set.usableRecords.isEmpty)
    }

    @Test(
        "dane-rules 13: usable are 2 and 3 with either selector and any known type", arguments: [UInt8(2), 3],
        [UInt8(0), 1])
    func usable(_ usage: UInt8, _ selector: UInt8) {
        for record in [
            TLSARecord.record(usage, selector, 1), .record(usage, selector, 2),
            .record(usage, selector, 0, fill: 0x30),
        ] {
            #expect(self.judge(record).usableRecords == [record])
        }
    }

    @Test("dane-rules 13: RDATA of every short length is judged without a crash", arguments: 0...8)
    func shortData(_ length: Int) {
        let rdata = [UInt8](repeating: 3, count: length)
        #expect((TLSARecord(rdata: rdata) == nil) == (length < 3))
        for type in UInt8.min...UInt8.max {
            let set = self.judge(.record(3, 1, type, data: rdata))
            #expect(set.usableRecords.isEmpty)
        }
    }

    @Test("dane-rules 15: only the strongest digest of a usage and selector counts (RFC 7671 §9)")
    func digestAgility() {
        let set = self.judge(.record(3, 1, 1), .record(3, 1, 2), .record(3, 0, 1), .record(2, 1, 1))
        #expect(set.usableRecords == [.record(3, 1, 2), .record(3, 0, 1), .record(2, 1, 1)])
        #expect(set.judged[0].judgement == .weakerDigest(than: .sha512))
    }

    @Test("dane-rules 15: full data always counts, and displaces no digest")
    func fullCounts() {
        let full = TLSARecord.record(3, 1, 0, fill: 0x30)
        #expect(self.judge(full, .record(3, 1, 1), .record(3, 1, 2)).usableRecords == [full, .record(3, 1, 2)])
    }

    @Test("dane-rules 15: an unusable strong digest does not displace a usable weak one")
    func malformedDoesNotDisplace() {
        #expect(self.judge(.record(3, 1, 1), .record(3, 1, 2, length: 12)).usableRecords == [.record(3, 1, 1)])
    }

    @Test("dane-rules 15: the order of digests is the operator's")
    func configuredOrder() {
        let set = self.judge(.record(3, 1, 1), .record(3, 1, 2), preference: DigestPreference([.sha256, .sha512]))
        #expect(set.usableRecords == [.record(3, 1, 1)])
    }

    @Test("dane-rules 39: stale records beside current ones stay usable, each once")
    func duplicates() {
        let stale = TLSARecord.record(3, 1, 1, fill: 7)
        #expect(self.judge(.good, stale, .good).usableRecords == [.good, stale])
    }

    @Test("dane-rules 26: the identity of an RRset is its records and place, not their order")
    func identity() {
        let other = TLSARecord.record(2, 1, 1)
        #expect(self.judge(.good, other).identity == self.judge(other, .good).identity)
        #expect(self.judge(.good).identity != self.judge(.good, other).identity)
    }
}
