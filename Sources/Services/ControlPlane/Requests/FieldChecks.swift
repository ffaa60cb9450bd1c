import ClusterModel
import ControlAPI
import Cryptography
import DeliveryQueue
import GRPCCore
import MailModel

/// Reads fields of requests into values, or says which one is at fault.
enum FieldChecks {
    static let maximumAuthorityBytes = 64 << 10

    /// A domain in the one spelling that resources are named by.
    static func domain(_ text: String, _ field: String) throws(RPCError) -> DomainName {
        guard let name = DomainName(text), name.text == text else {
            throw .invalid(field, "\(Self.shown(text)) is not a domain name of A-labels in lower case")
        }
        return name
    }

    /// `example.org` or `*.example.org`. Nodes know no pattern for all domains, and neither do their settings.
    static func pattern(_ text: String, _ field: String) throws(RPCError) {
        func exact(_ text: String) -> DomainName? { DomainName(text).flatMap { $0.text == text ? $0 : nil } }
        guard DomainPattern(text, domainName: exact) != nil else {
            throw .invalid(field, "\(Self.shown(text)) is neither a domain of A-labels in lower case, nor *. and one")
        }
    }

    /// What deliveries must prove.
    static func transport(_ demand: ControlTransportDemand, _ field: String) throws(RPCError) {
        switch demand.mode {
        case .opportunistic, .encrypt, .dane:
            guard demand.verifiedName.isEmpty, demand.authoritiesPem.isEmpty else {
                throw .invalid(field, "verified_name and authorities_pem go with TRANSPORT_MODE_VERIFY only")
            }
        case .verify:
            _ = try Self.domain(demand.verifiedName, "\(field).verified_name")
            if !demand.authoritiesPem.isEmpty {
                _ = try Self.certificates(
                    demand.authoritiesPem, "\(field).authorities_pem", atMost: Self.maximumAuthorityBytes)
            }
        case .unspecified, .UNRECOGNIZED: throw .invalid("\(field).mode", "there is no such mode")
        }
    }

    static func certificates(_ pem: String, _ field: String, atMost limit: Int) throws(RPCError) -> [Certificate] {
        guard pem.utf8.count <= limit else { throw .invalid(field, "more than \(limit) bytes") }
        do {
            return try Certificate.readAll(pem: Array(pem.utf8))
        } catch {
            throw .invalid(field, error.message)
        }
    }

    /// Text for people, which is shown on lines of its own.
    static func text(_ text: String, _ field: String, atMost limit: Int) throws(RPCError) {
        guard text.utf8.count <= limit else { throw .invalid(field, "more than \(limit) bytes") }
        guard !Self.hasControls(text) else { throw .invalid(field, "has control characters") }
    }

    static func hasControls(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
    }

    /// The text as a message quotes it.
    static func shown(_ text: String) -> String { JSONText.quoted(text, atMost: 100) }
}
