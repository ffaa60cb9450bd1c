import COpenSSL
import Cryptography

/// One generation of a server's certificates: immutable, and kept by every connection that began with it.
@safe final class ServerContexts: Sendable {
    /// For clients without SNI, or with an unknown name.
    let standard: TLSContext
    private let byName: [String: TLSContext]
    /// The clients that are recognised by their certificates; `nil` where none is asked for.
    let clients: RecognisedClients?

    init(
        _ certificates: [ServerCertificate], protocols: ApplicationProtocols, clients: RecognisedClients?
    ) throws(TLSConfigurationError) {
        guard let first = certificates.first else {
            throw TLSConfigurationError(.noCertificates, "a TLS server needs at least one certificate")
        }
        // Names answered by the same certificates share one context.
        var shared: [[Int]: TLSContext] = [:]
        var byName: [String: TLSContext] = [:]
        for (name, indices) in Self.answers(certificates) {
            if shared[indices] == nil {
                shared[indices] = try TLSContext(
                    server: indices.map { certificates[$0] }, protocols: protocols, clients: clients)
            }
            byName[name] = shared[indices]
        }
        self.byName = byName
        self.clients = clients
        if let name = first.names.first, let context = byName[name] {
            self.standard = context
        } else {
            self.standard = try TLSContext(server: [first], protocols: protocols, clients: clients)
        }
        self.standard.selectByName(self)
    }

    /// For each name the certificates that have it, the first of each kind of key.
    private static func answers(_ certificates: [ServerCertificate]) -> [String: [Int]] {
        var answers: [String: [Int]] = [:]
        for (index, certificate) in certificates.enumerated() {
            for name in certificate.names {
                let earlier = answers[name, default: []]
                guard !earlier.contains(where: { certificates[$0].key.kind == certificate.key.kind }) else { continue }
                answers[name] = earlier + [index]
            }
        }
        return answers
    }

    /// The context for an SNI name: the name itself before a wildcard, which stands for one label.
    func context(for name: String) -> TLSContext? {
        let name = name.lowercased()
        if let exact = self.byName[name] { return exact }
        guard let dot = name.firstIndex(of: ".") else { return nil }
        return self.byName["*" + name[dot...]]
    }

    /// OpenSSL's callback. An unknown name is no error: the default certificate answers (hostile-input 17).
    @unsafe static func select(_ connection: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        guard let argument = unsafe argument,
            let name = unsafe SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name)
        else { return SSL_TLSEXT_ERR_NOACK }
        // The connection that called holds the contexts; OpenSSL's string lives for the call.
        let contexts = unsafe Unmanaged<ServerContexts>.fromOpaque(argument).takeUnretainedValue()
        guard let context = contexts.context(for: unsafe String(cString: name)) else { return SSL_TLSEXT_ERR_NOACK }
        return context.with { unsafe SSL_set_SSL_CTX(connection, $0) == nil }
            ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK
    }
}
