import InternationalDomains
import MailModel
import PostgresDriver
public import RelayConfiguration

extension ConfigurationDialect {
    /// Domains as libidn2 converts them, and connection strings as libpq takes them.
    public static var libraries: ConfigurationDialect {
        ConfigurationDialect(
            domainName: { try? DomainName(unicode: $0) }, connectionFault: Self.connectionFault,
            holdsPassword: { ConnectionString.holdsPassword($0) })
    }

    /// What libpq would say only when it connects, and then with words that may be those of a password.
    @Sendable static func connectionFault(in text: String) -> String? {
        guard let fault = ConnectionString.fault(in: text) else { return nil }
        guard case .unknownKeyword(let word, _) = fault,
            let known = NearestKey.suggestion(for: word, among: ConnectionString.keywords)
        else { return "\(fault)" }
        return "\(fault); did you mean \(known)?"
    }
}
