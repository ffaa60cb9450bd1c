package import PostgresDriver
package import QueueStore

/// What is wrong with the database, as an operator wants to read it.
package struct StoreFault: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
        case diskFull = "disk full"
        case resources = "out of resources"
        case unreachable = "cannot be reached"
        case standby = "only a standby is there"
        case staleServer = "only a former primary is there"
        case noAnswer = "no answer in time"
        case noConnection = "no connection is free"
        case connectionLost = "connection lost"
        case refused = "refuses to write"
        case unsuitable = "does not keep what a session is promised"
    }

    package let kind: Kind
    /// The database's or libpq's own words.
    package let detail: String

    package init(_ kind: Kind, _ detail: String = "") {
        self.kind = kind
        self.detail = detail
    }

    /// The fault that an error shows; `nil` for one that says nothing of the database: a lost shard, a refused message.
    package init?(_ error: QueueStoreError) {
        guard let cause = error.cause, let kind = Kind(cause) else { return nil }
        self.init(kind, String(cause.messageWithoutStatement.prefix(300)))
    }

    /// One such error is enough. Of the others each may be an accident: a connection was cut, a moment was busy.
    var isCertain: Bool {
        switch self.kind {
        case .diskFull, .resources, .unreachable, .standby, .staleServer, .unsuitable: true
        case .noAnswer, .noConnection, .connectionLost, .refused: false
        }
    }

    package var description: String {
        self.detail.isEmpty ? self.kind.rawValue : "\(self.kind.rawValue): \(self.detail)"
    }
}

extension StoreFault.Kind {
    package init?(_ error: PostgresError) {
        switch error.code {
        case .diskFull: self = .diskFull
        case .resources: self = .resources
        case .cannotConnect: self = .unreachable
        case .readOnlyServer: self = .standby
        case .staleServer: self = .staleServer
        case .unsuitableServer: self = .unsuitable
        case .statementTimeout: self = .noAnswer
        case .acquireTimeout, .tooManyWaiters: self = .noConnection
        case .connectionLost, .ambiguousCommit: self = .connectionLost
        case .insufficientPrivilege: self = .refused
        case .serializationFailure, .uniqueViolation, .constraintViolation, .server, .badValue, .shutDown: return nil
        }
    }
}

extension StoreFault.Kind {
    /// Whether it may be over without anybody changing rights, schema or settings.
    package var passesByItself: Bool { self != .refused && self != .unsuitable }
}
