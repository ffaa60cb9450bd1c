import QueueStore

/// Why a command failed: the status with which the program ends, and one line for standard error.
public struct ConsoleFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Statuses of sysexits.h, as operators' conventions name them.
    public enum Status: Int32, CaseIterable, Hashable, Sendable {
        /// The operation failed.
        case failed = 1
        /// It was asked for in the wrong way.
        case usage = 64
        /// There is no such thing, or what was given is not good.
        case badData = 65
        /// The database, or the controller, cannot be reached.
        case unavailable = 69
        /// The same may work later.
        case temporary = 75
        /// The role may not.
        case denied = 77
        /// The configuration, or the schema of the database, is not what this program needs.
        case configuration = 78

        /// The same for people who read the manual.
        public var meaning: String {
            switch self {
            case .failed: "The operation failed."
            case .usage: "The command line is wrong."
            case .badData: "There is no such message, rule, domain or the like, or what was given is not good."
            case .unavailable:
                "The database or the controller cannot be reached, or another program that is needed is not there."
            case .temporary: "The same may work later, or a wait has ended without what was waited for."
            case .denied: "The login, or the credential, may not do that."
            case .configuration:
                "The configuration, the context, or the schema of the database, is not what this program needs."
            }
        }
    }

    /// How the program ends.
    public let status: Status
    /// One line.
    public let description: String

    /// A failure.
    public init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }

    /// What the queue said.
    init(_ error: QueueStoreError) {
        let line = error.line
        switch error.trouble {
        case .unreachable: self.init(.unavailable, "the database cannot be reached: \(line)")
        case .passing: self.init(.temporary, "the database could not do it now: \(line)")
        case .denied: self.init(.denied, "the login lacks rights: \(line)")
        case .missingQueue:
            self.init(
                .configuration,
                """
                the database has no queue of this version; run `relayd migrate`, and grant the login the role that it makes \
                for operators (relay_admin, or NAME_admin with --roles NAME): \(line)
                """)
        case .unsuitable: self.init(.configuration, "the database cannot be used: \(line)")
        case .wrongVersion: self.init(.configuration, line)
        case .other: self.init(.failed, line)
        }
    }
}
