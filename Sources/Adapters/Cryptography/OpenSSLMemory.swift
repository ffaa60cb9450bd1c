import COpenSSL

/// Runs one of OpenSSL's `i2d_` functions and gives the bytes; empty if it fails.
@safe func encoded(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8] {
    // The first call measures, the second fills exactly that many bytes.
    let length = encode(nil)
    guard length > 0 else { return [] }
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
        var cursor = buffer.baseAddress
        count = max(0, Int(unsafe encode(&cursor)))
    }
}

/// A BIO over memory, for reading and writing PEM; never for a connection.
@safe final class MemoryBIO {
    private let bio: OpaquePointer?

    /// An empty one to write to.
    init() { unsafe self.bio = BIO_new(BIO_s_mem()) }

    /// One that holds a copy of these bytes.
    init(_ bytes: [UInt8]) {
        unsafe self.bio = BIO_new(BIO_s_mem())
        // OpenSSL copies the bytes, so the array need not outlive the call.
        _ = unsafe BIO_write(self.bio, bytes, Int32(clamping: bytes.count))
    }

    deinit { _ = unsafe BIO_free(self.bio) }

    /// Lends the pointer for one call.
    @safe func with<Result>(_ body: (OpaquePointer?) -> Result) -> Result { unsafe body(self.bio) }

    /// What has been written and not yet read.
    var text: String {
        var start: UnsafeMutablePointer<CChar>?
        let length = unsafe relay_BIO_get_mem_data(self.bio, &start)
        guard let start = unsafe start, length > 0 else { return "" }
        // The BIO owns the bytes and lives until the copy is made.
        let raw = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return unsafe String(decoding: raw, as: UTF8.self)
    }
}
