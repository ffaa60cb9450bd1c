import ClusterModel
import ControlClient
import Cryptography
import MailModel
import OperatingSystem
import Testing

@Suite("How a node comes to its certificate")
struct IdentityPlanTests {
    private let cluster: TestCluster
    private let now = Timestamp.systemNow

    init() throws { self.cluster = try TestCluster() }

    private func step(
        _ stored: StateDirectory.Identity, token: JoinToken? = nil, name: String = "mx1.example.test",
        refusal: String? = nil, after: Duration = .zero
    ) throws -> String {
        let plan = IdentityPlan(nodeName: try #require(DomainName(name)), token: token)
        switch plan.step(stored, refusal: refusal, at: self.now + after) {
        case .follow: return "follow"
        case .comeBack: return "come back"
        case .enrol: return "enrol"
        case .stuck(let reason): return reason
        }
    }

    @Test("Without an identity a node needs a token, and says so (control 11)")
    func none() throws {
        #expect(try self.step(.none, token: self.cluster.token) == "enrol")
        #expect(try self.step(.none).contains("set control.join-token"))
    }

    @Test("State on disk needs no token; one that is there is not used (control 11)")
    func kept() throws {
        let credential = try self.cluster.credential()
        #expect(try self.step(.found(credential)) == "follow")
        #expect(try self.step(.found(credential), token: self.cluster.token) == "follow")
    }

    @Test("A node that expired comes back by its old key, and else needs a token; it says which (control 12)")
    func expired() throws {
        let found = StateDirectory.Identity.found(try self.cluster.credential())
        let later = Duration.seconds(2 * 86_400)
        #expect(try self.step(found, after: later) == "come back")
        let stuck = try self.step(found, refusal: "it ended 8 days ago", after: later)
        #expect(stuck.contains("it ended 8 days ago") && stuck.contains("set control.join-token"))
        #expect(try self.step(found, token: self.cluster.token, refusal: "it ended", after: later) == "enrol")
    }

    @Test(
        "Files that are damaged or another's are told in plain words, and replaced where there is a token (control 12)")
    func unusable() throws {
        let damaged = StateDirectory.Identity.unusable("/x/identity.pem: no certificate in PEM")
        #expect(try self.step(damaged).hasPrefix("/x/identity.pem: no certificate in PEM: set control.join-token"))
        #expect(try self.step(damaged, token: self.cluster.token) == "enrol")
        let other = StateDirectory.Identity.found(try self.cluster.credential(of: "mx2.example.test"))
        let words = try self.step(other)
        #expect(words.contains("relay://lab/node/mx2.example.test") && words.contains("this node is mx1.example.test"))
        let admin = StateDirectory.Identity.found(try self.cluster.credential(of: "mx1.example.test", role: .admin))
        #expect(try self.step(admin).contains("relay://lab/admin/mx1.example.test"))
    }

    @Test("A token of another cluster does not take a node away from its own")
    func otherCluster() throws {
        let found = StateDirectory.Identity.found(try self.cluster.credential())
        let words = try self.step(found, token: try TestCluster("other").token)
        #expect(words.contains("cluster lab") && words.contains("cluster other"))
    }
}
