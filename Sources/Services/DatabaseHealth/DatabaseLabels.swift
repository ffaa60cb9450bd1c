package import PostgresDriver
import Telemetry

/// States of a database connection.
package enum DatabaseConnectionState: String, MetricLabel {
    package static let labelName = "state"
    case idle, busy, connecting
}

/// Classes of database errors.
package enum DatabaseErrorClass: String, MetricLabel {
    package static let labelName = "class"
    case connection, timeout, serialization, constraint, fenced, resources, other
    /// The server's disk is full.
    case diskFull = "disk_full"
    /// A standby, or a former primary.
    case wrongServer = "wrong_server"
}

extension DatabaseErrorClass {
    /// The class of an error.
    package init(_ code: PostgresError.Code) {
        switch code {
        case .cannotConnect, .connectionLost, .ambiguousCommit: self = .connection
        case .readOnlyServer, .staleServer, .unsuitableServer: self = .wrongServer
        case .diskFull: self = .diskFull
        case .acquireTimeout, .tooManyWaiters, .statementTimeout: self = .timeout
        case .serializationFailure: self = .serialization
        case .uniqueViolation, .constraintViolation: self = .constraint
        case .resources: self = .resources
        default: self = .other
        }
    }
}
