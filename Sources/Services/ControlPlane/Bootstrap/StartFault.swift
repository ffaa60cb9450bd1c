import ClusterModel
import ControlStore
import Cryptography
import PostgresDriver

/// What keeps a replica from starting until somebody changes something; waiting is of no use.
package struct StartFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key of the setting that is to blame, or that names what is.
    package let setting: String
    /// What is wrong, and what helps.
    package let description: String

    /// - Parameter user: the login, as the database knows it.
    init?(_ error: ControlStoreError, user: String) {
        self.setting = "database.connection"
        switch error.code {
        case .denied:
            self.description = """
                \(error.message): the login of this controller lacks rights; run `GRANT relay_control TO \(user)` as a superuser, \
                or as the role that ran `relay-controller init`
                """
        case .schemaMissing where error.cause != nil:
            self.description = """
                \(error.message): the database has no schema of relay-controller; run `relay-controller init` for a new cluster, \
                then `GRANT relay_control TO \(user)`
                """
        case .schemaMissing, .schemaNewer: self.description = error.message
        case .notInitialised: self.description = Self.noCluster
        case .unreachable where error.cause?.code == .unsuitableServer: self.description = error.message
        case .unreachable, .busy, .exists, .staleAuthority, .unfit, .other: return nil
        }
    }

    init(_ error: CryptographyError) {
        self.setting = "keys.encryption-key-file"
        self.description = """
            \(error.message): name its file here or in keys.previous-encryption-key-files; if it is lost, run \
            `relay-controller recover --new-authority`
            """
    }

    private init(_ setting: String, _ description: String) {
        self.setting = setting
        self.description = description
    }

    private static let noCluster = "the database has no cluster: run `relay-controller init`"

    static let absent = StartFault("database.connection", Self.noCluster)

    static func name(_ name: String) -> StartFault {
        StartFault("controller.name", "\(name) is no host name in lower case, which certificates need")
    }
}
