import COpenSSL

/// A request for a certificate (RFC 2986): a public key, and proof that who asks has its private half.
///
/// Only the key is taken from a request; what its certificate says, the authority decides.
public struct CertificateSigningRequest: Hashable, Sendable {
    /// The most bytes of a request that is read.
    public static let maximumBytes = 8 << 10

    /// The public key in DER: named curve P-256, the point in full. So a key has one form.
    public let subjectPublicKeyInfo: [UInt8]

    /// Makes a request over the public half of `key`, signed with it, in DER.
    public static func make(key: PrivateKey, commonName: String) throws(CryptographyError) -> [UInt8] {
        let made = SigningRequest.make { new in
            let subject = unsafe X509_REQ_get_subject_name(new)
            // OpenSSL copies the name, and the key is alive for the call.
            return unsafe X509_REQ_set_version(new, 0) == 1
                && X509_NAME_add_entry_by_NID(
                    subject, NID_commonName, MBSTRING_UTF8, Array(commonName.utf8),
                    Int32(clamping: commonName.utf8.count), -1, 0) == 1
                && key.with { unsafe X509_REQ_set_pubkey(new, $0) == 1 && X509_REQ_sign(new, $0, EVP_sha256()) > 0 }
        }
        guard let made else {
            let cause = OpenSSLErrors.drainText()
            throw CryptographyError(.refused, "cannot make a signing request for \(commonName): \(cause)")
        }
        return made.der
    }

    /// Reads a request in DER of up to 8 KiB, whose own signature is right and whose key is of P-256.
    public init(der: [UInt8]) throws(CryptographyError) {
        guard der.count <= Self.maximumBytes else {
            throw CryptographyError(
                .unparsable, "a signing request of \(der.count) bytes, more than \(Self.maximumBytes)")
        }
        guard let request = SigningRequest(der: der) else {
            throw CryptographyError(.unparsable, "not a signing request: \(OpenSSLErrors.drainText())")
        }
        guard P256Key.isCanonical(request.subjectPublicKeyInfo) else {
            throw CryptographyError(.refused, "the key of the signing request is not one of P-256")
        }
        guard request.isSignedByItsKey else {
            throw CryptographyError(.refused, "the signing request is not signed by its key")
        }
        self.subjectPublicKeyInfo = request.subjectPublicKeyInfo
    }
}

/// The form of public keys that is taken.
private enum P256Key {
    /// A SubjectPublicKeyInfo up to the point's coordinates: id-ecPublicKey, prime256v1, uncompressed (RFC 5480 §2).
    private static let head: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
        0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ]

    static func isCanonical(_ key: [UInt8]) -> Bool { key.count == Self.head.count + 64 && key.starts(with: Self.head) }
}

/// The owner of OpenSSL's request.
@safe private final class SigningRequest {
    private let request: OpaquePointer

    private init(owning request: OpaquePointer) { unsafe self.request = request }

    /// Reads exactly one request.
    init?(der: [UInt8]) {
        OpenSSLErrors.clear()
        let parsed: OpaquePointer? = unsafe der.withUnsafeBufferPointer { buffer in
            // The parser moves the cursor, and never past the length given.
            var cursor = buffer.baseAddress
            guard let parsed = unsafe d2i_X509_REQ(nil, &cursor, buffer.count) else { return nil }
            if unsafe cursor == buffer.baseAddress.map({ unsafe $0 + buffer.count }) { return unsafe parsed }
            unsafe X509_REQ_free(parsed)
            return nil
        }
        guard let parsed = unsafe parsed else { return nil }
        unsafe self.request = parsed
    }

    /// A new request that `fill` makes; `nil` if it cannot.
    @safe static func make(_ fill: (OpaquePointer) -> Bool) -> SigningRequest? {
        OpenSSLErrors.clear()
        guard let new = unsafe X509_REQ_new() else { return nil }
        let request = unsafe SigningRequest(owning: new)
        return unsafe fill(new) ? request : nil
    }

    deinit { unsafe X509_REQ_free(self.request) }

    var der: [UInt8] { encoded { unsafe i2d_X509_REQ(self.request, $0) } }

    var subjectPublicKeyInfo: [UInt8] {
        encoded { unsafe i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(self.request), $0) }
    }

    /// Whether the key is a point of its curve and signed the request.
    var isSignedByItsKey: Bool {
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        // The key belongs to the request, which is alive.
        guard let key = unsafe X509_REQ_get0_pubkey(self.request) else { return false }
        return unsafe X509_REQ_verify(self.request, key) == 1
    }
}
