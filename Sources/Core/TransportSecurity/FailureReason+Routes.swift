public import MailModel
public import Routing

extension FailureReason {
    /// The name of what planning found.
    public init(_ failure: RouteFailure) {
        switch failure {
        case .dnssecInvalid: self = .dnssecInvalid
        case .dnsQueryFailed, .overLimit: self = .dnsQueryFailed
        case .noAddress: self = .noUsableRoute
        case .noSuchHost: self = .noSuchHost
        case .routingLoop, .loopback: self = .routingLoop
        }
    }

    /// Why there is nothing to try.
    public init(_ reason: NoRoute) {
        switch reason {
        case .nullMX: self = .nullMX
        case .noSuchDomain: self = .noSuchDomain
        case .failed(let failure): self.init(failure)
        }
    }
}
