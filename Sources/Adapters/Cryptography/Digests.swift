import COpenSSL

/// The digests of RFC 6698 §2.1.3, by OpenSSL.
public enum Digests {
    /// SHA2-256, 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            // SHA256 writes exactly 32 bytes.
            _ = unsafe SHA256(bytes, bytes.count, buffer.baseAddress)
            count = 32
        }
    }

    /// SHA2-512, 64 bytes.
    public static func sha512(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            // SHA512 writes exactly 64 bytes.
            _ = unsafe SHA512(bytes, bytes.count, buffer.baseAddress)
            count = 64
        }
    }

    /// Whether both are the same bytes. For equal lengths the time tells nothing of where they differ.
    public static func equal(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        // Both have as many bytes as are compared.
        unsafe first.count == second.count && CRYPTO_memcmp(first, second, first.count) == 0
    }
}
