import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals

/// The values that the stories of this folder are told with.
enum Story {
    static let mx: DomainName = "mx.example.org"
    static let address = IPAddress.v4(0xC000_0201)
    static let baseDomain = TLSABaseDomain(Self.mx)

    static func record(_ usage: UInt8, fill: UInt8 = 1) -> TLSARecord {
        TLSARecord(
            usage: .init(rawValue: usage), selector: .spki, matchingType: .sha256,
            associationData: Array(repeating: fill, count: 32))
    }

    /// A peer that matched `record`, under this name.
    static func peer(_ record: TLSARecord, named name: DomainName? = nil) -> DANEAuthenticatedPeer {
        DANEAuthenticatedPeer(matched: record, baseDomain: Self.baseDomain, matchedName: name)
    }

    /// A host with these TLSA records, as planning would describe it.
    static func host(
        _ records: TLSARecord..., trust: RouteTrust = .endToEnd, names: [DomainName] = [Story.mx]
    ) -> PlannedHost {
        let set = TLSARecordSet(records, at: Self.baseDomain) { _ in true }
        let authentication = DANEAuthentication(
            records: set.usableRecords, baseDomain: Self.baseDomain, referenceIdentifiers: names)
        return PlannedHost(
            name: Self.mx, addresses: [Self.address],
            requirement: set.usableRecords.isEmpty ? .encrypt : .authenticate(authentication), trust: trust, tlsa: set)
    }

    /// A host without TLSA.
    static let plainHost = PlannedHost(name: Self.mx, addresses: [Self.address], requirement: .opportunistic)
}
