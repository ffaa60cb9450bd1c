import DeliveryQueue

/// How soon a site has its turn. Mail without a sender comes last. Before that, hosts that have taken mail lately come first, and
/// those that said nothing last; of equals, who has the fewest connections.
struct SiteRank: Hashable, Comparable {
    /// `nullSender` where nothing else waits there.
    let share: PoolShare
    let standing: HostStanding
    /// Connections that the site has.
    let count: Int

    static func < (left: Self, right: Self) -> Bool { left.order < right.order }

    private var order: (Int, Int, Int) {
        let share = self.share == .all ? 0 : 1
        return switch self.standing {
        case .proven: (share, 0, self.count)
        case .fresh: (share, 1, self.count)
        case .silent: (share, 2, self.count)
        }
    }
}

/// The sites that wait for the same obstacle to go, by rank, and of one rank who has waited longest first.
struct SiteTurns {
    private var lines: [SiteRank: WaitingLine<ReceivingSite>] = [:]

    var isEmpty: Bool { self.lines.isEmpty }

    /// Whether a site waits that has no connection.
    var hasSiteWithout: Bool { self.lines.keys.contains { $0.count == 0 } }

    /// The next site.
    ///
    /// - Parameters:
    ///   - newest: of strangers the one that came last; else the one that came first.
    ///   - isPassedOver: ranks that have no turn now.
    func next(newest: Bool, unless isPassedOver: (SiteRank) -> Bool) -> (rank: SiteRank, site: ReceivingSite)? {
        guard let rank = self.lines.keys.filter({ !isPassedOver($0) }).min(), let line = self.lines[rank] else {
            return nil
        }
        let site = rank.standing == .fresh && newest ? line.last : line.first
        return site.map { (rank, $0) }
    }

    mutating func append(_ site: ReceivingSite, _ rank: SiteRank) {
        self.lines[rank, default: WaitingLine()].append(site)
    }

    mutating func remove(_ site: ReceivingSite, _ rank: SiteRank) {
        self.lines[rank]?.remove(site)
        if self.lines[rank]?.isEmpty == true { self.lines[rank] = nil }
    }
}
