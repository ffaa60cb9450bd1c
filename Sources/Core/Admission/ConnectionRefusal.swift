package import MailModel

/// Why a connection is not served, and what its client hears instead of the greeting.
package enum ConnectionRefusal: Hashable, Sendable {
    /// All slots are taken.
    case total
    /// This client has as many connections as one may have.
    case address
    /// This client opens too many connections in too short a time.
    case rate
    /// The node ends.
    case draining

    package var reply: SMTPReply {
        switch self {
        case .total: Self.reply(3, 2, "All connections are in use, try later")
        case .address: Self.reply(7, 0, "Too many connections from your address, try later")
        case .rate: Self.reply(7, 0, "Too many new connections from your address, try later")
        case .draining: Self.reply(3, 2, "Service is shutting down")
        }
    }

    private static func reply(_ subject: UInt16, _ detail: UInt16, _ text: String) -> SMTPReply {
        SMTPReply(421, EnhancedStatusCode(.persistentTransientFailure, subject, detail), text)
    }
}
