import DANE
import DNSModel
import Routing
import Telemetry

extension DeliveryMetrics {
    /// Counts what one host's records were worth, and what it must prove.
    func count(_ host: PlannedHost) {
        for judged in host.tlsa?.judged ?? [] {
            let record = judged.record
            self.tlsaRecords[
                LabelPair(
                    LabelPair(TLSAUsageLabel(record.usage), TLSASelectorLabel(record.selector)),
                    LabelPair(TLSAMatchingTypeLabel(record.matchingType), TLSAUsable(judged.judgement)))
            ].increment()
        }
        switch host.requirement {
        case .authenticate: self.daneDecisions.increment(.authenticate)
        case .encrypt: self.daneDecisions.increment(.encrypt)
        case .opportunistic: self.daneDecisions.increment(.opportunistic)
        case .unavailable: self.daneDecisions.increment(.unavailable)
        }
    }
}
