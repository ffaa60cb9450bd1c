import Cryptography
import Foundation
import LabDatabase
public import LabPeers
public import LabSupport

/// The controller that the nodes of a `LabRelay` follow, and its first administrator, who works with `relayctl`.
public final class LabCluster: Sendable {
    /// How the nodes' certificate is called at the controller.
    public static let certificateName = "relay"

    /// The cluster and its database.
    public let controller: LabController
    /// The one controller.
    public let replica: LabController.Replica
    private let relayctl: URL
    /// Where `relayctl` keeps its contexts.
    private let home: URL
    private let folder: LabFolder

    /// Makes a cluster on the database server of a queue, starts a controller and logs the administrator in.
    static func start(beside queue: PrivateDatabase, in folder: LabFolder) async throws -> LabCluster {
        let relayctl = try BuiltProgram.named("relayctl")
        var options = LabController.Options()
        options.settings["queue.connection"] = LabSettings.quoted(queue.connectionString(as: QueueLogin.controller))
        let controller = try LabController(
            options, in: folder, database: try await PrivateDatabase.create("control", on: queue.server))
        try await controller.make()
        let replica = try controller.replica()
        let cluster = LabCluster(
            controller: controller, replica: replica, relayctl: relayctl, home: try folder.makeFolder("operator"),
            folder: folder)
        do {
            try await replica.process.start()
            try await cluster.administer(
                "login", "--controller", replica.address, "--credential", controller.credential.path)
        } catch {
            await controller.stop()
            throw error
        }
        return cluster
    }

    private init(
        controller: LabController, replica: LabController.Replica, relayctl: URL, home: URL, folder: LabFolder
    ) {
        self.controller = controller
        self.replica = replica
        self.relayctl = relayctl
        self.home = home
        self.folder = folder
    }

    /// Runs `relayctl` as the administrator; gives what it wrote, and fails with it if its status is not 0.
    @discardableResult
    public func administer(_ arguments: String...) async throws(ChildProcess.Failure) -> String {
        try await ChildProcess.run(self.relayctl.path, arguments, environment: self.environment)
    }

    /// The environment in which `relayctl` finds the administrator's context.
    public var environment: [String: String] {
        ["HOME": self.home.path, "XDG_CONFIG_HOME": self.home.appending(path: ".config").path]
    }

    /// Has the cluster serve what the nodes of a lab serve: mail of this machine, and this certificate.
    func prepare(_ leaf: TestPKI.Leaf) async throws {
        let settings = try self.folder.write("relay-networks: [127.0.0.0/8]\n", to: "fleet.yaml")
        try await self.administer("config", "set", settings.path)
        try await self.importCertificate(leaf)
    }

    /// Imports a certificate under the name that nodes have theirs by.
    ///
    /// - Parameter options: more options of `relayctl cert import`.
    public func importCertificate(_ leaf: TestPKI.Leaf, waits: Bool = false) async throws {
        let name = leaf.certificate.value.dnsNames.first ?? "unnamed"
        let chain = try self.folder.write(leaf.chainPEM, to: "\(name)-chain.pem")
        let key = try self.folder.write(leaf.key.pem, to: "\(name)-key.pem")
        let command = [
            "cert", "import", Self.certificateName, "--chain", chain.path, "--key", key.path,
        ]
        try await ChildProcess.run(
            self.relayctl.path, command + (waits ? ["--wait"] : []), environment: self.environment)
    }

    /// A token with which a node or a person may join.
    ///
    /// - Parameter role: node, admin or viewer.
    public func token(for name: String, role: String = "node") async throws -> String {
        let output = try await self.administer("node", "token", name, "--role", role)
        guard let token = output.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("relay-join_") })
        else {
            throw LabFailure("relayctl node token gave no token: \(output)")
        }
        return String(token)
    }

    /// Lets a node join; gives the settings of relayd with which it does.
    func admit(_ node: String) async throws -> [String: String] {
        let token = try await self.token(for: node)
        return [
            "control.addresses": "[\"\(self.replica.address)\"]",
            "control.state-directory": LabSettings.quoted(self.folder.url.appending(path: "state-\(node)").path),
            "control.join-token": LabSettings.quoted(token),
        ]
    }
}
