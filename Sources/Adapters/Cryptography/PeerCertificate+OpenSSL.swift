import COpenSSL
import Glibc
import MailModel

extension PeerCertificate {
    /// The most subject alternative names that are read; no honest certificate has as many.
    private static let maximumNames: Int32 = 1000

    /// Copies what matters out of a certificate that somebody else owns.
    @unsafe package init(reading certificate: OpaquePointer) {
        self.init(
            der: encoded { unsafe i2d_X509(certificate, $0) },
            subjectPublicKeyInfo: encoded { unsafe i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) },
            notBefore: unsafe timestamp(X509_get0_notBefore(certificate)) ?? Timestamp(microseconds: .max),
            notAfter: unsafe timestamp(X509_get0_notAfter(certificate)) ?? Timestamp(microseconds: .min),
            dnsNames: unsafe Self.names(of: certificate, relay_GENERAL_NAMES_dns),
            uris: unsafe Self.names(of: certificate, relay_GENERAL_NAMES_uri),
            commonName: unsafe Self.commonName(of: certificate),
            subject: unsafe line(X509_get_subject_name(certificate)),
            issuer: unsafe line(X509_get_issuer_name(certificate)))
    }

    /// The subject alternative names of the kind that `text` gives the texts of.
    @unsafe private static func names(
        of certificate: OpaquePointer, _ text: (OpaquePointer?, Int32) -> UnsafePointer<ASN1_STRING>?
    ) -> [String] {
        // The list is a copy of ours, freed when its texts have been copied.
        guard let names = unsafe relay_X509_subject_alternative_names(certificate) else { return [] }
        defer { unsafe relay_GENERAL_NAMES_free(names) }
        return (0..<min(unsafe relay_GENERAL_NAMES_count(names), Self.maximumNames)).compactMap { index in
            guard let text = unsafe text(names, index) else { return nil }
            return unsafe string(text)
        }
    }

    @unsafe private static func commonName(of certificate: OpaquePointer) -> String? {
        let subject = unsafe X509_get_subject_name(certificate)
        var last: Int32 = -1
        while case let next = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, last), next >= 0 {
            last = next
        }
        guard last >= 0, let entry = unsafe X509_NAME_get_entry(subject, last) else { return nil }
        return unsafe X509_NAME_ENTRY_get_data(entry).flatMap { unsafe string($0) }
    }
}

/// The text of an ASN.1 string; `nil` if it has none in UTF-8, or too much.
@unsafe private func string(_ value: UnsafePointer<ASN1_STRING>) -> String? {
    var bytes: UnsafeMutablePointer<UInt8>?
    let length = unsafe ASN1_STRING_to_UTF8(&bytes, value)
    guard length >= 0, let bytes = unsafe bytes else { return nil }
    // OpenSSL allocated the bytes for us.
    defer { unsafe CRYPTO_free(bytes, #fileID, #line) }
    guard length <= 1024 else { return nil }
    return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(length)), as: UTF8.self)
}

/// A distinguished name on one line, control characters and other scripts escaped.
@unsafe private func line(_ name: OpaquePointer?) -> String {
    guard let name = unsafe name else { return "" }
    let output = MemoryBIO()
    _ = output.with { unsafe relay_X509_NAME_print_rfc2253($0, name) }
    return output.text
}

@unsafe private func timestamp(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp? {
    var civil = unsafe tm()
    guard unsafe ASN1_TIME_to_tm(time, &civil) == 1 else { return nil }
    return Timestamp(seconds: Int64(unsafe timegm(&civil)))
}
