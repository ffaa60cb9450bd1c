import CUnbound
import Foundation
import Glibc
import Logging
import MailModel
import Synchronization

/// How one question to the resolver ended.
enum QueryOutcome: Equatable, Sendable {
    case answered(RawAnswer)
    /// Our own deadline passed.
    case timedOut
    /// It takes more than a look-up may, or ended the resolver; the text says which.
    case excessive(String)
    /// The resolver itself failed, or is not there any more.
    case unavailable(String)
}

/// The thread that starts resolvers, talks to them, and does what `ResolverSupervision` says.
///
/// Others talk to this thread by commands and a wake-up descriptor, and are answered by their closures, called on it.
final class ResolverThread: Sendable {
    enum Command: Sendable {
        case resolve(LookupQuestion, deadline: ContinuousClock.Instant, @Sendable (QueryOutcome) -> Void)
        /// Other children, made of this.
        case replace(ResolverProgram)
        case stop(@Sendable () -> Void)
    }

    private struct Mailbox {
        var commands: [Command] = []
        var isClosed = false
    }

    private let mailbox = Mutex(Mailbox())
    private let wakeUp: Int32
    private let published = Mutex(ResolverCounters())
    private let running = Mutex<[Int32]>([])

    /// Starts the thread and waits until a resolver has accepted its configuration.
    init(
        _ program: ResolverProgram, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) async throws(SecureResolverError) {
        self.wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard self.wakeUp >= 0 else { throw .init(.libraryFailure, "no descriptor for the resolver's thread") }
        let failure = await withCheckedContinuation { (ready: CheckedContinuation<SecureResolverError?, Never>) in
            let thread = Thread { [self] in
                // A resolver ends with the thread that started it, so all of them are started here.
                var loop = ResolverLoop(program, logger: logger, now: now)
                self.run(&loop, ready)
            }
            thread.name = "resolver"
            thread.start()
        }
        if let failure { throw failure }
    }

    deinit { Glibc.close(self.wakeUp) }

    /// The processes that run now.
    var processes: [Int32] { self.running.withLock { $0 } }

    /// What has become of the children.
    var counters: ResolverCounters { self.published.withLock { $0 } }

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
        case .resolve(_, _, let done): done(.unavailable(Self.shutDown))
        case .replace: ()
        case .stop(let done): done()
        }
    }

    private static let shutDown = "the resolver is shut down"

    // MARK: On the thread

    private func run(_ loop: inout ResolverLoop, _ ready: CheckedContinuation<SecureResolverError?, Never>) {
        if let failure = loop.begin() {
            self.seal()
            loop.end(Self.shutDown)
            return ready.resume(returning: failure)
        }
        self.publish(loop)
        ready.resume(returning: nil)
        var stopped: [@Sendable () -> Void] = []
        while stopped.isEmpty {
            if loop.wait(or: self.wakeUp) {
                var count: eventfd_t = 0
                // The variable lives through the call.
                _ = unsafe eventfd_read(self.wakeUp, &count)
            }
            loop.watchClock()
            for command in self.mailbox.withLock({ mailbox in exchange(&mailbox.commands, with: []) }) {
                switch command {
                case .resolve(let question, let deadline, let done): loop.ask(question, deadline, done)
                case .replace(let program): loop.replace(program)
                case .stop(let done): stopped.append(done)
                }
            }
            loop.turn()
            self.publish(loop)
        }
        // Whoever waits is answered before it is told that all has ended.
        let late = self.seal()
        loop.end(Self.shutDown)
        for command in late { Self.refuse(command) }
        for done in stopped { done() }
    }

    private func publish(_ loop: ResolverLoop) {
        self.published.withLock { $0 = loop.counters }
        self.running.withLock { $0 = loop.processes }
    }

    @discardableResult
    private func seal() -> [Command] {
        self.mailbox.withLock { mailbox in
            mailbox.isClosed = true
            return exchange(&mailbox.commands, with: [])
        }
    }
}
