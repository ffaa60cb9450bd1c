public import Foundation
public import LabSupport
import NIOCore
import NIOPosix
import Synchronization

/// A unix socket in front of a private PostgreSQL, on which connections break at chosen moments.
///
/// ```swift
/// proxy.plan(.loseReply, of: "INSERT INTO relay.message")
/// try await writer.enqueue(message)    // The COMMIT is done, and nobody hears of it.
/// ```
public final class PostgresProxy: Sendable {
    /// What becomes of one transaction. Either way the client's connection ends before its answer.
    public enum Fault: Hashable, Sendable {
        /// The server has all but the COMMIT when the connection is cut.
        case cutBeforeCommit
        /// The server commits; its answer is lost.
        case loseReply
    }

    /// The folder of its socket: the `host` of a connection string.
    public let directory: URL
    private let faults = Mutex(ProxyFaults())
    private let links = Mutex<[ObjectIdentifier: ProxyLink]>([:])
    private let listener = Mutex<(any Channel)?>(nil)

    /// A proxy that does not listen yet; its folder is there.
    public init() throws {
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        self.directory = URL(filePath: "/tmp/relay-px-\(random)")
        try FileManager.default.createDirectory(
            at: self.directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    /// Runs `body` with a proxy in front of this server.
    public static func with<Value>(
        _ server: PrivatePostgres, _ body: (PostgresProxy) async throws -> Value
    ) async throws -> Value {
        let proxy = try PostgresProxy()
        do {
            try await proxy.start(server)
            let value = try await body(proxy)
            await proxy.stop()
            return value
        } catch {
            await proxy.stop()
            throw error
        }
    }

    /// Passes on to this server from now on.
    public func start(_ server: PrivatePostgres) async throws {
        let target = server.directory.appending(path: ".s.PGSQL.5432").path
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, target) }
            }
            .bind(
                unixDomainSocketPath: self.directory.appending(path: ".s.PGSQL.5432").path,
                cleanupExistingSocketFile: true
            )
            .get()
        self.listener.withLock { $0 = channel }
    }

    /// Ends everything and removes the folder.
    public func stop() async {
        let listener = self.listener.withLock { $0.take() }
        try? await listener?.close()
        self.cutAll()
        try? FileManager.default.removeItem(at: self.directory)
    }

    // MARK: Faults

    /// The next transactions, so many, that have a statement with this text in it meet this fault.
    public func plan(_ fault: Fault, of text: String, times: Int = 1) {
        self.faults.withLock { $0.plan(fault, marker: text, times: times) }
    }

    /// From now on one in so many transactions that write meets one of the faults; `nil` ends that.
    public func disturb(_ faults: [Fault] = [.cutBeforeCommit, .loseReply], oneIn: Int?, _ random: SplitMix) {
        self.faults.withLock { $0.disturb(faults, oneIn: oneIn, random) }
    }

    /// How many transactions have met a fault so far.
    public var faultCount: Int { self.faults.withLock { $0.count } }

    /// Cuts every connection now.
    public func cutAll() {
        for link in self.links.withLock({ Array($0.values) }) { link.cut() }
    }

    /// Whether connections, present and new, carry nothing in either direction, and what was sent waits.
    public func stall(_ stalls: Bool) {
        self.faults.withLock { $0.stalls = stalls }
        for link in self.links.withLock({ Array($0.values) }) { link.stall(stalls) }
    }

    /// Whether new connections are closed as soon as they are made.
    public func refuse(_ refuses: Bool) { self.faults.withLock { $0.refuses = refuses } }

    // MARK: Connections

    private func accept(_ client: any Channel, _ target: String) throws {
        let link = ProxyLink(client) { texts in self.faults.withLock { $0.judge(texts) } }
        guard !self.faults.withLock({ $0.refuses }) else { return link.cut() }
        try client.pipeline.syncOperations.addHandler(
            ProxyEnd {
                link.clientSent($0)
            } ended: {
                link.cut()
            })
        self.links.withLock { $0[ObjectIdentifier(link)] = link }
        client.closeFuture.whenComplete { _ in
            self.links.withLock { $0[ObjectIdentifier(link)] = nil }
        }
        link.connect(to: target)
        // It may have been decided meanwhile.
        if self.faults.withLock({ $0.stalls }) { link.stall(true) }
    }
}

/// One client connection and the server connection that belongs to it, both on one event loop.
///
/// All but `cut` and `stall` is called on that event loop.
private final class ProxyLink: Sendable {
    private let client: any Channel
    private let judge: @Sendable ([String]) -> PostgresConversation.Verdict
    private let state: NIOLoopBoundBox<State>

    private struct State {
        var conversation = PostgresConversation()
        var server: (any Channel)?
        var isStalled = false
    }

    init(_ client: any Channel, judge: @escaping @Sendable ([String]) -> PostgresConversation.Verdict) {
        self.client = client
        self.judge = judge
        self.state = NIOLoopBoundBox(State(), eventLoop: client.eventLoop)
    }

    func connect(to target: String) {
        ClientBootstrap(group: self.client.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ProxyEnd {
                            self.serverSent($0)
                        } ended: {
                            self.cut()
                        })
                }
            }
            .connect(unixDomainSocketPath: target)
            .hop(to: self.client.eventLoop)
            .whenComplete { result in
                switch result {
                case .success(let server):
                    self.state.value.server = server
                    // Nothing was read of the client before there was somebody to tell.
                    self.setReading()
                    // It may have gone already.
                    self.client.closeFuture.whenComplete { _ in server.close(promise: nil) }
                case .failure: self.cut()
                }
            }
    }

    func stall(_ stalls: Bool) {
        self.client.eventLoop.execute {
            self.state.value.isStalled = stalls
            self.setReading()
        }
    }

    private func setReading() {
        guard let server = self.state.value.server else { return }
        let isReading = !self.state.value.isStalled
        // A channel that is closing already takes no option, and needs none.
        _ = self.client.setOption(.autoRead, value: isReading)
        _ = server.setOption(.autoRead, value: isReading)
    }

    func clientSent(_ bytes: ByteBuffer) {
        self.perform(self.state.value.conversation.clientSent(bytes, judge: self.judge))
    }

    func serverSent(_ bytes: ByteBuffer) { self.perform(self.state.value.conversation.serverSent(bytes)) }

    func cut() {
        self.client.eventLoop.execute {
            self.client.close(promise: nil)
            self.state.value.server?.close(promise: nil)
        }
    }

    private func perform(_ actions: [PostgresConversation.Action]) {
        for action in actions {
            switch action {
            case .toServer(let bytes): self.state.value.server?.writeAndFlush(bytes, promise: nil)
            case .toClient(let bytes): self.client.writeAndFlush(bytes, promise: nil)
            case .cut: self.cut()
            }
        }
    }
}

/// Hands on what one end says, and that it has ended.
private final class ProxyEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let said: @Sendable (ByteBuffer) -> Void
    private let ended: @Sendable () -> Void

    init(_ said: @escaping @Sendable (ByteBuffer) -> Void, ended: @escaping @Sendable () -> Void) {
        self.said = said
        self.ended = ended
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.said(self.unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
