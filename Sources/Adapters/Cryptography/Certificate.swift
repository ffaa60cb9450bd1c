import COpenSSL
public import DNSModel

/// One X.509 certificate.
@safe public final class Certificate: @unchecked Sendable {
    // An X509 is not changed after `init` and its reference count is atomic, hence `@unchecked Sendable`.
    private let certificate: OpaquePointer

    /// Its content as a value.
    public let value: PeerCertificate

    /// Reads one certificate from DER.
    public convenience init(der: [UInt8]) throws(CryptographyError) {
        OpenSSLErrors.clear()
        let parsed = unsafe der.withUnsafeBufferPointer { buffer in
            // The parser never reads past the length given.
            var cursor = buffer.baseAddress
            return unsafe d2i_X509(nil, &cursor, buffer.count)
        }
        guard let parsed = unsafe parsed else {
            throw CryptographyError(.unparsable, "not a certificate: \(OpenSSLErrors.drainText())")
        }
        unsafe self.init(owning: parsed)
    }

    /// Takes over one reference to a certificate.
    @unsafe init(owning certificate: OpaquePointer) {
        unsafe self.certificate = certificate
        self.value = unsafe PeerCertificate(reading: certificate)
    }

    deinit { unsafe X509_free(self.certificate) }

    /// Reads every certificate of a PEM text, in order; at least one.
    public static func readAll(pem: [UInt8]) throws(CryptographyError) -> [Certificate] {
        let input = MemoryBIO(pem)
        var found: [Certificate] = []
        OpenSSLErrors.clear()
        while let certificate = input.with({ unsafe PEM_read_bio_X509($0, nil, { _, _, _, _ in -1 }, nil) }) {
            unsafe found.append(Certificate(owning: certificate))
        }
        // Running out of input reads as "no start line"; anything else is a broken block.
        let cause = OpenSSLErrors.drain().first
        guard let cause, cause.library == ERR_LIB_PEM, cause.reason == PEM_R_NO_START_LINE else {
            throw CryptographyError(.unparsable, "broken certificate in PEM: \(cause?.text ?? "unknown")")
        }
        guard !found.isEmpty else { throw CryptographyError(.unparsable, "no certificate in PEM") }
        return found
    }

    /// Reads every certificate of a PEM file, in order; at least one. A failure names the file.
    public static func readAll(file: String) throws(CryptographyError) -> [Certificate] {
        let pem = try readSmallFile(file)
        do {
            return try Self.readAll(pem: pem)
        } catch {
            throw CryptographyError(error.code, "\(file): \(error.message)")
        }
    }

    /// PEM text.
    public var pem: String {
        let output = MemoryBIO()
        _ = output.with { unsafe PEM_write_bio_X509($0, self.certificate) }
        return output.text
    }

    /// The TLSA record that associates this certificate (RFC 6698 §2.1); an unknown matching type gives empty data.
    public func tlsaRecord(
        usage: TLSARecord.CertificateUsage, selector: TLSARecord.Selector, matchingType: TLSARecord.MatchingType
    ) -> TLSARecord {
        self.value.tlsaRecord(usage: usage, selector: selector, matchingType: matchingType)
    }

    /// Whether `key` is the other half of this certificate's.
    func belongs(to key: PrivateKey) -> Bool {
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        return key.with { unsafe X509_check_private_key(self.certificate, $0) == 1 }
    }

    /// Lends the pointer for one call.
    @safe package func with<Result>(_ body: (OpaquePointer) -> Result) -> Result { unsafe body(self.certificate) }
}
