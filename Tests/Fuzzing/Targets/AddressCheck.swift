import MailModel

/// Addresses: what is read, written and read again is the same, and what is written has no byte that could end a line.
enum AddressCheck {
    static func check(_ input: [UInt8]) throws(Violation) {
        let text = String(decoding: input, as: UTF8.self)
        if let (path, rest) = ReversePath.parsePrefix(input[...]) {
            try promise(rest.endIndex == input.endIndex, "the rest is not the rest")
            try self.isClean("\(path)")
            try promise(ReversePath("\(path)") == path, "\(path) is read as another reverse path")
        }
        if let (path, rest) = ForwardPath.parsePrefix(input[...]) {
            try promise(rest.endIndex == input.endIndex, "the rest is not the rest")
            try self.isClean("\(path)")
            try promise(ForwardPath("\(path)")?.mailbox == path.mailbox, "\(path) is read as another forward path")
            try self.routing(path)
        }
        if let mailbox = Mailbox(text) {
            try self.isClean("\(mailbox)")
            try promise(Mailbox("\(mailbox)") == mailbox, "\(mailbox) is read as another mailbox")
            try promise(mailbox.isInternational == !"\(mailbox)".utf8.allSatisfy { $0 < 0x80 }, "UTF-8 unannounced")
        }
        try self.names(text)
        try self.parameters(text)
    }

    /// Never an open relay, in any spelling (hostile-input 12): a client from outside reaches accepted domains only, and
    /// no address that holds another one.
    private static func routing(_ path: ForwardPath) throws(Violation) {
        let accepted = DomainName("relay.test")
        guard case .relay(let domain) = path.relayDecision(clientMayRelay: false, isAccepted: { $0 == accepted }) else {
            return
        }
        try promise(domain == accepted && path.mailbox?.domainName == accepted, "\(path) would be relayed")
        let local = path.mailbox?.localPart ?? ""
        try promise(!local.utf8.contains { "@%!".utf8.contains($0) }, "\(path) holds another address")
        if case .sourceRouted = path { throw Violation("\(path) is routed") }
    }

    private static func names(_ text: String) throws(Violation) {
        if let name = DomainName(text) {
            try promise(name.text.utf8.count <= DomainName.maximumLength, "a name over its limit")
            try promise(DomainName(name.text) == name, "\(name) is read as another name")
            try promise(name.labels.allSatisfy { (1...63).contains($0.utf8.count) }, "a label over its limit")
        }
        if let address = IPAddress(text) {
            try promise(IPAddress("\(address)") == address, "\(address) is read as another address")
            try promise(IPAddress(bytes: address.bytes) == address, "\(address) has other bytes")
        }
        if let identity = MessageID(text) {
            try promise(MessageID("\(identity)") == identity, "\(identity) is read as another id")
        }
        if let status = EnhancedStatusCode(text) {
            try promise(EnhancedStatusCode("\(status)") == status, "\(status) is read as another status")
        }
    }

    private static func parameters(_ text: String) throws(Violation) {
        if let value = XText.decode(text) {
            try promise(
                value.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "xtext stands for \(value.debugDescription)")
            try promise(XText.decode(XText.encode(value)) == value, "xtext does not survive the wire")
        }
        if let recipient = OriginalRecipient(text) {
            try self.isClean("\(recipient)")
            try promise(recipient.address.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "ORCPT is not printable")
            try promise(!"\(recipient)".contains(" "), "ORCPT is more than one word")
            if recipient.addressType == "utf-8" {
                let plain = EmbeddedUnicode.unescape(recipient.address)
                try self.isClean(plain)
                try promise(EmbeddedUnicode.isValid(plain), "\(plain.debugDescription) stands for no character")
            }
        }
        if let conditions = NotifyConditions(text) {
            try promise(NotifyConditions("\(conditions)") == conditions, "\(conditions) is read as another NOTIFY")
        }
    }

    private static func isClean(_ text: String) throws(Violation) {
        try promise(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a control byte in \(text.debugDescription)")
    }
}
