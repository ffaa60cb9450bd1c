import Foundation
package import MailModel
package import OperatingSystem
package import RelayConfiguration

/// An address that is in use, where the program was to listen. Another process may release it, so this is no fault of the
/// settings.
package struct ListenError: Error, CustomStringConvertible {
    package let problem: ConfigurationProblem

    package var description: String { self.problem.description }

    /// What to throw for a failed bind: a `ListenError` where the address is in use, else a `ConfigurationError`.
    package static func configurationOrTransient(
        errno: CInt, at endpoint: Endpoint, key: String, element: String = "",
        in loaded: LoadedSettings<some ProgramSettings>
    ) -> any Error {
        let holder = errno == EADDRINUSE ? PortHolder.find(endpoint.address, port: endpoint.port) : nil
        let problem = loaded.problem(
            with: key, element: element, Self.words(errno: errno, at: endpoint, holder: holder))
        return errno == EADDRINUSE ? ListenError(problem: problem) : ConfigurationError(problems: [problem])
    }

    /// Why binding failed, and what helps.
    package static func words(errno: CInt, at endpoint: Endpoint, holder: PortHolder?) -> String {
        switch errno {
        case EADDRINUSE:
            "\(endpoint) is in use\(holder.map { ", by \($0)" } ?? ""): end that, or choose another address or port"
        case EACCES where endpoint.port < 1024:
            """
            this process may not listen on \(endpoint): ports below 1024 need CAP_NET_BIND_SERVICE (systemd: \
            AmbientCapabilities=CAP_NET_BIND_SERVICE)
            """
        case EADDRNOTAVAIL: "cannot listen on \(endpoint): \(endpoint.address) is no address of this machine"
        case EAFNOSUPPORT: "cannot listen on \(endpoint): this system has no IPv6"
        default: "cannot listen on \(endpoint): \(systemWords(errno: errno))"
        }
    }
}
