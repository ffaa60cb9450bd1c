import ClusterModel
import MailModel
import Testing

@Suite("Identities of a cluster")
struct ClusterIdentityTests {
    private static let cluster = ClusterName("mail-eu")

    @Test("A cluster's name is a letter and up to 39 letters, digits and hyphens, in lower case")
    func clusterNames() {
        let longest = "a" + String(repeating: "9", count: 39)
        #expect(["a", "mail-eu", longest].compactMap { ClusterName($0)?.text } == ["a", "mail-eu", longest])
        let wrong = ["", "1a", "-a", "Mail", "mail_eu", "mail.eu", "maïl", "a b", "a\n", longest + "9"]
        #expect(wrong.filter { ClusterName($0) != nil } == [])
    }

    @Test("Controllers of a cluster have one host name")
    func controllerHost() {
        #expect(Self.cluster?.controllerHost.text == "controller.mail-eu.internal")
    }

    @Test(
        "control 16: the role and the name are in the certificate's URI",
        arguments: [
            ("relay://mail-eu/node/edge-1.example.org", ClusterRole.node, "edge-1.example.org"),
            ("relay://mail-eu/controller/c1", .controller, "c1"),
            ("relay://mail-eu/admin/ann@example.org", .admin, "ann@example.org"),
            ("relay://mail-eu/viewer/on-call_2", .viewer, "on-call_2"),
        ])
    func uri(_ uri: String, _ role: ClusterRole, _ name: String) throws {
        let cluster = try #require(Self.cluster)
        let identity = try #require(ClusterIdentity(cluster: cluster, role: role, name: name))
        #expect(identity.uri == uri)
        #expect(ClusterIdentity(uri: uri) == identity)
    }

    @Test(
        "control 16: an identity has one spelling, and no other text is one",
        arguments: [
            "", "relay://", "relay://mail-eu/node", "relay://mail-eu/node/", "relay:/mail-eu/node/edge",
            "RELAY://mail-eu/node/edge", "spiffe://mail-eu/node/edge", "relay://Mail-eu/node/edge",
            "relay://mail-eu/Node/edge", "relay://mail-eu/root/edge", "relay://mail-eu//edge",
            "relay://mail-eu/node/Edge", "relay://mail-eu/node/edge.", "relay://mail-eu/node/edge/",
            "relay://mail-eu/node/edge/admin", "relay://mail-eu/node/ed%67e", "relay://mail-eu/node/edge?admin",
            "relay://mail-eu/node/edge#", "relay://mail-eu/node/edge\u{301}", "relay://mail-eu/node/-edge",
            "relay://mail-eu/node/edge-", "relay://mail-eu/node/ed_ge", "relay://mail-eu/node/ann@example.org",
            "relay://mail-eu/controller/ann@example.org", "relay://mail-eu/admin/Ann", "relay://mail-eu/admin/a b",
            "relay://mail-eu:443/node/edge", "relay://ann@mail-eu/node/edge", " relay://mail-eu/node/edge",
            "relay://mail-eu/node/edge\n", "relay://mail-eu/node/edge\0",
        ])
    func otherTexts(_ text: String) { #expect(ClusterIdentity(uri: text) == nil) }

    @Test("control 16: a person's name has up to 128 bytes, a host's up to 253")
    func lengths() throws {
        let cluster = try #require(Self.cluster)
        func isOne(_ role: ClusterRole, _ length: Int) -> Bool {
            let labels = String(repeating: "abc.", count: 64)
            return ClusterIdentity(cluster: cluster, role: role, name: String(labels.prefix(length))) != nil
        }
        #expect(isOne(.admin, 127) && isOne(.admin, 128) && !isOne(.admin, 129) && !isOne(.admin, 0))
        #expect(isOne(.node, 253) && !isOne(.node, 255) && !isOne(.node, 0))
    }
}
