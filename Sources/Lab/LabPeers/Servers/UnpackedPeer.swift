import Foundation
import LabSupport

/// A mail server of Debian that `ops/lib/unpack-peers` unpacked, because only one can be installed.
enum UnpackedPeer: String {
    case exim = "exim4-daemon-light"
    case openSMTPD = "opensmtpd"

    /// Where `folder` is on the server's `PrivateHost`: accounts that may not enter this one's home can go there.
    static let home = "/run/peer"

    /// Its `/usr`, below the folder in which the tests run.
    var folder: URL {
        URL(filePath: FileManager.default.currentDirectoryPath).appending(path: ".build/peers/\(self.rawValue)/usr")
    }

    /// The server's path on its host.
    var program: String {
        switch self {
        case .exim: "\(Self.home)/sbin/exim4"
        case .openSMTPD: "\(Self.home)/sbin/smtpd"
        }
    }

    /// Whether it runs programs in `/usr/libexec`, a name that is compiled into it.
    var hasHelpers: Bool { self == .openSMTPD }

    /// Why it cannot run here; `nil` if it can.
    var unavailable: String? {
        guard FileManager.default.fileExists(atPath: self.folder.path) else {
            return "ops/lib/unpack-peers has not unpacked \(self.rawValue)"
        }
        guard geteuid() == 0 else { return "\(self.rawValue) takes root, and this process is not root" }
        return MountNamespace.isAllowed
            ? nil : "\(self.rawValue) takes CAP_SYS_ADMIN, for a mount namespace of its own"
    }
}
