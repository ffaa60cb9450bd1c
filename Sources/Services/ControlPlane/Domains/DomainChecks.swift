import ControlAPI
import GRPCCore
import MailModel

/// What a domain must be so that every node can serve it.
enum DomainChecks {
    /// - Parameter field: where the domain stands in its request.
    static func check(_ domain: ControlDomain, _ field: String) throws(RPCError) {
        _ = try FieldChecks.domain(domain.name, "\(field).name")
        if domain.hasNextHop { try self.check(domain.nextHop, "\(field).next_hop") }
        switch domain.recipientVerification {
        case .none, .list: ()
        case .callout:
            guard domain.hasNextHop else {
                throw .invalid("\(field).recipient_verification", "a callout asks the next hop, and there is none")
            }
        case .unspecified, .UNRECOGNIZED:
            throw .invalid("\(field).recipient_verification", "there is no such verification")
        }
        if domain.hasTransport { try FieldChecks.transport(domain.transport, "\(field).transport") }
        if domain.transport.mode == .dane, case .address? = domain.nextHop.target {
            throw .invalid("\(field).transport.mode", "DANE is about names, and the next hop is an address")
        }
    }

    private static func check(_ hop: ControlNextHop, _ field: String) throws(RPCError) {
        switch hop.target {
        case .host(let name)?: _ = try FieldChecks.domain(name, "\(field).host")
        case .address(let text)?:
            guard let address = IPAddress(text), address.description == text else {
                throw .invalid("\(field).address", "\(FieldChecks.shown(text)) is not an address in its usual form")
            }
        case nil: throw .invalid(field, "neither host nor address")
        }
        guard hop.port <= UInt16.max else { throw .invalid("\(field).port", "\(hop.port) is more than 65535") }
    }
}
