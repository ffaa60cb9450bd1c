public import MailModel

extension SMTPServerSession {
    /// What a session is told at its start.
    public struct Configuration: Hashable, Sendable {
        /// The name in the greeting and in the reply to EHLO.
        public var hostName: DomainName
        /// Whether STARTTLS is offered; the owner may change its mind.
        public var offersSTARTTLS: Bool
        /// Whether AUTH is offered, once there is TLS; the owner then answers `.authenticate`, and may change its mind.
        public var offersAuthentication = false
        /// How the U-labels of addresses are read.
        public var domainConversion: DomainNameConversion
        /// The limits.
        public var limits: SMTPServerLimits

        /// A configuration.
        public init(
            hostName: DomainName, offersSTARTTLS: Bool = false, limits: SMTPServerLimits = SMTPServerLimits(),
            domainConversion: DomainNameConversion = .none
        ) {
            self.hostName = hostName
            self.offersSTARTTLS = offersSTARTTLS
            self.limits = limits
            self.domainConversion = domainConversion
        }
    }
}
