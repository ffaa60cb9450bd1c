import Admission
import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import DeliveryQueue
import Foundation
import MailModel
import NodeState
import Routing
import SwiftProtobuf
import Testing
import TransportSecurity

@Suite("Resources of a controller")
struct ResourceSetTests {
    @Test("They make the content that settings and files make (control 5)")
    func content() throws {
        let content = try ControlClientTests.content(of: [
            Resources.domain("contoso.test") {
                $0.nextHop = .with { $0.host = "mail.contoso.test" }
                $0.recipientVerification = .list
                $0.recipientListParts = 2
                $0.transport = .with { $0.mode = .verify }
                $0.chunking = false
            },
            Resources.part("contoso.test", 0, ["alice"]), Resources.part("contoso.test", 1, ["Bob"]),
            Resources.domain("fabrikam.test") {
                $0.nextHop = .with {
                    $0.address = "192.0.2.7"
                    $0.port = 2525
                }
                $0.recipientVerification = .callout
            },
            Resources.user("alice", hash: "\(try PasswordHash(of: Array("secret".utf8)))"),
            try Resources.certificate("second", for: "b.test", slot: 2),
            try Resources.certificate("first", for: "a.test", slot: 1),
            Resources.settings {
                $0.relayNetworks = ["192.0.2.0/24"]
                $0.postmaster = "postmaster@contoso.test"
                $0.destinations = [
                    .with {
                        $0.pattern = "*.example.test"
                        $0.transport = .with { $0.mode = .dane }
                    }
                ]
                $0.exceptions = [
                    .with {
                        $0.pattern = "old.test"
                        $0.until = .with { $0.seconds = 1_900_000_000 }
                    }
                ]
                $0.certificateRequired = true
            },
        ])
        let contoso = try #require(DomainName("contoso.test").flatMap { content.domains[$0] })
        let host = try #require(DomainName("mail.contoso.test"))
        #expect(contoso.nextHop == .host(host, port: 25))
        #expect(contoso.verification == .list(RecipientList(["alice", "bob"])))
        #expect(contoso.demands.transport == .verify(CertificateVerification(name: host, authorities: .system)))
        #expect(contoso.demands.usesChunking == false)
        let fabrikam = try #require(DomainName("fabrikam.test").flatMap { content.domains[$0] })
        #expect(fabrikam.nextHop == .address(try #require(IPAddress("192.0.2.7")), port: 2525))
        #expect(fabrikam.verification == .callAhead && fabrikam.demands == DestinationDemands())
        #expect(content.users?.hash(of: "alice").isKnown == true && content.users?.count == 1)
        #expect(content.certificates.map(\.name) == ["certificate/first", "certificate/second"])
        #expect(content.relayNetworks == [try #require(CIDRBlock("192.0.2.0/24"))])
        #expect(content.postmaster == Mailbox("postmaster@contoso.test"))
        #expect(content.destinations.rules.map(\.value.transport) == [.dane])
        #expect(content.destinations.exceptions.map(\.until) == [Timestamp(seconds: 1_900_000_000)])
        #expect(content.requiresCertificate)
    }

    @Test("Without users AUTH is not offered, and without settings nobody may relay")
    func empty() throws {
        let content = try ControlClientTests.content(of: [])
        #expect(content.users == nil && content.relayNetworks.isEmpty && content.postmaster == nil)
    }

    @Test("What does not fit together is refused, and the resource is named (control 5)")
    func faults() throws {
        let listed = Resources.domain("a.test") {
            $0.recipientVerification = .list
            $0.recipientListParts = 2
        }
        let missing = fault(of: [listed, Resources.part("a.test", 1, ["x"])])
        #expect(missing?.key == ResourceKey(type: .domain, name: "a.test"))
        #expect(missing?.reason == "part 0 of the 2 parts of its list is missing")
        let one = try Resources.certificate("one", for: "a.test", slot: 3)
        let two = try Resources.certificate("two", for: "b.test", slot: 3)
        #expect(fault(of: [one, two])?.key == ResourceKey(type: .certificate, name: "two"))
        let stranger = try Resources.certificate("mx", for: "a.test", key: try PrivateKey(.p256))
        let mismatch = fault(of: [stranger])
        #expect(mismatch?.key == ResourceKey(type: .certificate, name: "mx"))
        #expect(mismatch?.reason.contains("not that of certificate") == true)
    }

    @Test(
        "A resource that is not good for itself is refused, and named (control 5)",
        arguments: [
            (Resources.domain("Ümlaut.test"), "domain/Ümlaut.test"),
            (Resources.domain("UPPER.test"), "domain/UPPER.test"),
            (Resources.domain("a.test") { $0.name = "b.test" }, "domain/a.test"),
            (Resources.domain("a.test") { $0.nextHop = .with { $0.host = "10.0.0.999" } }, "domain/a.test"),
            (Resources.domain("a.test") { $0.nextHop = .with { $0.address = "mail.test" } }, "domain/a.test"),
            (Resources.domain("a.test") { $0.nextHop = ControlNextHop() }, "domain/a.test"),
            (
                Resources.domain("a.test") {
                    $0.nextHop = .with {
                        $0.host = "b.test"; $0.port = 70_000
                    }
                }, "domain/a.test"
            ),
            (Resources.domain("a.test") { $0.recipientVerification = .list }, "domain/a.test"),
            (Resources.domain("a.test") { $0.transport = .with { $0.mode = .verify } }, "domain/a.test"),
            (Resources.domain("a.test") { $0.transport = .with { $0.mode = .UNRECOGNIZED(9) } }, "domain/a.test"),
            (Resources.part("a.test", 0, ["two words"]), "recipientListPart/a.test/0000"),
            (Resources.user("alice", hash: "secret"), "user/alice"),
            (Resources.settings { $0.relayNetworks = ["0.0.0.0/0"] }, "settings/fleet"),
            (Resources.settings { $0.relayNetworks = ["0.0.0.0/1", "128.0.0.0/1"] }, "settings/fleet"),
            (Resources.settings { $0.relayNetworks = ["everyone"] }, "settings/fleet"),
            (Resources.settings { $0.postmaster = "nobody" }, "settings/fleet"),
            (Resources.settings { $0.destinations = [.with { $0.pattern = "a b" }] }, "settings/fleet"),
            (Resources.settings { $0.exceptions = [.with { $0.pattern = "" }] }, "settings/fleet"),
        ])
    func single(_ resource: ControlResource, _ key: String) {
        let found = fault(of: [resource])
        #expect(found?.key.map { "\($0)" } == key, "\(found?.reason ?? "taken")")
        // The text of a hash may be a password.
        #expect(found?.reason.contains("secret") != true)
    }

    private func change(
        from set: ResourceSet, to version: UInt64, _ changed: [ControlResource], removed: [ResourceKey] = []
    ) throws -> WatchedChange<ControlResource> {
        var machine = WatchClientMachine<ControlResource>(version: set.version, held: set.versions)
        _ = machine.connected()
        let part = WatchPart(
            nonce: 1, base: set.version, target: version,
            changed: changed.map {
                WatchedResource(
                    key: $0.key ?? ResourceKey(type: .domain, name: $0.name), version: $0.version,
                    content: $0)
            }, removed: removed, hasMore: false)
        guard case .apply(let change) = machine.received(part) else {
            throw ResourceFault(nil, "no change")
        }
        return change
    }

    @Test(
        "What the controller does not refresh in its time ends; an empty body of the same version refreshes it (control 7)"
    )
    func lifetime() throws {
        let key = ResourceKey(type: .domain, name: "temporary.test")
        let begin = MonotonicInstant.test
        let first = try ResourceSet(version: 1, [Resources.domain("lasting.test")])
        var set = try first.applying(
            self.change(from: first, to: 2, [Resources.domain(key.name, version: 2)]), lifetimes: [key: .seconds(30)],
            at: begin)
        #expect(set.nextEnd == begin + .seconds(30))
        #expect(try set.content(at: begin + .seconds(29)).domains.count == 2)
        #expect(try set.content(at: begin + .seconds(30)).domains.count == 1)
        // It is not kept for a start without the controller.
        #expect(set.lasting.keys.map(\.name) == ["lasting.test"])
        let empty = ControlResource.with {
            $0.name = key.name
            $0.version = 2
        }
        var refreshed = try set.applying(
            self.change(from: set, to: 2, [empty]), lifetimes: [key: .seconds(30)], at: begin + .seconds(20))
        #expect(try refreshed.content(at: begin + .seconds(49)).domains.count == 2)
        #expect(try refreshed.content(at: begin + .seconds(50)).domains.count == 1)
        let other = ControlResource.with {
            $0.name = key.name
            $0.version = 3
        }
        let change = try self.change(from: set, to: 3, [other])
        #expect(throws: ResourceFault.self) { try set.applying(change, lifetimes: [:], at: begin) }
    }
}
