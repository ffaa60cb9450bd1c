import Logging

extension Logger.Metadata {
    /// Adds what there is.
    package mutating func add(_ facts: [(key: String, value: String?)]) {
        for case (let key, let value?) in facts { self[key] = .string(value) }
    }

    /// Adds who sent a message, by domain or whole.
    package mutating func add(sender: String, isWhole: Bool) {
        self[LogKey.senderDomain] = .string(sender.domainOfAddress)
        if isWhole { self[LogKey.sender] = .string(sender) }
    }
}

extension String {
    /// What stands behind the last `@` of an address; nothing for the null sender.
    package var domainOfAddress: String {
        let start = self.lastIndex(of: "@").map { self.index(after: $0) }
        return String(self[(start ?? self.startIndex)...])
    }
}
