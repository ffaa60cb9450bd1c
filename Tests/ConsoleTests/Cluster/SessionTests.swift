import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import GRPCCore
import LabSupport
import MailModel
import OperatingSystem
import SwiftProtobuf
import Testing

@testable import Console

@Suite("Contexts and credentials of relayctl", .timeLimit(.minutes(1)))
struct SessionTests {
    private func login(
        _ fixture: ClusterFixture, _ proof: LoginRequest.Proof, context: String? = nil
    ) async -> ClusterFixture.Transcript {
        await fixture.transcript { session throws(ConsoleFailure) in
            try await session.login(
                LoginRequest(context: context, addresses: [fixture.address], proof: proof), as: .table)
        }
    }

    @Test("A login keeps credential and addresses, closed to others, and counts from then on")
    func login() async throws {
        try await ClusterFixture.run { fixture in
            let credential = try fixture.controller.credential()
            let told = await self.login(fixture, .credential(credential))
            #expect(told.failure == nil && told.output.hasPrefix("context lab: relay://lab/admin/alice, until "))
            let store = fixture.store
            #expect(store.names() == ["lab"] && store.current() == "lab")
            let read = try store.read("lab")
            #expect(read.addresses == [fixture.address] && read.credential.pem == credential.pem)
            for file in ["contexts/lab.pem", "contexts/lab.yaml", "current-context"] {
                #expect(try ClusterFixture.mode("\(store.folder)/\(file)") == 0o600, "\(file)")
            }
            for folder in ["", "/contexts"] { #expect(try ClusterFixture.mode(store.folder + folder) == 0o700) }
        }
    }

    @Test("A login that no controller accepts keeps nothing")
    func refused() async throws {
        try await ClusterFixture.run { fixture in
            let foreign = try TestController().credential()
            let told = await self.login(fixture, .credential(foreign))
            #expect(told.failure?.status == .unavailable && fixture.store.names().isEmpty)
            #expect(fixture.store.current() == nil)
        }
    }

    @Test("A token makes a credential; a lost answer is asked for again with the same key (control 11)")
    func token() async throws {
        try await ClusterFixture.run { fixture in
            fixture.controller.state { $0.lostAnswers = 1 }
            let proof = LoginRequest.Proof.token(fixture.controller.token, name: "bob", role: .viewer)
            let lost = await self.login(fixture, proof, context: "prod")
            #expect(lost.failure?.status == .unavailable && fixture.store.names().isEmpty)
            #expect(try ClusterFixture.mode(fixture.store.keyFile("prod")) == 0o600)
            let told = await self.login(fixture, proof, context: "prod")
            #expect(told.failure == nil)
            let keys = try fixture.controller.state { $0.enrolled }.map { try CertificateSigningRequestKey($0) }
            #expect(keys.count == 2 && keys[0] == keys[1])
            #expect(try fixture.store.read("prod").credential.identity.uri == "relay://lab/viewer/bob")
            #expect(!FileManager.default.fileExists(atPath: fixture.store.keyFile("prod")))
        }
    }

    @Test("A context is not taken over by another cluster")
    func otherCluster() async throws {
        try await ClusterFixture.run { fixture in
            let other = try TestController("other")
            try fixture.store.write("lab", [fixture.address], try other.credential())
            let told = await self.login(fixture, .credential(try fixture.controller.credential()))
            #expect(told.failure?.status == .usage)
            #expect(try fixture.store.read("lab").credential.identity.cluster == other.name)
        }
    }

    @Test("A credential renews itself from half its life on, for the same key")
    func renewal() async throws {
        try await ClusterFixture.run { fixture in
            for (lived, renewals) in [(Duration.seconds(1000), 0), (.seconds(1100), 1)] {
                let credential = try fixture.controller.credential(lived: lived, lives: .seconds(1050))
                try fixture.store.write("lab", [fixture.address], credential)
                let context = try fixture.store.read("lab")
                let told = await fixture.transcript { session throws(ConsoleFailure) in
                    try await session.run(context) { client throws(ConsoleFailure) in
                        try await ClusterConsole(
                            client: client, format: .table, terminal: session.terminal, time: session.time
                        ).status()
                    }
                }
                #expect(told.failure == nil && fixture.controller.state { $0.renewals } == renewals, "\(told)")
                let kept = try fixture.store.read("lab").credential
                #expect(kept.key.pem == credential.key.pem)
                #expect((kept.end > credential.end) == (renewals == 1))
            }
        }
    }

    @Test("A credential renews itself when the cluster trusts another authority, too (control 14)")
    func rotation() async throws {
        try await ClusterFixture.run { fixture in
            try fixture.store.write("lab", [fixture.address], try fixture.controller.credential())
            for isRotating in [false, true] {
                if isRotating {
                    fixture.controller.state { $0.authority.authorities.append(.with { $0.sha256 = Data([1]) }) }
                }
                let context = try fixture.store.read("lab")
                let told = await fixture.transcript { session throws(ConsoleFailure) in
                    try await session.run(context) { client throws(ConsoleFailure) in
                        try await ClusterConsole(
                            client: client, format: .table, terminal: session.terminal, time: session.time
                        ).status()
                    }
                }
                #expect(told.failure == nil)
                #expect(fixture.controller.state { $0.renewals } == (isRotating ? 1 : 0), "\(told)")
            }
        }
    }

    @Test("Without a controller a command ends with 69 and one line")
    func nobody() async throws {
        let controller = try TestController()
        try await withTemporaryFolder { folder in
            let fixture = ClusterFixture(
                controller: controller, address: try #require(ControllerAddress("127.0.0.1:1")), folder: folder,
                store: ContextStore(folder: folder.path))
            let told = try await fixture.run { console throws(ConsoleFailure) in try await console.status() }
            #expect(told.failure?.status == .unavailable && told.output.isEmpty)
            #expect(told.failure?.description.contains("\n") == false)
        }
    }

    @Test("A viewer may look, and is denied what changes (77)")
    func viewer() async throws {
        try await ClusterFixture.run { fixture in
            let looked = try await fixture.run(as: .viewer) { console throws(ConsoleFailure) in
                try await console.listDomains()
            }
            #expect(looked.failure == nil)
            let changed = try await fixture.run(as: .viewer) { console throws(ConsoleFailure) in
                try await console.addDomain("alpha.test", settings: [], ClusterChange())
            }
            #expect(changed.failure == ConsoleFailure(.denied, "that takes the role admin"))
        }
    }
}

@Suite("The store of contexts")
struct ContextStoreTests {
    private func withStore(_ body: (ContextStore, TestController) throws -> Void) async throws {
        let controller = try TestController()
        try await withTemporaryFolder { folder in try body(ContextStore(folder: folder.path), controller) }
    }

    @Test("A name on the command line comes before the environment, and that before the file")
    func chosen() async throws {
        try await self.withStore { store, controller in
            #expect(store.chosen(named: nil, environment: [:]) == nil)
            try store.write("one", [try #require(ControllerAddress("c1.test"))], try controller.credential())
            #expect(store.chosen(named: nil, environment: [:]) == "one")
            #expect(store.chosen(named: nil, environment: ["RELAYCTL_CONTEXT": "two"]) == "two")
            #expect(store.chosen(named: nil, environment: ["RELAYCTL_CONTEXT": ""]) == "one")
            #expect(store.chosen(named: "three", environment: ["RELAYCTL_CONTEXT": "two"]) == "three")
        }
    }

    @Test("A credential that others can read is refused, and so is a context that is not there (78)")
    func refused() async throws {
        try await self.withStore { store, controller in
            #expect(throws: ConsoleFailure.self) { try store.read("../etc") }
            try store.write("one", [try #require(ControllerAddress("c1.test"))], try controller.credential())
            #expect(chmod(store.credentialFile("one"), 0o644) == 0)
            do throws(ConsoleFailure) {
                _ = try store.read("one")
                Issue.record("it was read")
            } catch {
                #expect(error.status == .configuration && error.description.contains("0644"))
            }
        }
    }

    @Test("A context that is removed counts no more", arguments: [true, false])
    func removed(_ isCurrent: Bool) async throws {
        try await self.withStore { store, controller in
            let address = try #require(ControllerAddress("c1.test"))
            try store.write("one", [address], try controller.credential())
            try store.write("two", [address], try controller.credential())
            try store.remove(isCurrent ? "two" : "one")
            #expect(store.current() == (isCurrent ? nil : "two"))
            #expect(store.names() == [isCurrent ? "one" : "two"])
        }
    }

    @Test(
        "Addresses are as people write them",
        arguments: [
            ("c1.test", "c1.test:9926"), ("c1.test:99", "c1.test:99"), ("192.0.2.1", "192.0.2.1:9926"),
            ("[2001:db8::1]:99", "[2001:db8::1]:99"), ("c1.test:0", nil), ("c1.test:x", nil), ("a b", nil), ("", nil),
        ])
    func addresses(_ text: String, _ read: String?) {
        #expect(ControllerAddress(text)?.description == read)
    }
}

/// The key of a request for a certificate.
private struct CertificateSigningRequestKey: Equatable {
    let bytes: [UInt8]
    init(_ der: [UInt8]) throws { self.bytes = try CertificateSigningRequest(der: der).subjectPublicKeyInfo }
}
