package import DeliveryQueue
package import MailModel

/// What the operator decides about deliveries.
package struct DeliverySettings: Sendable {
    /// This node's name, in traces and reports.
    let node: DomainName
    /// The port of hosts found by MX.
    let port: UInt16
    /// 8-bit content that nothing signs becomes 7-bit for hosts without 8BITMIME.
    let convertsEightBit: Bool
    let connectionsPerDestination: Int
    let messagesPerConnection: Int
    let retries: RetryPolicy
    /// The header address of reports to senders.
    let reportsFrom: Mailbox?
    /// The largest message that a report gives back whole, in bytes.
    let returnedBytes: Int
    /// Log lines have whole addresses, and not their domains alone.
    let logsAddresses: Bool

    package init(
        node: DomainName, port: UInt16, convertsEightBit: Bool,
        connectionsPerDestination: Int, messagesPerConnection: Int, retries: RetryPolicy, reportsFrom: Mailbox?,
        returnedBytes: Int, logsAddresses: Bool = false
    ) {
        self.node = node
        self.port = port
        self.convertsEightBit = convertsEightBit
        self.connectionsPerDestination = connectionsPerDestination
        self.messagesPerConnection = messagesPerConnection
        self.retries = retries
        self.reportsFrom = reportsFrom
        self.returnedBytes = returnedBytes
        self.logsAddresses = logsAddresses
    }
}
