import Foundation
import LabRelay
import LabSupport
import Testing

/// A node that an operator enrols before relayd runs for the first time.
@Suite("Enrolment of a node by relayctl", .followedController, .timeLimit(.minutes(3)))
struct NodeEnrolTests {
    /// A user that is not the one of the tests, if that is root.
    private static let otherUser = 65534

    @Test(
        "Enrolled by relayctl node enroll a node follows without a join token; a repeated run changes nothing (control 11)"
    )
    func enrolled() async throws {
        let lab = try SharedLab.lab
        let cluster = try #require(lab.cluster)
        let name = "second.test"
        let token = try await cluster.token(for: name)
        try await withTemporaryFolder { folder in
            if geteuid() == 0 {
                try FileManager.default.setAttributes(
                    [.ownerAccountID: Self.otherUser, .groupOwnerAccountID: Self.otherUser, .posixPermissions: 0o700],
                    ofItemAtPath: folder.path)
            }
            let words = [
                "node", "enroll", "--controller", cluster.replica.address, "--state-directory", folder.path, "--name",
                name, "-o", "json",
            ]
            let first = try await ProgramRun.of("relayctl", words, input: token + "\n")
            try #require(first.status == 0, "\(first.errors)")
            #expect(try first.json["changed"] as? Bool == true)
            #expect(try first.json["identity"] as? String == "relay://lab/node/\(name)")
            let identity = folder.appending(path: "identity.pem")
            let attributes = try FileManager.default.attributesOfItem(atPath: identity.path)
            let owner = try FileManager.default.attributesOfItem(atPath: folder.path)[.ownerAccountID] as? Int
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.ownerAccountID] as? Int == owner)

            let content = try Data(contentsOf: identity)
            let again = try await ProgramRun.of("relayctl", words, input: token + "\n")
            #expect(try again.status == 0 && again.json["changed"] as? Bool == false, "\(again.errors)")
            #expect(try Data(contentsOf: identity) == content)

            let node = try lab.addNode(
                name,
                following: [
                    "control.addresses": "[\"\(cluster.replica.address)\"]",
                    "control.state-directory": "'\(folder.path)'",
                ])
            try await node.relayd.start()
            let isConnected = try await eventually {
                try await node.relayd.metric("relayd_control_connected") == 1
            }
            #expect(isConnected)
            await node.relayd.stop(patience: .seconds(5))
        }
    }

    @Test("A token that the controller does not know leaves no identity: 77, and 69 without a controller")
    func refused() async throws {
        let cluster = try #require(try SharedLab.lab.cluster)
        var token = try await cluster.token(for: "third.test")
        // Another secret, with the authority's hash as it is.
        token = String(token.dropLast(48)) + String(repeating: "0", count: 48)
        try await withTemporaryFolder { folder in
            for (address, status) in [(cluster.replica.address, Int32(77)), ("127.0.0.1:1", 69)] {
                let run = try await ProgramRun.of(
                    "relayctl",
                    [
                        "node", "enroll", "--controller", address, "--state-directory", folder.path, "--name",
                        "third.test",
                    ],
                    input: token + "\n")
                #expect(run.status == status && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
                #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "identity.pem").path))
            }
        }
    }
}

extension Trait where Self == SharedLab {
    /// A relay that follows a controller.
    fileprivate static var followedController: Self {
        var options = LabRelayOptions()
        options.followsController = true
        return .lab([.dane("bravo.test")], options)
    }
}
