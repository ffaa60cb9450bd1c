import DANE
import DNSModel
import MailModel

/// TLSA records: the input is RDATA after RDATA, each behind a byte that says its length.
enum TLSACheck {
    static func check(_ input: [UInt8]) throws(Violation) {
        guard let host = DomainName("mx.relay.test") else { return }
        let base = TLSABaseDomain(host)
        let records = try self.records(in: input)
        var asked: [TLSARecord] = []
        let set = TLSARecordSet(records, at: base) { record in
            asked.append(record)
            return record.associationData.first == 0x30
        }
        try promise(set.judged.map(\.record) == records, "a record was lost")
        try promise(asked.allSatisfy { $0.matchingType == .full }, "a digest was taken for a certificate")
        for record in set.usableRecords { try self.isUsable(record) }
        try promise(Set(set.usableRecords).count == set.usableRecords.count, "a record counts twice")
        try self.digestAgility(set)
        let backwards = TLSARecordSet(records.reversed(), at: base) { $0.associationData.first == 0x30 }
        try promise(Set(backwards.usableRecords) == Set(set.usableRecords), "the order of records matters")
        try promise(backwards.identity == set.identity, "the order of records makes another set")
    }

    private static func records(in input: [UInt8]) throws(Violation) -> [TLSARecord] {
        var records: [TLSARecord] = []
        var rest = input[...]
        while let length = rest.popFirst(), records.count < 100 {
            let rdata = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            guard let record = TLSARecord(rdata: rdata) else {
                try promise(rdata.count < 3, "three bytes make a record")
                continue
            }
            try promise(record.associationData.elementsEqual(rdata.dropFirst(3)), "association data was changed")
            for text in ["\(record)", record.presentation] {
                try promise(text.utf8.allSatisfy { (0x20...0x7e).contains($0) } && text.utf8.count <= 160, "\(text)")
            }
            records.append(record)
        }
        return records
    }

    /// Rule 13, said once more and in another way.
    private static func isUsable(_ record: TLSARecord) throws(Violation) {
        let lengths = [1: 32, 2: 64]
        let isUsable =
            (2...3).contains(record.usage.rawValue) && record.selector.rawValue <= 1
            && (record.matchingType.rawValue == 0
                ? record.associationData.first == 0x30
                : lengths[Int(record.matchingType.rawValue)] == record.associationData.count)
        try promise(isUsable, "\(record) counts as usable")
    }

    /// Rule 15: beside a usable SHA2-512 digest no SHA2-256 of that usage and selector counts.
    private static func digestAgility(_ set: TLSARecordSet) throws(Violation) {
        let usable = set.usableRecords
        for record in usable where record.matchingType == .sha256 {
            let hasStronger = usable.contains {
                $0.matchingType == .sha512 && $0.usage == record.usage && $0.selector == record.selector
            }
            try promise(!hasStronger, "a weaker digest counts")
        }
        for judged in set.judged where judged.judgement == .weakerDigest(than: .sha512) {
            try promise(usable.contains { $0.matchingType == .sha512 }, "set aside for nothing")
        }
    }
}
