import Foundation
import LabSupport
import Logging
import MailModel
import OperatingSystem
import Testing

@testable import SecureResolver

/// An operator sets what libunbound may take and whom it asks, and never what it believes.
@Suite("Options of libunbound")
struct UnboundOptionTests {
    private func text(_ name: String, _ value: String) throws -> String {
        var settings = SecureResolverSettings()
        settings.options = [.init(name, value)]
        return try UnboundConfiguration(settings).text(at: .systemNow)
    }

    @Test(
        "Options that weaken validation, or that nobody has looked at, are refused (field D9)",
        arguments: [
            "module-config", "val-permissive-mode", "trust-anchor", "trust-anchor-file", "auto-trust-anchor-file",
            "trusted-keys-file", "include", "include-toplevel", "root-hints", "python-script", "dynlib-file",
            "val-nsec3-keysize-iterations", "domain-insecure", "val-override-date", "val-sig-skew-max",
            "val-sig-skew-min", "harden-dnssec-stripped", "harden-algo-downgrade", "harden-glue", "insecure-lan-zones",
            "ignore-cd-flag", "serve-expired", "cache-min-ttl", "minimal-responses", "local-data", "fake-sha1",
            "disable-dnssec-lame-check", "log-queries", "a: b\nc", "",
        ])
    func refusedNames(_ name: String) {
        for value in ["yes", "no", "1", "example.org"] {
            #expect(throws: SecureResolverError.self) { try self.text(name, value) }
        }
    }

    @Test(
        "A value is one thing of the option's form, and nothing can follow it (field D9)",
        arguments: [
            ("outgoing-range", "512 val-permissive-mode: yes"), ("outgoing-range", "512\nval-permissive-mode: yes"),
            ("outgoing-range", "0"), ("outgoing-range", ""), ("outgoing-range", "\"512\" # x"),
            ("do-ip6", "yes val-permissive-mode: yes"), ("do-ip6", "maybe"), ("do-ip6", ""),
            ("edns-buffer-size", "1232\tinclude: /etc/passwd"), ("msg-cache-size", "64q"), ("msg-cache-size", "m"),
            ("outgoing-interface", "192.0.2.1 do-ip6: no"), ("outgoing-interface", "192.0.2.0/33"),
            ("private-domain", "a.example domain-insecure: b.example"), ("outgoing-port-permit", "1-2-3"),
            ("target-fetch-policy", "3 2 x"), ("target-fetch-policy", ""),
            ("local-zone", "example.org. redirect"), ("local-zone", "example.org nodefault static"),
            ("local-zone", "nodefault"),
        ])
    func refusedValues(_ name: String, _ value: String) {
        #expect(throws: SecureResolverError.self) { try self.text(name, value) }
    }

    @Test(
        "What may be set is written in our own words (field D9)",
        arguments: [
            ("outgoing-range", "8192", "8192"), ("do-ip6", "no", "no"), ("msg-cache-size", "64m", "64m"),
            ("outgoing-interface", "192.0.2.1", "192.0.2.1"), ("outgoing-interface", "2001:db8::/32", "2001:db8::/32"),
            ("outgoing-port-permit", "1024-2047", "1024-2047"),
            ("target-fetch-policy", "\"3 2 1 0 -1\"", "\"3 2 1 0 -1\""),
            ("local-zone", "\"test.\" nodefault", "\"test.\" nodefault"),
            ("local-zone", "test. nodefault", "\"test.\" nodefault"), ("private-domain", "a.example", "\"a.example.\""),
        ])
    func accepted(_ name: String, _ value: String, _ written: String) throws {
        #expect(try self.text(name, value).contains("\n\(name): \(written)\n"))
    }

    @Test("libunbound knows every option that may be set (field D9)")
    func known() async throws {
        var settings = SecureResolverSettings()
        settings.options = UnboundOption.forms.sorted { $0.key < $1.key }.map { name, form in
            let value =
                switch form {
                case .flag: "yes"
                case .number(let range): "\(range.contains(1024) ? 1024 : range.upperBound)"
                case .bytes: "4m"
                case .address: "127.0.0.1"
                case .name: "example.org"
                case .ports: "20000-20010"
                case .numbers: "3 2 1 0 0"
                case .zoneWithoutDefault: "test nodefault"
                }
            return .init(name, value)
        }
        // These would have it write to the log, or use no address at all.
        settings.options.removeAll { ["verbosity", "outgoing-interface"].contains($0.name) }
        settings.executable = try BuiltProgram.named("relayd").path
        let resolver = try await SecureResolver(
            settings: settings, logger: .init(label: "test"), now: { .systemNow })
        await resolver.shutdown()
    }
}
