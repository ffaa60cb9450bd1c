import Foundation

/// Does work that reads files or computes for long on a thread of its own: the threads of Swift's tasks, of which there are as many
/// as cores, go on meanwhile.
package func onOwnThread<Value: Sendable>(_ name: String, _ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { done in
        let thread = Thread { done.resume(returning: work()) }
        thread.name = name
        thread.start()
    }
}
