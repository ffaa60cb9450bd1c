package import MailModel
package import SMTPProtocol

/// Knows, or finds out, whether recipients of accepted domains exist.
package protocol RecipientVerifier: Sendable {
    /// Whether a recipient may pass. It may take as long as the next hop of the domain does.
    func decide(_ mailbox: Mailbox, of domain: DomainName) async -> SMTPRecipientDecision
}
