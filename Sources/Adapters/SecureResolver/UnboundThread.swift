import CUnbound
import Foundation
import Glibc
import MailModel
import Synchronization

/// How one query to libunbound ended.
enum QueryOutcome: Equatable, Sendable {
    case answered(RawAnswer)
    /// Our own deadline passed.
    case timedOut
    /// libunbound itself failed, or is not there any more.
    case unavailable(String)
}

/// The thread that owns a libunbound context: every call of the library is made here.
///
/// libunbound resolves on a second thread of its own and tells this one through a descriptor. Others talk to this
/// thread by commands and a wake-up descriptor, and are answered by their closures, called on this thread.
final class UnboundThread: Sendable {
    enum Command: Sendable {
        case resolve(name: String, type: UInt16, deadline: ContinuousClock.Instant, @Sendable (QueryOutcome) -> Void)
        case stop(@Sendable () -> Void)
    }

    private struct Mailbox {
        var commands: [Command] = []
        var isClosed = false
    }

    private let mailbox = Mutex(Mailbox())
    private let wakeUp: Int32

    /// Starts the thread and waits until libunbound has accepted its configuration.
    ///
    /// - Parameters:
    ///   - clockWasSet: told on this thread by how much, whenever a context is given up because of it.
    init(
        configuration: String, now: @escaping @Sendable () -> Timestamp,
        clockWasSet: @escaping @Sendable (Duration) -> Void
    ) async throws(SecureResolverError) {
        self.wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard self.wakeUp >= 0 else { throw .init(.libraryFailure, "no descriptor for the resolver's thread") }
        let failure = await withCheckedContinuation { (ready: CheckedContinuation<SecureResolverError?, Never>) in
            let thread = Thread { [self] in
                self.run(UnboundContexts(configuration: configuration, now: now, clockWasSet: clockWasSet), ready)
            }
            thread.name = "resolver"
            thread.start()
        }
        if let failure { throw failure }
    }

    deinit { Glibc.close(self.wakeUp) }

    /// Hands a command over. After the end of the thread it is answered at once.
    func send(_ command: Command) {
        let isClosed = self.mailbox.withLock { mailbox in
            if !mailbox.isClosed { mailbox.commands.append(command) }
            return mailbox.isClosed
        }
        guard !isClosed else { return Self.refuse(command) }
        // The count in the descriptor only has to differ from zero.
        _ = eventfd_write(self.wakeUp, 1)
    }

    private static func refuse(_ command: Command) {
        switch command {
        case .resolve(_, _, _, let done): done(.unavailable("the resolver is shut down"))
        case .stop(let done): done()
        }
    }

    // MARK: On the thread

    private func run(
        _ contexts: UnboundContexts, _ ready: CheckedContinuation<SecureResolverError?, Never>
    ) {
        var contexts = contexts
        if case .failure(let error) = contexts.current() {
            self.seal()
            return ready.resume(returning: error)
        }
        ready.resume(returning: nil)
        var stopped: [@Sendable () -> Void] = []
        while stopped.isEmpty {
            self.wait(for: contexts.last)
            let context = contexts.current()
            for command in self.mailbox.withLock({ mailbox in exchange(&mailbox.commands, with: []) }) {
                if case .stop(let done) = command { stopped.append(done) } else { Self.run(command, in: context) }
            }
            contexts.last?.process()
            contexts.last?.expire(at: .now)
        }
        // Deleting the context drops its callbacks, so whoever waits is answered first.
        let late = self.seal()
        contexts.end("the resolver is shut down")
        for command in late { Self.refuse(command) }
        for done in stopped { done() }
    }

    private static func run(_ command: Command, in context: Result<UnboundContext, SecureResolverError>) {
        guard case .resolve(let name, let type, let deadline, let done) = command else { return }
        switch context {
        case .success(let context): context.resolve(name, type: type, deadline: deadline, done)
        case .failure(let error): done(.unavailable("\(error)"))
        }
    }

    @discardableResult
    private func seal() -> [Command] {
        self.mailbox.withLock { mailbox in
            mailbox.isClosed = true
            return exchange(&mailbox.commands, with: [])
        }
    }

    private func wait(for context: UnboundContext?) {
        var descriptors = [
            pollfd(fd: self.wakeUp, events: Int16(POLLIN), revents: 0),
            // A negative descriptor is passed over (poll(2)).
            pollfd(fd: context?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        var milliseconds: Int32 = -1
        if let deadline = context?.nextDeadline {
            let left = ContinuousClock.now.duration(to: deadline)
            milliseconds = Int32(clamping: max(0, left / .milliseconds(1)).rounded(.up).clampedToInt64)
        }
        // `poll` writes only into the two elements that it is given.
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        var count: eventfd_t = 0
        if descriptors[0].revents != 0 { _ = unsafe eventfd_read(self.wakeUp, &count) }
    }
}

extension Double {
    fileprivate var clampedToInt64: Int64 { self < 1e15 ? Int64(self) : Int64(1e15) }
}
