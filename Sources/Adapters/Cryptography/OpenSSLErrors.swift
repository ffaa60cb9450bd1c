import COpenSSL

/// The thread's OpenSSL error queue. It is cleared before each call whose failure matters, so that what is in it afterwards
/// belongs to that call.
package enum OpenSSLErrors {
    /// One entry of the queue.
    package struct Entry: Hashable, Sendable {
        package let library: Int32
        package let reason: Int32
        package let text: String
    }

    package static func clear() { ERR_clear_error() }

    /// Takes the queue's entries, oldest first: the first is the cause, later ones are who passed it on.
    package static func drain() -> [Entry] {
        var entries: [Entry] = []
        while case let code = ERR_get_error(), code != 0 {
            let reason = ERR_GET_REASON(code)
            // The strings are static tables of OpenSSL, or absent.
            let text = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) } ?? "error \(reason)"
            entries.append(Entry(library: ERR_GET_LIB(code), reason: reason, text: text))
        }
        return entries
    }

    /// The cause in words, for an operator.
    package static func drainText() -> String { Self.drain().first?.text ?? "no reason given" }
}
