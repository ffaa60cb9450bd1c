import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on loopback that cuts its connection, both ends, once so many bytes have passed in one direction.
///
/// The bytes up to there arrive, in the order in which they were sent. So a test can break an exchange at each of its bytes.
public final class CuttingProxy: Sendable {
    /// Which bytes count.
    public enum Direction: Hashable, Sendable, CaseIterable {
        case fromClient, fromServer
    }

    private struct State {
        var cut: (Direction, after: Int)?
        var passed: [Direction: Int] = [:]
        var cuts = 0
    }

    private let state = Mutex(State())
    private let target: Int
    private let listener = Mutex<(any Channel)?>(nil)

    private init(target: Int) { self.target = target }

    /// Runs `body` with a proxy in front of a port of 127.0.0.1. `port` is its own.
    public static func with<Value>(
        target: Int, _ body: (_ proxy: CuttingProxy, _ port: Int) async throws -> Value
    ) async throws -> Value {
        let proxy = CuttingProxy(target: target)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try proxy.accept(channel) } }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let value = try await body(proxy, channel.localAddress?.port ?? 0)
            try await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// From now on the bytes count anew, and the connection is cut after so many of them; `nil`: never.
    public func cut(_ direction: Direction = .fromClient, after bytes: Int?) {
        self.state.withLock { state in
            state.cut = bytes.map { (direction, after: $0) }
            state.passed = [:]
        }
    }

    /// The bytes that have passed since they were last counted anew.
    public func passed(_ direction: Direction) -> Int { self.state.withLock { $0.passed[direction, default: 0] } }

    /// How often a connection was cut so far.
    public var cutCount: Int { self.state.withLock(\.cuts) }

    // MARK: Connections

    private func accept(_ client: any Channel) throws {
        let peer = NIOLoopBoundBox<(any Channel)?>(nil, eventLoop: client.eventLoop)
        try client.pipeline.syncOperations.addHandler(
            ProxiedEnd { bytes in
                guard let server = peer.value else { return }
                self.pass(bytes, .fromClient, from: client, to: server)
            } ended: {
                peer.value?.close(promise: nil)
            })
        // On the client's event loop, so that both ends are one thread's.
        ClientBootstrap(group: client.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ProxiedEnd { bytes in
                            self.pass(bytes, .fromServer, from: channel, to: client)
                        } ended: {
                            client.close(promise: nil)
                        })
                }
            }
            .connect(host: "127.0.0.1", port: self.target)
            .whenComplete { result in
                switch result {
                case .success(let server):
                    peer.value = server
                    // Nothing was read of the client before there was somebody to tell.
                    _ = client.setOption(.autoRead, value: true)
                    client.closeFuture.whenComplete { _ in server.close(promise: nil) }
                case .failure: client.close(promise: nil)
                }
            }
    }

    private func pass(_ bytes: ByteBuffer, _ direction: Direction, from: any Channel, to: any Channel) {
        var bytes = bytes
        let allowed = self.state.withLock { state -> Int? in
            let passed = state.passed[direction, default: 0]
            guard let (limited, limit) = state.cut, limited == direction, passed + bytes.readableBytes >= limit else {
                state.passed[direction] = passed + bytes.readableBytes
                return nil
            }
            state.passed[direction] = limit
            state.cuts += 1
            return max(0, limit - passed)
        }
        guard let allowed else { return to.writeAndFlush(bytes, promise: nil) }
        if let rest = bytes.readSlice(length: allowed), allowed > 0 {
            to.writeAndFlush(rest).whenComplete { _ in
                to.close(promise: nil)
                from.close(promise: nil)
            }
        } else {
            to.close(promise: nil)
            from.close(promise: nil)
        }
    }
}

/// Hands on what one end says, and that it has ended.
private final class ProxiedEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let said: (ByteBuffer) -> Void
    private let ended: () -> Void

    init(_ said: @escaping (ByteBuffer) -> Void, ended: @escaping () -> Void) {
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
