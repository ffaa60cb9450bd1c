/// What an operator states of deliveries to some recipient domains; what is `nil` is left to others to state.
public struct DestinationDemands: Hashable, Sendable {
    /// What the hosts owe.
    public var transport: TransportPolicy?
    /// Whether content may go by BDAT.
    public var usesChunking: Bool?

    public init(transport: TransportPolicy? = nil, usesChunking: Bool? = nil) {
        self.transport = transport
        self.usesChunking = usesChunking
    }
}
