import COpenSSL

/// Keys made of a secret (RFC 5869), with SHA-256.
public enum HKDF {
    /// Derives `count` bytes, up to 8,160, of a secret that has the entropy of a key. `info` says what they are for: bytes for
    /// one purpose tell nothing about those for another.
    public static func sha256(
        _ secret: [UInt8], salt: [UInt8] = [], info: [UInt8], count: Int
    ) throws(CryptographyError) -> [UInt8] {
        OpenSSLErrors.clear()
        var isDone = false
        let derived = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            // OpenSSL reads the counts given, and writes exactly `count` bytes.
            unsafe isDone =
                relay_HKDF_SHA256(
                    buffer.baseAddress, count, secret, secret.count, salt, salt.count, info, info.count) == 1
            written = isDone ? count : 0
        }
        guard isDone else { throw CryptographyError(.refused, "cannot derive a key: \(OpenSSLErrors.drainText())") }
        return derived
    }
}
