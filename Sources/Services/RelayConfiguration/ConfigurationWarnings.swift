import Admission
public import MailModel

extension LoadedConfiguration {
    /// What works as it is set, and does harm: told at the start and by `config check`.
    public func warnings(at now: Timestamp) -> [ConfigurationProblem] {
        [
            self.unverifiedRecipients, self.smallStagingShare, self.fsyncOff, self.shortName, self.emptyFile,
            self.openProxies,
        ]
        .compactMap(\.self) + self.unvalidatedDomains(at: now) + self.tlsExceptions(at: now)
    }

    /// Many hosts refuse EHLO with a name that is not fully qualified (RFC 5321 §2.3.5).
    private var shortName: ConfigurationProblem? {
        let name = self.configuration.node.name
        guard !name.text.contains(".") else { return nil }
        return self.problem(
            with: "node.name",
            """
            \(name) is not a fully qualified name: many hosts refuse mail after EHLO \(name); set the name that the \
            node's address has in the DNS, such as mx1.example.org
            """)
    }

    private var openProxies: ConfigurationProblem? {
        let networks = self.configuration.smtp.proxyNetworks
        let whole = networks.first { $0.prefixLength == 0 }.map { "\($0) is every address" }
        let excess = NetworkCoverage.excesses(of: networks).first.map { "these networks together hold \($0)" }
        guard let what = whole ?? excess else { return nil }
        return self.problem(
            with: "smtp.proxy-networks",
            "\(what): any client may claim to be another one; name the addresses of your proxies")
    }

    private var fsyncOff: ConfigurationProblem? {
        guard self.configuration.database.allowsFsyncOff else { return nil }
        return self.problem(
            with: "database.allow-fsync-off",
            "with fsync = off a crash of the database's machine loses mail that was answered 250")
    }

    /// EHLO announces a size that strangers are refused.
    private var smallStagingShare: ConfigurationProblem? {
        let largest = self.configuration.smtp.maxMessageSize
        let share = StagingState.most(of: self.configuration.stagedBytes, isRestricted: true)
        guard share > 0, share < largest.bytes,
            self.configuration.smtp.listeners.contains(where: \.isOpenToStrangers)
        else { return nil }
        return self.problem(
            with: "queue.max-staged-bytes",
            """
            a message of a client that may not relay has room for \(ByteCount(share)), and smtp.max-message-size is \
            \(largest): larger messages are refused with 552; set queue.max-staged-bytes, and a quarter of \
            queue.max-database-size, to four times smtp.max-message-size or more
            """)
    }

    /// Mail to an unknown recipient is bounced to the sender that it names, who may be forged.
    private var unverifiedRecipients: ConfigurationProblem? {
        let unverified = self.configuration.acceptedDomains.filter { $0.recipients == .any }
        guard let first = unverified.first,
            self.configuration.smtp.listeners.contains(where: \.isOpenToStrangers)
        else { return nil }
        let others = unverified.count > 1 ? " and \(unverified.count - 1) more" : ""
        return self.problem(
            with: "accepted-domains",
            """
            recipients of \(first.domain)\(others) are not verified, and listeners are open to strangers: mail to unknown \
            recipients makes reports to forged senders; set recipients to a file or call-ahead
            """)
    }
}

extension LoadedConfiguration {
    /// Domains that are believed without DNSSEC, or were.
    func unvalidatedDomains(at now: Timestamp) -> [ConfigurationProblem] {
        self.configuration.resolver.unvalidatedDomains.enumerated().map { index, entry in
            let effect =
                now < entry.until.start
                ? "whatever is said of \(entry.domain) and the names below it is believed without DNSSEC until \(entry.until)"
                : "ended on \(entry.until), and has no effect"
            return self.problem(
                with: "resolver.unvalidated-domains", element: "[\(index)]", "\(effect): \(entry.reason)")
        }
    }
}

extension LoadedConfiguration {
    /// Domains whose mail goes out whatever TLS comes to, or did.
    func tlsExceptions(at now: Timestamp) -> [ConfigurationProblem] {
        self.configuration.delivery.tlsExceptions.enumerated().map { index, entry in
            let effect =
                now < entry.until.start
                ? "mail for \(entry.domain) goes in clear if TLS fails, whatever DANE and the settings demand, until \(entry.until)"
                : "ended on \(entry.until), and has no effect"
            return self.problem(
                with: "delivery.tls-exceptions", element: "[\(index)]", "\(effect): \(entry.reason)")
        }
    }
}
