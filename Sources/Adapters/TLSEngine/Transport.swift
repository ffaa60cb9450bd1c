import COpenSSL
import NIOCore

/// The bytes between OpenSSL and the channel, behind a BIO of ours: read from `inbound`, written to `outbound`.
///
/// Unlike OpenSSL's memory BIO it copies each byte once, hands a whole flush over as one buffer, and holds no memory when idle.
@safe final class Transport {
    private var inbound = ByteBuffer()
    private var outbound = ByteBuffer()
    /// Nothing more will arrive.
    private(set) var ended = false

    /// How many received bytes OpenSSL has not taken yet.
    var waiting: Int { self.inbound.readableBytes }

    /// Adds bytes that arrived.
    func received(_ bytes: ByteBuffer) {
        if self.inbound.readableBytes == 0 {
            self.inbound = bytes
        } else {
            var bytes = bytes
            self.inbound.writeBuffer(&bytes)
        }
    }

    /// No more bytes will arrive.
    func end() { self.ended = true }

    /// Takes what OpenSSL wants sent; `nil` if nothing.
    func takeOutput() -> ByteBuffer? {
        guard self.outbound.readableBytes > 0 else { return nil }
        let output = self.outbound
        self.outbound = ByteBuffer()
        return output
    }

    /// Grows the buffer before writing `bytes` of plaintext, so that a flush does not grow it step by step.
    func reserve(_ bytes: Int) {
        let records = bytes / 16_384 + 1
        self.outbound.reserveCapacity(minimumWritableBytes: bytes + records * 64)
    }

    // MARK: The BIO

    /// A new BIO over this transport. The transport must outlive it.
    @unsafe func makeBIO() -> OpaquePointer? {
        guard let method = unsafe Self.method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    // Made once, never changed and never freed, so it may be shared by all threads.
    private nonisolated(unsafe) static let method: OpaquePointer? = unsafe makeMethod()

    @unsafe private static func makeMethod() -> OpaquePointer? {
        guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "relay transport") else {
            return nil
        }
        _ = unsafe BIO_meth_set_read(method) { bio, bytes, count in
            unsafe Transport.of(bio)?.read(bio, UnsafeMutableRawBufferPointer(start: bytes, count: Int(max(0, count))))
                ?? -1
        }
        _ = unsafe BIO_meth_set_write(method) { bio, bytes, count in
            unsafe Transport.of(bio)?.write(UnsafeRawBufferPointer(start: bytes, count: Int(max(0, count)))) ?? -1
        }
        _ = unsafe BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: return 1
            case BIO_CTRL_EOF: return unsafe Transport.of(bio)?.isAtEnd == true ? 1 : 0
            default: return 0
            }
        }
        return unsafe method
    }

    /// The transport behind a BIO; its connection keeps it alive for as long as the BIO.
    @unsafe private static func of(_ bio: OpaquePointer?) -> Transport? {
        unsafe BIO_get_data(bio).map { unsafe Unmanaged<Transport>.fromOpaque($0).takeUnretainedValue() }
    }

    private var isAtEnd: Bool { self.ended && self.inbound.readableBytes == 0 }

    @unsafe private func read(_ bio: OpaquePointer?, _ target: UnsafeMutableRawBufferPointer) -> Int32 {
        unsafe relay_BIO_clear_retry_flags(bio)
        let count = unsafe self.inbound.readWithUnsafeReadableBytes { source in
            let count = min(source.count, target.count)
            // Copies at most as much as either side has.
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(count)))
            return count
        }
        if self.inbound.readableBytes == 0 { self.inbound = ByteBuffer() }
        if count > 0 { return Int32(count) }
        if self.ended { return 0 }
        unsafe relay_BIO_set_retry_read(bio)
        return -1
    }

    @unsafe private func write(_ source: UnsafeRawBufferPointer) -> Int32 {
        Int32(unsafe self.outbound.writeBytes(source))
    }
}
