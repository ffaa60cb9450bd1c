import Foundation

/// A mail server of Debian that `ops/lib/unpack-peers` unpacked, because only one can be installed.
enum UnpackedPeer: String {
    case exim = "exim4-daemon-light"
    case openSMTPD = "opensmtpd"

    /// The program, below the folder in which the tests run.
    var program: URL {
        let path =
            switch self {
            case .exim: "usr/sbin/exim4"
            case .openSMTPD: "usr/sbin/smtpd"
            }
        let here = URL(filePath: FileManager.default.currentDirectoryPath)
        return here.appending(path: ".build/peers/\(self.rawValue)/\(path)")
    }

    /// Why it cannot run here; `nil` if it can.
    var unavailable: String? {
        guard FileManager.default.isExecutableFile(atPath: self.program.path) else {
            return "ops/lib/unpack-peers has not unpacked \(self.rawValue)"
        }
        guard geteuid() == 0 else { return "\(self.rawValue) takes root, and this process is not root" }
        return PrivateHost.mayMakeMountNamespace
            ? nil : "\(self.rawValue) takes CAP_SYS_ADMIN, for a mount namespace of its own"
    }
}
