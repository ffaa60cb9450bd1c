import ControlAPI
import Cryptography
import GRPCCore
import MailModel
import SwiftProtobuf

/// A certificate with its key as a client sent them, found good: nodes can show it.
struct CheckedCertificate {
    static let maximumChainBytes = 64 << 10
    static let maximumKeyBytes = 16 << 10
    static let maximumNameBytes = 64

    let name: String
    let chain: [Certificate]
    let keyDER: [UInt8]

    init(_ request: ControlImportCertificateRequest, at now: Timestamp) throws(RPCError) {
        self.name = try Self.name(request.name)
        self.chain = try FieldChecks.certificates(request.chainPem, "chain_pem", atMost: Self.maximumChainBytes)
        guard request.privateKeyPem.utf8.count <= Self.maximumKeyBytes else {
            throw .invalid("private_key_pem", "more than \(Self.maximumKeyBytes) bytes")
        }
        do {
            let key = try PrivateKey(pem: Array(request.privateKeyPem.utf8))
            self.keyDER = key.der
        } catch {
            // What OpenSSL says of a key may have bytes of it.
            throw .invalid("private_key_pem", "no unencrypted private key in PEM")
        }
        do {
            _ = try ServerCertificate(
                chainPEM: Array(request.chainPem.utf8), keyPEM: Array(request.privateKeyPem.utf8))
        } catch {
            throw .invalid("private_key_pem", "not the key of the first certificate of the chain")
        }
        try self.checkChain(at: now)
    }

    static func name(_ name: String) throws(RPCError) -> String {
        guard (1...Self.maximumNameBytes).contains(name.utf8.count),
            name.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || "._-".utf8.contains($0)
            })
        else {
            throw .invalid("name", "not 1 to \(Self.maximumNameBytes) letters, digits, dots, hyphens and underscores")
        }
        return name
    }

    private func checkChain(at now: Timestamp) throws(RPCError) {
        let leaf = self.chain[0].value
        guard !leaf.dnsNames.isEmpty else { throw .invalid("chain_pem", "the first certificate has no dNSName") }
        for (lower, upper) in zip(self.chain, self.chain.dropFirst()) where !lower.isIssued(by: upper) {
            throw .invalid(
                "chain_pem", "\(upper.value.subject) has not issued \(lower.value.subject), which stands before it")
        }
        guard now < leaf.notAfter else {
            throw .invalid("chain_pem", "ended at \(leaf.notAfter), and the controller's clock shows \(now)")
        }
        guard now >= leaf.notBefore else {
            throw .invalid("chain_pem", "begins at \(leaf.notBefore), and the controller's clock shows \(now)")
        }
    }

    /// What is stored and shown; the key is apart from it.
    func message(slot: UInt32) -> ControlCertificate {
        .with {
            $0.name = self.name
            $0.chainPem = self.chain.map(\.pem).joined()
            $0.notAfter = .init(self.chain[0].value.notAfter)
            $0.slot = slot
        }
    }
}
