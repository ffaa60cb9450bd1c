import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import Testing

extension Trait where Self == SharedLab {
    /// The relay of `PolicyTests`: no relay networks, a user `alice` with the password `secret`, and an authority of
    /// client certificates. Its accepted domains verify recipients in each way.
    static var policyWorld: Self {
        SharedLab { body in
            let folder = try LabFolder.temporary()
            var options = LabRelayOptions()
            options.folder = folder
            options.settings = try PolicyWorld.settings(in: folder)
            try await LabRelay.with(PolicyWorld.domains, options, body)
        }
    }
}

enum PolicyWorld {
    static let user = "alice@client.test"
    static let password = "secret"

    static let domains: [LabDomain] = [
        // Not an accepted domain: who may relay may send there.
        .dane("else.test"),
        .dane("open.test"), .dane("listed.test"), .dane("asked.test"),
        .dane("refusing.test", rules: [.on(.everyRecipient, .reply("550 5.1.1 no such user \u{1B}[31m here"))]),
        .dane("picky.test", rules: [.on(.mail, .reply("550 5.7.1 no bounces here"))]),
        .dane("guarded.test", rules: [.on(.everyRecipient, .reply("550 5.7.1 relay access denied"))]),
        .dane("silent.test", rules: [.on(.everyRecipient, .wait(.seconds(60)))]),
        .forgedCertificate("forged.test"), .bogus("bogus.test"),
    ]

    /// Writes the files that the settings name.
    fileprivate static func settings(in folder: LabFolder) throws -> [String: String] {
        let cost = try #require(PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1))
        let hash = try PasswordHash(of: Array(Self.password.utf8), cost: cost)
        let users = try folder.write("# users\n\(Self.user):\(hash)\n", to: "users")
        let list = try folder.write("bob\nCarol\n", to: "recipients")
        let pki = try TestPKI()
        // The issuing authority without the root above it: swaks sends no more than its own certificate.
        let authority = try folder.write(pki.intermediate.certificate.pem, to: "clients.pem")
        for (name, pki) in [("known", pki), ("foreign", try TestPKI())] {
            let leaf = try pki.leaf("\(name).client.test")
            try folder.write(leaf.chainPEM, to: "\(name).pem")
            try folder.write(leaf.key.pem, to: "\(name).key")
        }
        let asked = ["asked", "refusing", "picky", "guarded", "silent", "forged", "bogus"].map {
            "{domain: \($0).test, recipients: call-ahead}"
        }
        return [
            "relay-networks": "[]",
            "accepted-domains":
                "[{domain: open.test}, {domain: listed.test, recipients: {file: '\(list.path)'}}, "
                + asked.joined(separator: ", ") + "]",
            "auth.users-file": "'\(users.path)'", "auth.max-failures": "1000",
            "tls.client-certificates": "{ca-file: '\(authority.path)'}",
            "call-ahead.timeout": "15s", "smtp.max-connections-per-address": "1000",
        ]
    }

    /// The files of a client's certificate.
    static func certificate(_ name: String, of lab: LabRelay) -> (chain: String, key: String) {
        (lab.folder.url.appending(path: "\(name).pem").path, lab.folder.url.appending(path: "\(name).key").path)
    }

    /// The initial response of AUTH PLAIN (RFC 4616 §2).
    static func plain(_ user: String, _ password: String) -> String {
        Data("\0\(user)\0\(password)".utf8).base64EncodedString()
    }
}
