import ArgumentParser
import ControlPlane
import ControlStore
import OperatingSystem
import OperatorCommands
import PostgresDriver
import RelayConfiguration

/// Ends a command with the words and the code of its failure.
enum ControllerFailure {
    static func exits(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as any Error & CustomStringConvertible {
            guard let code = Self.exitCode(error) else { throw error }
            Terminal.complain(error is ConfigurationError ? "\(error)" : "relay-controller: \(error.description)")
            throw code
        }
    }

    /// `nil` for what the argument parser tells by itself.
    private static func exitCode(_ error: any Error) -> ExitCode? {
        switch error {
        case is ConfigurationError: .configuration
        case let error as MigrationError: Self.exitCode(error.code)
        case let error as ControlStoreError: Self.exitCode(error.code)
        case let error as BootstrapError: Self.exitCode(error.code)
        case is PrivateFile.Fault: .failure
        case is ExitCode, is ValidationError, is CleanExit: nil
        default: .failure
        }
    }

    private static func exitCode(_ code: MigrationError.Code) -> ExitCode {
        switch code {
        case .unsuitable, .denied: .configuration
        case .locked: .temporary
        case .database: .failure
        }
    }

    private static func exitCode(_ code: ControlStoreError.Code) -> ExitCode {
        switch code {
        case .unreachable: .unreachable
        // The authority has changed since it was read.
        case .busy, .staleAuthority: .temporary
        case .denied, .schemaMissing, .schemaNewer, .notInitialised: .configuration
        case .exists, .unfit, .other: .failure
        }
    }

    private static func exitCode(_ code: BootstrapError.Code) -> ExitCode {
        switch code {
        case .absent, .otherKey: .configuration
        case .name: .validationFailure
        case .exists, .authorityEnded: .failure
        }
    }
}
