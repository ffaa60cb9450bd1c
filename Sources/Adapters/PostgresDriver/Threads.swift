import Foundation

/// Starts a named thread. Blocking C calls stay off the event loops and off the cooperative pool.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.name = name
    thread.start()
}
