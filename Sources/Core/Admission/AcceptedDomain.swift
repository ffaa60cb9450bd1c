package import Routing
package import TransportSecurity

/// A domain whose mail is taken from anyone.
package struct AcceptedDomain: Hashable, Sendable {
    /// Where its mail goes; `nil` is by its MX records.
    package var nextHop: NextHop?
    /// How its recipients are verified; `nil` where they are not.
    package var verification: RecipientVerification?
    /// What is demanded of deliveries to it.
    package var demands: DestinationDemands

    /// One whose mail goes by its MX records, unless something is said of it.
    package init(
        nextHop: NextHop? = nil, verification: RecipientVerification? = nil,
        demands: DestinationDemands = DestinationDemands()
    ) {
        self.nextHop = nextHop
        self.verification = verification
        self.demands = demands
    }
}

/// How the recipients of an accepted domain are verified before they are accepted.
package enum RecipientVerification: Hashable, Sendable {
    /// Those of the list exist, and nobody else does.
    case list(RecipientList)
    /// The domain's next hop is asked.
    case callAhead
}
