import COpenSSL

/// HMAC-SHA256 (RFC 2104) under a key that this process made and never shows: names for secrets that are to be remembered
/// without being kept.
public struct KeyedDigest: Sendable {
    private let key: [UInt8]

    /// A digest with a random key.
    public init() {
        var generator = SystemRandomNumberGenerator()
        self.key = (0..<32).map { _ in generator.next() }
    }

    /// 32 bytes that nobody can compute without the key.
    public func callAsFunction(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            // HMAC of SHA-256 writes exactly 32 bytes.
            let result = unsafe HMAC(
                EVP_sha256(), self.key, Int32(self.key.count), bytes, bytes.count, buffer.baseAddress, nil)
            count = unsafe result == nil ? 0 : 32
        }
    }
}
