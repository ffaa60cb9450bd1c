import COpenSSL

/// Random bytes for keys, nonces and tokens, by OpenSSL's generator.
public enum RandomBytes {
    /// So many bytes that nobody can guess. A process without randomness must not go on, so it traps.
    public static func make(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            // RAND_bytes writes exactly `count` bytes, or fails.
            let isDone = unsafe count == 0 || RAND_bytes(buffer.baseAddress, Int32(count)) == 1
            precondition(isDone, "OpenSSL has no random bytes")
            written = count
        }
    }
}
