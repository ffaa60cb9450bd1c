import Foundation

/// The programs that the demo runs, and the Debian packages that have them.
enum DemoRequirements {
    private static let programs = [
        ("setpriv", "util-linux"), ("knotd", "knot"), ("knotc", "knot"), ("keymgr", "knot"),
        ("kzonesign", "knot-dnssecutils"),
    ]

    /// What to install, in words; `nil` when all is there.
    static func missing() -> String? {
        var packages: [String] = []
        for (program, package) in Self.programs where !Self.isInstalled(program) && !packages.contains(package) {
            packages.append(package)
        }
        if !Self.hasPostgres { packages.append("postgresql") }
        guard !packages.isEmpty else { return nil }
        return """
            The demo needs these Debian packages: \(packages.joined(separator: ", ")).
            Install them with: sudo apt-get install --no-install-recommends \(packages.joined(separator: " "))
            """
    }

    private static func isInstalled(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map { String($0) } + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    private static var hasPostgres: Bool {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.contains { FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb") }
    }
}
