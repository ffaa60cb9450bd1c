import NIOCore

/// What was written since the last flush, as one buffer and one promise.
struct PendingWrite {
    private var plaintext: ByteBuffer?
    private var promises: [EventLoopPromise<Void>] = []

    /// Adds one write.
    mutating func add(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        if let promise { self.promises.append(promise) }
        guard self.plaintext != nil else {
            self.plaintext = bytes
            return
        }
        var bytes = bytes
        self.plaintext?.writeBuffer(&bytes)
    }

    /// Takes everything; the promise stands for all.
    mutating func take(on eventLoop: any EventLoop) -> (ByteBuffer, EventLoopPromise<Void>?)? {
        guard let plaintext = self.plaintext else { return nil }
        let promises = self.promises
        self = PendingWrite()
        return (plaintext, Self.combined(promises, eventLoop))
    }

    private static func combined(
        _ promises: [EventLoopPromise<Void>], _ eventLoop: any EventLoop
    )
        -> EventLoopPromise<Void>?
    {
        guard promises.count > 1 else { return promises.first }
        let all = eventLoop.makePromise(of: Void.self)
        for promise in promises { all.futureResult.cascade(to: promise) }
        return all
    }

    /// Fails everything.
    mutating func fail(_ error: any Error) {
        let promises = self.promises
        self = PendingWrite()
        for promise in promises { promise.fail(error) }
    }
}
