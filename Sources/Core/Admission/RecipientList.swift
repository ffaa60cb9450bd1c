package import MailModel

/// The local parts that exist in one accepted domain. Case makes no difference, and `postmaster` exists everywhere
/// (RFC 5321 §4.5.1).
package struct RecipientList: Hashable, Sendable {
    private let localParts: Set<String>

    package init(_ localParts: some Sequence<String>) {
        self.localParts = Set(localParts.map { $0.lowercased() }).union(["postmaster"])
    }

    package func contains(_ mailbox: Mailbox) -> Bool { self.localParts.contains(mailbox.localPart.lowercased()) }
}
