import COpenSSL

/// The ALPN names a server accepts (RFC 7301).
@safe final class ApplicationProtocols: Sendable {
    private let names: [[UInt8]]

    init(_ names: [String]) { self.names = names.map { Array($0.utf8) } }

    /// The first of our names that the client's list has. The list is OpenSSL's, which has checked its form, and ours does
    /// not trust it either.
    func choose(from offered: [UInt8]) -> Range<Int>? {
        for name in self.names {
            var start = 0
            while start < offered.count {
                let range = (start + 1)..<(start + 1 + Int(offered[start]))
                guard range.upperBound <= offered.count else { break }
                if offered[range].elementsEqual(name) { return range }
                start = range.upperBound
            }
        }
        return nil
    }

    /// OpenSSL's callback: a client that offers only foreign protocols is refused with `no_application_protocol`.
    @unsafe static func select(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ length: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ count: UInt32, _ argument: UnsafeMutableRawPointer?
    ) -> Int32 {
        // The context that called owns the object behind the argument. The choice points into the client's own list.
        guard let argument = unsafe argument, let offered = unsafe offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        let protocols = unsafe Unmanaged<ApplicationProtocols>.fromOpaque(argument).takeUnretainedValue()
        let list = unsafe Array(UnsafeBufferPointer(start: offered, count: Int(count)))
        guard let range = protocols.choose(from: list) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        unsafe chosen?.pointee = unsafe offered + range.lowerBound
        unsafe length?.pointee = UInt8(range.count)
        return SSL_TLSEXT_ERR_OK
    }
}
