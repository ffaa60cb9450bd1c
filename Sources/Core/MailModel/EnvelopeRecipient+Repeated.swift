extension EnvelopeRecipient {
    /// The same address once more: one recipient, whose sender wants to hear what was asked for either.
    public func united(with other: EnvelopeRecipient) -> EnvelopeRecipient {
        guard self.notify != other.notify else { return self }
        var united = self
        let usual: NotifyConditions = [.failure, .delay]
        let notify = (self.notify ?? usual).union(other.notify ?? usual)
        // What is not given means these (RFC 3461 §4.1).
        united.notify = notify == usual && (self.notify == nil || other.notify == nil) ? nil : notify
        return united
    }
}

/// Recipients in the order in which they first came, each of them once.
public struct UnitedRecipients: Sendable {
    private struct Name: Hashable {
        let path: ForwardPath
        let original: OriginalRecipient?
    }

    private let tellsOriginals: Bool
    private var places: [Name: Int] = [:]
    /// The recipients.
    public private(set) var all: [EnvelopeRecipient] = []

    /// No recipients. `tellsOriginals`: two that were given under different names (ORCPT) are two, since reports name each.
    public init(tellsOriginals: Bool) { self.tellsOriginals = tellsOriginals }

    /// Adds a recipient, and gives its place among all.
    @discardableResult
    public mutating func add(_ recipient: EnvelopeRecipient) -> Int {
        let name = Name(path: recipient.path, original: self.tellsOriginals ? recipient.originalRecipient : nil)
        if let place = self.places[name] {
            self.all[place] = self.all[place].united(with: recipient)
            return place
        }
        self.places[name] = self.all.count
        self.all.append(recipient)
        return self.all.count - 1
    }
}
