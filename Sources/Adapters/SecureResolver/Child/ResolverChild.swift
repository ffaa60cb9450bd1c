import CUnbound
import Glibc

/// What `relayd resolver` runs: libunbound in a process of its own, locked in, which answers its node and nobody else.
///
/// libunbound parses what strangers send, and has crashed on it. Here it has nothing that is worth taking, and the node
/// starts another when it ends.
public struct ResolverChild {
    /// The descriptors that the node hands over; there are no others.
    enum Descriptors {
        static let node: Int32 = 3
        static let configuration: Int32 = 4
        static let anchors: Int32 = 5
        static let hints: Int32 = 6
        static let next: Int32 = 7
    }

    /// How long libunbound may take to read its configuration and start its thread.
    private static let startingTime: Int32 = 10_000
    /// A name that libunbound answers from its own tables, by way of its thread: it tells that this turns.
    private static let ownName = "localhost."
    /// Pings are told from questions by this bit, which the node's numbers never have.
    private static let pingBit: UInt64 = 1 << 63

    private let node: ResolverSocket
    private let context: UnboundContext

    /// Runs until the node is gone.
    public static func run() -> Never {
        ChildSandbox.prepare()
        let node = ResolverSocket(descriptor: Descriptors.node)
        guard case .start(let allowance)? = Self.next(from: node) else { exit(EX_USAGE) }
        do throws(UnboundContext.LibraryFailure) {
            let child = try ResolverChild(node)
            try child.begin(allowance)
            child.serve()
        } catch {
            Self.tell(node, .refused(error.text))
        }
        exit(EX_UNAVAILABLE)
    }

    private init(_ node: ResolverSocket) throws(UnboundContext.LibraryFailure) {
        self.node = node
        self.context = try UnboundContext(
            configurationFile: "/proc/self/fd/\(Descriptors.configuration)",
            done: { number, result in
                guard number & Self.pingBit == 0 else { return Self.tell(node, .pong(number & ~Self.pingBit)) }
                switch result {
                case .success(let raw): Self.tell(node, .answer(number, raw))
                case .failure(let failure): Self.tell(node, .failed(number, failure.text))
                }
            })
    }

    /// Makes libunbound read everything, and locks the process in before the first byte of a stranger.
    private func begin(_ allowance: ResolverAllowance) throws(UnboundContext.LibraryFailure) {
        // libunbound reads anchors and hints, and starts its thread, when it gets its first question.
        try self.context.resolve(Self.pingBit, Self.ownName, type: 1)
        guard Self.wait(for: self.context.descriptor, Self.startingTime) else {
            throw .init(text: "libunbound cannot start with its settings and trust anchors")
        }
        for descriptor in Descriptors.configuration..<Descriptors.next { Glibc.close(descriptor) }
        if allowance.isLockedIn, !ChildSandbox.isSanitized {
            do throws(ChildSandbox.Refusal) {
                try ChildSandbox.lockIn(allowance)
            } catch {
                throw .init(text: "the resolver cannot be locked in: \(error.reason)")
            }
        }
        Self.tell(self.node, .ready(UnboundContext.version))
        self.context.process()
    }

    private func serve() -> Never {
        while true {
            var descriptors = [
                pollfd(fd: self.node.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: self.context.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            // `poll` writes only into the elements that it is given.
            _ = unsafe poll(&descriptors, nfds_t(descriptors.count), -1)
            if descriptors[0].revents != 0 { self.obey() }
            if descriptors[1].revents != 0 { self.context.process() }
        }
    }

    /// Takes what the node says until there is nothing more.
    private func obey() {
        while true {
            switch self.node.receive() {
            case .nothing: return
            case .broken: exit(EX_OK)
            case .message(let bytes):
                guard let request = ResolverMessage.request(bytes) else { exit(EX_DATAERR) }
                self.obey(request)
            }
        }
    }

    private func obey(_ request: ResolverRequest) {
        switch request {
        case .start: exit(EX_DATAERR)
        case .question(let number, let name, let type): self.resolve(number, name + ".", type)
        case .withdraw(let number): self.context.withdraw(number)
        case .ping(let number): self.resolve(number | Self.pingBit, Self.ownName, 1)
        }
    }

    private func resolve(_ number: UInt64, _ name: String, _ type: UInt16) {
        do throws(UnboundContext.LibraryFailure) {
            try self.context.resolve(number, name, type: type)
        } catch {
            Self.tell(self.node, .failed(number, error.text))
        }
    }

    private static func next(from node: ResolverSocket) -> ResolverRequest? {
        guard Self.wait(for: node.descriptor, Self.startingTime), case .message(let bytes) = node.receive() else {
            return nil
        }
        return ResolverMessage.request(bytes)
    }

    /// Sends a report; waits while the node is busy, which stops this process from taking more.
    private static func tell(_ node: ResolverSocket, _ report: ResolverReport) {
        let message = ResolverMessage.bytes(report)
        while true {
            switch node.send(message) {
            case .sent: return
            case .broken: exit(EX_OK)
            case .full: _ = Self.wait(for: node.descriptor, -1, Int16(POLLOUT))
            }
        }
    }

    private static func wait(for descriptor: Int32, _ milliseconds: Int32, _ events: Int16 = Int16(POLLIN)) -> Bool {
        var descriptors = [pollfd(fd: descriptor, events: events, revents: 0)]
        // `poll` writes only into the element that it is given.
        return unsafe poll(&descriptors, 1, milliseconds) > 0
    }
}
