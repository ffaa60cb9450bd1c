import Admission
import ControlAPI
import GRPCCore
import MailModel
import SwiftProtobuf

/// What the settings of the fleet must be so that every node can serve by them.
enum SettingsChecks {
    static let maximumNetworks = 1_000
    static let maximumRules = 10_000
    static let maximumExceptions = 1_000
    static let maximumReasonBytes = 1_000
    /// With the authorities of rules: what fits well into a message.
    static let maximumBytes = 1 << 20

    static func check(_ settings: ControlFleetSettings) throws {
        try self.checkCount(settings.relayNetworks.count, "settings.relay_networks", atMost: self.maximumNetworks)
        try self.checkCount(settings.destinations.count, "settings.destinations", atMost: self.maximumRules)
        try self.checkCount(settings.exceptions.count, "settings.exceptions", atMost: self.maximumExceptions)
        guard try settings.serializedData().count <= self.maximumBytes else {
            throw RPCError.invalid("settings", "more than \(self.maximumBytes) bytes in all")
        }
        for (index, network) in settings.relayNetworks.enumerated() {
            try self.checkNetwork(network, "settings.relay_networks[\(index)]")
        }
        if !settings.postmaster.isEmpty { try self.checkPostmaster(settings.postmaster) }
        for (index, rule) in settings.destinations.enumerated() {
            let field = "settings.destinations[\(index)]"
            try FieldChecks.pattern(rule.pattern, "\(field).pattern")
            if rule.hasTransport { try FieldChecks.transport(rule.transport, "\(field).transport") }
        }
        for (index, exception) in settings.exceptions.enumerated() {
            try self.check(exception, "settings.exceptions[\(index)]")
        }
    }

    private static func checkCount(_ count: Int, _ field: String, atMost limit: Int) throws(RPCError) {
        guard count <= limit else { throw .invalid(field, "\(count), and at most \(limit) may be there") }
    }

    private static func checkNetwork(_ text: String, _ field: String) throws(RPCError) {
        guard let block = CIDRBlock(text) else {
            throw .invalid(field, "\(FieldChecks.shown(text)) is not a network in CIDR form")
        }
        // Everybody could send to everybody.
        guard block.prefixLength > 0 else { throw .invalid(field, "\(text) is the whole Internet") }
    }

    private static func checkPostmaster(_ text: String) throws(RPCError) {
        guard let mailbox = Mailbox(text), mailbox.domainName != nil else {
            throw .invalid("settings.postmaster", "\(FieldChecks.shown(text)) is not a mailbox with a domain")
        }
    }

    private static func check(_ exception: ControlTransportException, _ field: String) throws(RPCError) {
        try FieldChecks.pattern(exception.pattern, "\(field).pattern")
        guard exception.hasUntil, Timestamp(exception.until) != nil else {
            throw .invalid("\(field).until", "an exception needs an end")
        }
        guard !exception.reason.isEmpty else { throw .invalid("\(field).reason", "an exception needs a reason") }
        try FieldChecks.text(exception.reason, "\(field).reason", atMost: self.maximumReasonBytes)
    }
}
