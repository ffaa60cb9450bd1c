import Foundation
public import MailModel
public import NIOCore
public import NIOPosix
public import TLSEngine

/// Opens many connections to one server and sends many messages over each, one after the other, as fast as it answers.
///
/// Every message has a Message-ID of its own, and the report says which were acknowledged: what a server has promised
/// to keep. A lost connection is opened again, so the client lives through a server that is killed and restarted.
public struct LoadClient: Sendable {
    /// The server's address and port.
    public var address = "127.0.0.1"
    /// Its port.
    public var port: UInt16
    /// How many connections at once.
    public var connections = 20
    /// How many messages over each.
    public var messagesPerConnection = 10
    /// The size of a message in bytes, header included.
    public var messageSize = 10_240
    /// The envelope's sender.
    public var reversePath = "load@alpha.test"
    /// The recipient of the nth message of all, from 0.
    public var recipient: @Sendable (Int) -> String = { _ in "sink@bravo.test" }
    /// With a context it insists on STARTTLS, and takes any certificate.
    public var tls: TLSClientContext?
    /// The name in SNI.
    public var serverName: DomainName?
    /// How long one connection may go without an acknowledgement, lost connections included, before it gives up.
    public var patience: Duration = .seconds(10)

    /// A client of the server at this port of 127.0.0.1.
    public init(port: UInt16, tls: TLSClientContext?) {
        self.port = port
        self.tls = tls
    }

    /// What came of a run.
    public struct Report: Sendable {
        /// A message that the server refused, and with which reply.
        public struct Refusal: Hashable, Sendable {
            /// Its id.
            public let messageID: String
            /// The last line of the reply.
            public let reply: String
        }

        /// The ids answered 2xx after the final dot.
        public internal(set) var acknowledged: [String] = []
        /// The ids whose dot was sent and whose reply never came: the server may have them or not.
        public internal(set) var inDoubt: [String] = []
        /// What was refused.
        public internal(set) var refused: [Refusal] = []
        /// From MAIL to the reply behind the dot, for each acknowledged message, unsorted.
        public internal(set) var latencies: [Duration] = []
        /// Why connections ended early, at most a hundred texts.
        public internal(set) var failures: [String] = []
        /// From the first connection's start to the last one's end.
        public internal(set) var elapsed: Duration = .zero

        /// The latency that so large a part (0 to 1) of the acknowledged messages did not exceed.
        public func latency(atQuantile quantile: Double) -> Duration? {
            guard !self.latencies.isEmpty else { return nil }
            let rank = Int((Double(self.latencies.count) * quantile).rounded(.up)) - 1
            return self.latencies.sorted()[min(max(rank, 0), self.latencies.count - 1)]
        }

        mutating func merge(_ other: Report) {
            self.acknowledged += other.acknowledged
            self.inDoubt += other.inDoubt
            self.refused += other.refused
            self.latencies += other.latencies
            self.failures += other.failures.prefix(max(0, 100 - self.failures.count))
        }
    }

    /// Sends everything and reports.
    public func run(group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton) async -> Report {
        let start = ContinuousClock.now
        let run = UUID().uuidString
        var report = await withTaskGroup(of: Report.self) { tasks in
            for connection in 0..<self.connections {
                tasks.addTask { await self.work(run: run, connection: connection, group: group) }
            }
            return await tasks.reduce(into: Report()) { $0.merge($1) }
        }
        report.elapsed = ContinuousClock.now - start
        return report
    }

    /// Sends one connection's share, over as many connections as it takes.
    private func work(run: String, connection: Int, group: any EventLoopGroup) async -> Report {
        var messages = (0..<self.messagesPerConnection).map { index in
            let number = connection * self.messagesPerConnection + index
            return LoadMessage(
                id: "<\(run).\(number)@load.test>", recipient: self.recipient(number), size: self.messageSize)
        }[...]
        var report = Report()
        var deadline = ContinuousClock.now + self.patience
        while !messages.isEmpty, ContinuousClock.now < deadline, !Task.isCancelled {
            let part = await self.converse(messages, deadline: deadline, group: group)
            let settled = part.acknowledged.count + part.inDoubt.count + part.refused.count
            messages = messages.dropFirst(settled)
            report.merge(part)
            if settled > 0 {
                deadline = ContinuousClock.now + self.patience
            } else {
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
        return report
    }

    /// One connection, until all is sent, something is refused, or it is lost.
    private func converse(
        _ messages: ArraySlice<LoadMessage>, deadline: ContinuousClock.Instant, group: any EventLoopGroup
    ) async -> Report {
        let loop = group.next()
        let result = loop.makePromise(of: Report.self)
        do {
            let channel = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(5))
                .channelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            LoadClientHandler(
                                messages, reversePath: self.reversePath, tls: self.tls, serverName: self.serverName,
                                patience: self.patience, result: result))
                    }
                }
                .connect(host: self.address, port: Int(self.port)).get()
            _ = channel
        } catch {
            var report = Report()
            report.failures = ["\(error)"]
            result.succeed(report)
        }
        return (try? await result.futureResult.get()) ?? Report()
    }
}

/// One message to be sent.
struct LoadMessage: Sendable {
    let id: String
    let recipient: String
    let size: Int

    /// Header, a body of 76-byte lines up to the size, and the final dot.
    func content(from reversePath: String) -> String {
        let header =
            "From: <\(reversePath)>\r\nTo: <\(self.recipient)>\r\nMessage-ID: \(self.id)\r\nSubject: load\r\n\r\n"
        let line = String(repeating: "relay load ", count: 7).prefix(76) + "\r\n"
        let lines = max(1, (self.size - header.utf8.count) / line.utf8.count)
        return header + String(repeating: String(line), count: lines) + ".\r\n"
    }
}
