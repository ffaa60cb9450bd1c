package import ControlAPI
import MailModel
package import QueueStore
import SwiftProtobuf

extension ControlStateTotal {
    fileprivate init(_ state: QueueListing.State, _ total: QueueSummary.Total, _ oldest: Timestamp?) {
        self.init()
        self.state = ControlEntryState(state)
        self.entries = UInt64(clamping: total.entries)
        self.bytes = UInt64(clamping: total.bytes)
        if let oldest { self.oldest = .init(of: oldest) }
    }

    fileprivate var total: QueueSummary.Total {
        QueueSummary.Total(entries: Int(clamping: self.entries), bytes: Int(clamping: self.bytes))
    }
}

extension [ControlStateTotal] {
    fileprivate init(_ summary: QueueSummary, _ oldest: [QueueListing.State: Timestamp]) {
        self = QueueListing.State.allCases.map { ControlStateTotal($0, summary[$0], oldest[$0]) }
    }

    fileprivate var summary: QueueSummary {
        get throws(UnreadableQueueMessage) {
            var totals: [QueueListing.State: QueueSummary.Total] = [:]
            for total in self { totals[try total.state.state] = total.total }
            return QueueSummary(totals)
        }
    }
}

extension ControlGetOverviewResponse {
    package init(_ overview: QueueOverview) {
        self.init()
        self.totals = [ControlStateTotal](overview.summary, overview.oldest)
        self.resting = overview.resting.sorted { $0.key < $1.key }.map { reason, count in
            .with {
                $0.waitsFor = reason
                $0.destinations = UInt64(clamping: count)
            }
        }
    }

    package var overview: QueueOverview {
        get throws(UnreadableQueueMessage) {
            var oldest: [QueueListing.State: Timestamp] = [:]
            for total in self.totals where total.hasOldest { oldest[try total.state.state] = total.oldest.moment }
            let resting = self.resting.map { ($0.waitsFor, Int(clamping: $0.destinations)) }
            return QueueOverview(
                summary: try self.totals.summary, oldest: oldest,
                resting: Dictionary(resting, uniquingKeysWith: { $1 }))
        }
    }
}

extension ControlGetCensusResponse {
    package init(_ census: QueueCensus) {
        self.init()
        self.totals = [ControlStateTotal](census.summary, [:])
        self.domains = census.domains.map { domain in
            .with {
                $0.domain = domain.name.text
                $0.entries = UInt64(clamping: domain.total.entries)
                $0.bytes = UInt64(clamping: domain.total.bytes)
                $0.oldest = .init(of: domain.oldest)
            }
        }
    }

    package var census: QueueCensus {
        get throws(UnreadableQueueMessage) {
            var domains: [QueueCensus.Domain] = []
            for domain in self.domains {
                domains.append(
                    QueueCensus.Domain(
                        name: try read(domain.domain, "domain") { DomainName($0) },
                        total: .init(entries: Int(clamping: domain.entries), bytes: Int(clamping: domain.bytes)),
                        oldest: domain.oldest.moment))
            }
            return QueueCensus(summary: try self.totals.summary, domains: domains)
        }
    }
}

extension ControlGetShapeResponse {
    package init(_ shape: QueueShape) {
        self.init()
        self.total = ControlShapeRow(shape.total)
        self.domains = shape.domains.map { ControlShapeRow($0) }
    }

    package var shape: QueueShape {
        get throws(UnreadableQueueMessage) {
            var domains: [QueueShape.Row] = []
            for row in self.domains { domains.append(try row.row) }
            return QueueShape(total: try self.total.row, domains: domains)
        }
    }
}

extension ControlShapeRow {
    fileprivate init(_ row: QueueShape.Row) {
        self.init()
        self.domain = row.domain?.text ?? ""
        self.total = UInt64(clamping: row.total)
        self.ages = row.ages.map { UInt64(clamping: $0) }
    }

    fileprivate var row: QueueShape.Row {
        get throws(UnreadableQueueMessage) {
            guard self.ages.count == QueueShape.bounds.count + 1 else {
                throw UnreadableQueueMessage("ages", "\(self.ages.count) of them")
            }
            let domain = self.domain.isEmpty ? nil : try read(self.domain, "domain") { DomainName($0) }
            return QueueShape.Row(
                domain: domain, total: Int(clamping: self.total), ages: self.ages.map { Int(clamping: $0) })
        }
    }
}

extension ControlActionCount {
    package init(_ count: QueueActionCount) {
        self.init()
        self.affected = UInt64(clamping: count.affected)
        self.inDelivery = UInt64(clamping: count.inDelivery)
    }

    package var count: QueueActionCount {
        var count = QueueActionCount()
        count.affected = Int(clamping: self.affected)
        count.inDelivery = Int(clamping: self.inDelivery)
        return count
    }
}
