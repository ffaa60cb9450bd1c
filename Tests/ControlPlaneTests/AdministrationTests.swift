import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import Foundation
import GRPCCore
import LabPeers
import LabSupport
import MailModel
import OperatingSystem
import SwiftProtobuf
import Telemetry
import Testing

@Suite("Administration", .timeLimit(.minutes(2)))
struct AdministrationTests {
    private typealias Domains = TestReplica.DomainClient

    private func world(
        log: RecordedLog? = nil, _ body: (TestControl, TestReplica, TestReplica.Client) async throws -> Void
    ) async throws {
        try await TestControl.with { control in
            try await control.withReplica(log: log) { replica in
                try await replica.with(control.admin) { try await body(control, replica, $0) }
            }
        }
    }

    /// The field that an answer names, if it is INVALID_ARGUMENT; else its status.
    private func fault(_ call: () async throws -> some Sendable) async throws -> String {
        let (code, message) = try await status(call)
        return code == .invalidArgument ? String(message.prefix { $0 != ":" }) : "\(code)"
    }

    // MARK: Domains

    @Test("Each field of a domain is checked at its change, and the answer names it")
    func domainFields() async throws {
        try await self.world { _, _, client in
            func fault(_ change: (inout ControlDomain) -> Void) async throws -> String {
                var domain = ControlDomain.with {
                    $0.name = "alpha.test"
                    $0.recipientVerification = .none
                }
                change(&domain)
                let sent = domain
                return try await self.fault {
                    try await Domains(wrapping: client).applyDomains(
                        .with { $0.changes = [.with { $0.domain = sent }] })
                }
            }
            #expect(try await fault { $0.name = "Alpha.test" } == "changes[0].domain.name")
            #expect(try await fault { $0.name = "bücher.test" } == "changes[0].domain.name")
            #expect(try await fault { $0.name = "" } == "changes[0].domain.name")
            #expect(try await fault { $0.nextHop = .init() } == "changes[0].domain.next_hop")
            #expect(try await fault { $0.nextHop.host = "no host" } == "changes[0].domain.next_hop.host")
            #expect(try await fault { $0.nextHop.address = "192.0.2.300" } == "changes[0].domain.next_hop.address")
            #expect(try await fault { $0.nextHop.address = "2001:DB8::1" } == "changes[0].domain.next_hop.address")
            #expect(
                try await fault {
                    $0.nextHop.host = "hop.test"
                    $0.nextHop.port = 65536
                } == "changes[0].domain.next_hop.port")
            #expect(
                try await fault { $0.recipientVerification = .unspecified }
                    == "changes[0].domain.recipient_verification")
            #expect(
                try await fault { $0.recipientVerification = .callout } == "changes[0].domain.recipient_verification")
            #expect(try await fault { $0.recipientVerification = .list } == "failedPrecondition")
            #expect(try await fault { $0.recipientListParts = 3 } == "changes[0].domain.recipient_list_parts")
            #expect(try await fault { $0.transport.mode = .verify } == "changes[0].domain.transport.verified_name")
            #expect(
                try await fault {
                    $0.transport.mode = .verify
                    $0.transport.verifiedName = "hop.test"
                    $0.transport.authoritiesPem = "none"
                } == "changes[0].domain.transport.authorities_pem")
            #expect(
                try await fault {
                    $0.transport.mode = .encrypt
                    $0.transport.verifiedName = "hop.test"
                } == "changes[0].domain.transport")
            #expect(try await fault { $0.transport = .init() } == "changes[0].domain.transport.mode")
            let domains = try await Domains(wrapping: client).listDomains(.init()).domains
            #expect(domains.isEmpty)
            #expect(try await fault { _ in } == "ok")
        }
    }

    @Test("A change is made on the version that it names, all of it or nothing, and has its row in the audit")
    func domainChanges() async throws {
        try await self.world { _, _, client in
            let domains = Domains(wrapping: client)
            func change(_ name: String, base: UInt64?, port: UInt32 = 25) -> ControlDomainChange {
                .with {
                    $0.domain = .with {
                        $0.name = name
                        $0.recipientVerification = .none
                        $0.nextHop.host = "hop.test"
                        $0.nextHop.port = port
                    }
                    if let base { $0.baseVersion = base }
                }
            }
            let first = try await domains.applyDomains(
                .with {
                    $0.changes = [change("alpha.test", base: 0), change("bravo.test", base: nil)]
                    $0.context.reason = "moved in"
                })
            #expect(first.domains.map(\.domain.name) == ["alpha.test", "bravo.test"])
            let version = first.domains[0].version
            let clash = try await status {
                try await domains.applyDomains(
                    .with { $0.changes = [change("charlie.test", base: 0), change("alpha.test", base: 0)] })
            }
            #expect(clash.code == .aborted)
            #expect(clash.message.contains("alpha.test is at version \(version)"))
            #expect(try await domains.listDomains(.init()).domains.map(\.domain.name) == ["alpha.test", "bravo.test"])
            let trial = try await domains.applyDomains(
                .with {
                    $0.changes = [change("alpha.test", base: version, port: 2525)]
                    $0.context.dryRun = true
                })
            #expect(trial.stateVersion == first.stateVersion)
            #expect(try await domains.getDomain(.with { $0.name = "alpha.test" }).domain.version == version)
            _ = try await domains.applyDomains(.with { $0.changes = [change("alpha.test", base: version, port: 2525)] })
            #expect(
                try await domains.getDomain(.with { $0.name = "alpha.test" }).domain.domain.nextHop.port == 2525)
            // Pages.
            let page = try await domains.listDomains(.with { $0.pageSize = 1 })
            let next = try await domains.listDomains(
                .with {
                    $0.pageSize = 1
                    $0.pageToken = page.nextPageToken
                })
            #expect((page.domains + next.domains).map(\.domain.name) == ["alpha.test", "bravo.test"])
            #expect(next.nextPageToken.isEmpty)
            #expect(try await self.fault { try await domains.listDomains(.with { $0.pageSize = 1001 }) } == "page_size")
            _ = try await domains.removeDomain(.with { $0.name = "bravo.test" })
            #expect(
                try await status { try await domains.getDomain(.with { $0.name = "bravo.test" }) }.code == .notFound)
            let audit = try await ControlClusterService.Client(wrapping: client).listAudit(
                .with { $0.object = "domain/alpha.test" })
            #expect(audit.entries.map(\.action) == ["domain.apply", "domain.apply"])
            #expect(audit.entries.map(\.actor) == Array(repeating: "relay://lab/admin/root", count: 2))
            #expect(audit.entries.last?.reason == "moved in")
            #expect(audit.entries.last?.before == "")
            #expect(audit.entries.first?.before.contains("25") == true)
            #expect(audit.entries.first?.after.contains("2525") == true)
        }
    }

    @Test("A list of recipients replaces the one before as a whole, and a fault in it changes nothing")
    func recipients() async throws {
        try await self.world { _, _, client in
            let domains = Domains(wrapping: client)
            try await client.apply("alpha.test")
            func replace(
                _ parts: [String]..., domain: String = "alpha.test"
            ) async throws -> ControlReplaceRecipientsResponse {
                try await domains.replaceRecipients { writer in
                    for (index, part) in parts.enumerated() {
                        try await writer.write(
                            .with {
                                if index == 0 { $0.domain = domain }
                                $0.localParts = part
                            })
                    }
                }
            }
            #expect(try await replace(["Anna", "bert"], ["anna", "carl"]).domain.recipients == 3)
            #expect(try await self.fault { try await replace(["anna", "no body"]) } == "local_parts")
            #expect(try await self.fault { try await replace([]) } == "local_parts")
            #expect(try await self.fault { try await replace(["x"], domain: "Alpha") } == "domain")
            #expect(try await status { try await replace(["x"], domain: "zulu.test") }.code == .notFound)
            let domain = try await domains.getDomain(.with { $0.name = "alpha.test" }).domain
            #expect(domain.recipients == 3)
            // Without verification by list there is no list.
            var plain = domain.domain
            plain.recipientVerification = .none
            let sent = plain
            let applied = try await domains.applyDomains(.with { $0.changes = [.with { $0.domain = sent }] })
            #expect(applied.domains.first?.recipients == 0)
            #expect(applied.domains.first?.domain.recipientListParts == 0)
        }
    }

    // MARK: Secrets

    @Test("Hashes and keys go to nodes, and into no answer, audit, log or plain row (control 17)")
    func secrets() async throws {
        try await TestControl.with { control in
            let log = RecordedLog()
            try await control.withReplica(log: log) { replica in
                let leaf = try TestPKI().leaf("mx.test")
                let hash = "\(try PasswordHash(of: Array("secret".utf8)))"
                var shown = ""
                try await replica.with(control.admin) { client in
                    let certificates = ControlCertificateService.Client(wrapping: client)
                    let users = ControlUserService.Client(wrapping: client)
                    let imported = try await certificates.importCertificate(
                        .with {
                            $0.name = "mx"
                            $0.chainPem = leaf.chainPEM
                            $0.privateKeyPem = leaf.key.pem
                        })
                    #expect(imported.certificate.dnsNames == ["mx.test"])
                    #expect(
                        Array(imported.certificate.publicKeySha256)
                            == Digests.sha256(leaf.certificate.value.subjectPublicKeyInfo))
                    let user = try await users.setUser(
                        .with {
                            $0.name = "anna"
                            $0.passwordHash = hash
                        })
                    shown += try imported.jsonString() + user.jsonString()
                    shown += try await certificates.listCertificates(.init()).jsonString()
                    shown += try await users.listUsers(.init()).jsonString()
                    shown += try await ControlClusterService.Client(wrapping: client).listAudit(.init()).jsonString()
                    // What looks like a password is not repeated.
                    let wrong = try await status {
                        try await users.setUser(
                            .with {
                                $0.name = "bert"
                                $0.passwordHash = "hunter2-in-clear"
                            })
                    }
                    #expect(wrong.code == .invalidArgument)
                    shown += wrong.message
                }
                let node = try await control.enrolled(.node, "edge-1.test")
                try await replica.with(node) { client in
                    try await TestStream.with(client) { stream in
                        let resources = try await stream.change().flatMap(\.resources)
                        let certificate = try #require(resources.first { $0.name == "mx" }?.certificate)
                        #expect(Array(certificate.privateKeyDer) == leaf.key.der)
                        #expect(resources.first { $0.name == "anna" }?.user.passwordHash == hash)
                    }
                }
                shown += log.lines.map { "\($0)" }.joined()
                for resource in try await control.store.load().resources {
                    shown += String(decoding: resource.content + (resource.secret ?? []), as: UTF8.self)
                }
                let key = leaf.key.pem.split(separator: "\n").dropFirst().first ?? ""
                #expect(key.count > 40)
                #expect(!shown.contains(key))
                #expect(!shown.contains(hash))
                #expect(!shown.contains("hunter2"))
                #expect(!shown.contains(Data(leaf.key.der).base64EncodedString()))
            }
        }
    }

    @Test("A certificate that nodes could not show is refused at its import")
    func certificateFields() async throws {
        try await self.world { _, _, client in
            let certificates = ControlCertificateService.Client(wrapping: client)
            let pki = try TestPKI()
            let (good, other) = (try pki.leaf("mx.test"), try pki.leaf("other.test"))
            func fault(
                _ name: String = "mx", chain: String, key: String? = nil, slot: UInt32? = nil
            ) async throws -> String {
                try await self.fault {
                    try await certificates.importCertificate(
                        .with {
                            $0.name = name
                            $0.chainPem = chain
                            $0.privateKeyPem = key ?? good.key.pem
                            if let slot { $0.slot = slot }
                        })
                }
            }
            #expect(try await fault("m x", chain: good.chainPEM) == "name")
            #expect(try await fault(chain: "no PEM") == "chain_pem")
            #expect(try await fault(chain: String(repeating: "x", count: 70_000)) == "chain_pem")
            #expect(try await fault(chain: good.chainPEM, key: "no key") == "private_key_pem")
            #expect(try await fault(chain: good.chainPEM, key: other.key.pem) == "private_key_pem")
            let swapped = good.certificate.pem + pki.root.certificate.pem
            #expect(try await fault(chain: swapped) == "chain_pem")
            let expired = try pki.leaf("mx.test", validity: .expired)
            #expect(try await fault(chain: expired.chainPEM, key: expired.key.pem) == "chain_pem")
            let future = try pki.leaf("mx.test", validity: .notYetValid)
            #expect(try await fault(chain: future.chainPEM, key: future.key.pem) == "chain_pem")
            let nameless = try pki.leaf(commonName: "mx.test")
            #expect(try await fault(chain: nameless.chainPEM, key: nameless.key.pem) == "chain_pem")
            #expect(try await fault(chain: good.chainPEM) == "ok")
            #expect(try await fault("second", chain: other.chainPEM, key: other.key.pem, slot: 0) == "slot")
            #expect(try await fault("second", chain: other.chainPEM, key: other.key.pem) == "ok")
            let all = try await certificates.listCertificates(.init()).certificates
            #expect(all.map(\.name) == ["mx", "second"])
            #expect(all.map(\.slot) == [0, 1])
        }
    }

    // MARK: The fleet

    @Test("A page of the audit ends before it is too large for a message, and the next one goes on there (control 19)")
    func auditPages() async throws {
        try await self.world { control, _, client in
            let text = "\"" + String(repeating: "x", count: 60_000) + "\""
            for number in 1...40 {
                try await control.store.record(
                    ControlChange(
                        actor: "test", action: "domain.change", object: "domain/large-\(number).test", before: text,
                        after: text))
            }
            let cluster = ControlClusterService.Client(wrapping: client)
            var (objects, pages, token): ([String], Int, String) = ([], 0, "")
            repeat {
                let asked = token
                let page = try await cluster.listAudit(
                    .with {
                        $0.pageSize = 1000
                        $0.pageToken = asked
                    })
                objects += page.entries.map(\.object)
                (pages, token) = (pages + 1, page.nextPageToken)
            } while !token.isEmpty && pages < 10
            #expect(pages > 2)
            #expect(objects.filter { $0.contains("large") } == (1...40).reversed().map { "domain/large-\($0).test" })
        }
    }

    @Test("Each field of the settings is checked at its change, and the answer names it")
    func settingsFields() async throws {
        try await self.world { _, _, client in
            let fleet = ControlFleetService.Client(wrapping: client)
            func fault(_ change: (inout ControlFleetSettings) -> Void) async throws -> String {
                var settings = ControlFleetSettings.with { $0.relayNetworks = ["192.0.2.0/24"] }
                change(&settings)
                let sent = settings
                return try await self.fault { try await fleet.setSettings(.with { $0.settings = sent }) }
            }
            #expect(try await fault { $0.relayNetworks.append("192.0.2.1/24") } == "settings.relay_networks[1]")
            #expect(try await fault { $0.relayNetworks = ["0.0.0.0/0"] } == "settings.relay_networks[0]")
            #expect(
                try await fault { $0.relayNetworks = Array(repeating: "192.0.2.1", count: 1001) }
                    == "settings.relay_networks")
            #expect(try await fault { $0.postmaster = "nobody" } == "settings.postmaster")
            #expect(
                try await fault { $0.destinations = [.with { $0.pattern = "*foo" }] }
                    == "settings.destinations[0].pattern")
            // Every node would refuse it.
            #expect(
                try await fault { $0.destinations = [.with { $0.pattern = "*" }] }
                    == "settings.destinations[0].pattern")
            #expect(
                try await fault {
                    $0.destinations = [
                        .with {
                            $0.pattern = "*.test"
                            $0.transport = .init()
                        }
                    ]
                } == "settings.destinations[0].transport.mode")
            #expect(
                try await fault { $0.exceptions = [.with { $0.pattern = "*" }] } == "settings.exceptions[0].pattern")
            #expect(
                try await fault { $0.exceptions = [.with { $0.pattern = "x.test" }] } == "settings.exceptions[0].until")
            #expect(
                try await fault {
                    $0.exceptions = [
                        .with {
                            $0.pattern = "x.test"
                            $0.until = .init(seconds: 2_000_000_000)
                        }
                    ]
                } == "settings.exceptions[0].reason")
            #expect(try await fault { $0.postmaster = "postmaster@alpha.test" } == "ok")
            let settings = try await fleet.getSettings(.init())
            #expect(settings.settings.postmaster == "postmaster@alpha.test")
            #expect(settings.version > 0)
            #expect(
                try await status {
                    try await fleet.setSettings(
                        .with {
                            $0.settings = settings.settings
                            $0.baseVersion = settings.version - 1
                        })
                }.code == .aborted)
        }
    }

    @Test("A join token that an administrator made enrols, and its fields are checked (control 11)")
    func tokens() async throws {
        try await self.world { control, replica, client in
            let fleet = ControlFleetService.Client(wrapping: client)
            func fault(_ change: (inout ControlCreateJoinTokenRequest) -> Void) async throws -> String {
                var request = ControlCreateJoinTokenRequest.with { $0.nodePattern = "edge-*" }
                change(&request)
                let sent = request
                return try await self.fault { try await fleet.createJoinToken(sent) }
            }
            #expect(try await fault { $0.nodePattern = "" } == "node_pattern")
            #expect(try await fault { $0.nodePattern = "a*b*" } == "node_pattern")
            #expect(try await fault { $0.role = .admin } == "node_pattern")
            #expect(try await fault { $0.role = .UNRECOGNIZED(7) } == "role")
            #expect(try await fault { $0.uses = 10_001 } == "uses")
            #expect(try await fault { $0.lifetime = .init(seconds: 0) } == "lifetime")
            #expect(try await fault { $0.lifetime = .init(seconds: 31 * 86_400) } == "lifetime")
            #expect(try await fault { $0.context.reason = String(repeating: "x", count: 1001) } == "context.reason")
            let made = try await fleet.createJoinToken(
                .with {
                    $0.nodePattern = "anna"
                    $0.role = .viewer
                })
            let token = try #require(JoinToken(made.token))
            let key = try PrivateKey(.p256)
            let viewer = try await replica.enroll("anna", token, key: key, role: .viewer).identity.credential(key)
            #expect(viewer.identity.uri == "relay://lab/viewer/anna")
            try await replica.with(viewer) {
                let status = try await ControlClusterService.Client(wrapping: $0).getStatus(.init())
                #expect(status.cluster == "lab")
            }
            let audit = try await ControlClusterService.Client(wrapping: client).listAudit(.init()).entries
            #expect(audit.contains { $0.action == "token.create" && $0.object == "token/anna" })
            let secret = token.text.split(separator: "_").last ?? ""
            let rows = try audit.map { try $0.jsonString() }.joined()
            #expect(!rows.contains(secret))
            let trial = try await fleet.createJoinToken(
                .with {
                    $0.nodePattern = "x"
                    $0.context.dryRun = true
                })
            #expect(trial.token.isEmpty)
        }
    }

    @Test(
        "What a node serves differs from what is desired until it says so, and its clock is shown (control 9, control 15)"
    )
    func differences() async throws {
        let log = RecordedLog()
        try await self.world(log: log) { control, replica, client in
            let version = try await client.apply("alpha.test").domains[0].version
            let node = try await control.enrolled(.node, "edge-1.test")
            let fleet = ControlFleetService.Client(wrapping: client)
            let before = try await fleet.diffNode(.with { $0.name = "edge-1.test" })
            #expect(before.resources.map(\.key.name) == ["alpha.test"])
            #expect(before.resources.map(\.desired) == [version])
            #expect(before.resources.map(\.served) == [0])
            #expect(before.node.status == .away)
            _ = try await replica.with(node) {
                try await ControlNodeService.Client(wrapping: $0).reportServed(
                    .with {
                        $0.stateVersion = before.desiredVersion
                        $0.programVersion = "1.2.3"
                        $0.clock = .init(seconds: Timestamp.systemNow.microseconds / 1_000_000 + 60)
                        $0.resources = [
                            .with {
                                $0.key = .with {
                                    $0.type = .domain
                                    $0.name = "alpha.test"
                                }
                                $0.version = version
                                $0.sha256 = Data(count: 32)
                            }
                        ]
                    })
            }
            let after = try await fleet.diffNode(.with { $0.name = "edge-1.test" })
            #expect(after.resources.isEmpty)
            #expect(after.node.status == .current)
            #expect(after.node.programVersion == "1.2.3")
            #expect((57...61).contains(after.node.clockOffset.seconds))
            let warnings = log.lines.filter { $0.message.contains("clock") }
            #expect(warnings.count == 1)
            #expect(warnings.first?.metadata["node"] == "edge-1.test")
            let status = try await ControlClusterService.Client(wrapping: client).getStatus(.init())
            #expect(status.nodes == 1 && status.currentNodes == 1 && status.domains == 1)
            #expect(try await self.fault { try await fleet.diffNode(.with { $0.name = "Edge" }) } == "name")
            #expect(try await self.fault { try await fleet.diffNode(.with { $0.name = "edge-9.test" }) } == "notFound")
            // The replica that leads counts nodes.
            #expect(
                await eventually {
                    replica.registry.exposition().contains("nodes{standing=\"current\"} 1")
                        && replica.registry.exposition().contains("\nleader 1")
                })
        }
    }

    @Test("Health is for anyone, reflection a setting that names every file")
    func serving() async throws {
        try await TestControl.serving(settings: { $0.offersReflection = true }) { control, replica in
            try await replica.with(.pinned([control.authority.certificate], of: control.name)) { client in
                let health = GRPCHealth.Client(wrapping: client)
                let whole = try await health.check(.init())
                #expect(whole.status == .serving)
                let nodes = try await health.check(.with { $0.service = "relay.control.v1.NodeService" })
                #expect(nodes.status == .serving)
                let unknown = try await status { try await health.check(.with { $0.service = "x" }) }
                #expect(unknown.code == .notFound)
            }
            try await replica.with(control.admin) { client in
                let answers = try await GRPCServerReflection.Client(wrapping: client).serverReflectionInfo { writer in
                    try await writer.write(.with { $0.listServices = "*" })
                    try await writer.write(.with { $0.fileContainingSymbol = "relay.control.v1.NodeService.Watch" })
                    try await writer.write(.with { $0.fileByFilename = "none.proto" })
                } onResponse: { response in
                    var answers: [GRPCServerReflectionResponse] = []
                    for try await answer in response.messages { answers.append(answer) }
                    return answers
                }
                #expect(answers.count == 3)
                #expect(answers[0].listServicesResponse.service.map(\.name).contains("relay.control.v1.DomainService"))
                let files = try answers[1].fileDescriptorResponse.fileDescriptorProto.map {
                    try Google_Protobuf_FileDescriptorProto(serializedBytes: $0).name
                }
                #expect(files.contains("relay/control/v1/node_service.proto"))
                #expect(files.contains("google/protobuf/timestamp.proto"))
                #expect(answers[2].errorResponse.errorCode == 5)
            }
        }
    }
}
