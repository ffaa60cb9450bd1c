/// Something that a peer's bytes reach, and what must hold of it whatever they are.
///
/// The fuzzer tries each target with inputs of its own making. The ordinary tests replay the corpus through the same
/// functions, so that a target cannot rot.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// One line of a client, as the first after EHLO and within a transaction.
    case command
    /// Content of a message that comes by DATA, and back.
    case data
    /// Content of a message that comes by BDAT.
    case bdat
    /// A server's reply.
    case reply
    /// What a proxy says in front of a connection.
    case proxy
    /// Addresses, names and the parameters that hold them.
    case address
    /// The RDATA of TLSA records.
    case tlsa
    /// A response packet of the DNS.
    case dns
    /// A message between a node and the process of its resolver.
    case resolver
    /// A report made of what a hostile host said and of a hostile message.
    case dsn
    /// A client's bytes in each state of a server session.
    case serverSession = "server-session"
    /// A server's bytes in each stage of a client session.
    case clientSession = "client-session"
    /// A peer's bytes at an HTTP/2 session.
    case http2

    /// Tries one input, and throws what did not hold.
    public func check(_ input: [UInt8]) throws(Violation) {
        switch self {
        case .command: try CommandCheck.check(input)
        case .data: try ContentCheck.check(input)
        case .bdat: try ChunkCheck.check(input)
        case .reply: try ReplyCheck.check(input)
        case .proxy: try ProxyCheck.check(input)
        case .address: try AddressCheck.check(input)
        case .tlsa: try TLSACheck.check(input)
        case .dns: try DNSCheck.check(input)
        case .resolver: try ResolverCheck.check(input)
        case .dsn: try ReportCheck.check(input)
        case .serverSession: try ServerSessionCheck.check(input)
        case .clientSession: try ClientSessionCheck.check(input)
        case .http2: try HTTP2Check.check(input)
        }
    }
}

/// A promise that an input has broken.
public struct Violation: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws unless `condition` holds; the text names the promise.
func promise(_ condition: Bool, _ text: @autoclosure () -> String) throws(Violation) {
    if !condition { throw Violation(text()) }
}
