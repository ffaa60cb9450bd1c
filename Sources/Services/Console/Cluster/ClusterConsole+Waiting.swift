import ControlAPI
import MailModel
import SwiftProtobuf

/// Which connected nodes serve by a state, and which do not yet.
struct StateProgress: Hashable, Sendable {
    /// Nodes that follow a stream.
    let connected: Int
    /// Those of them that do not serve by the state yet.
    let missing: [String]
    /// The first of those that refuse it, with the reason.
    let refusal: String?

    init(_ nodes: [ControlNode], version: UInt64) {
        let connected = nodes.filter(\.isConnected)
        self.connected = connected.count
        self.missing = connected.filter { $0.servedVersion < version }.map(\.name)
        let refusing = connected.first {
            $0.status == .refusing && $0.servedVersion < version && $0.refusal.stateVersion >= version
        }
        self.refusal = refusing.map { node in
            let resource = node.refusal.hasResource ? "\(node.refusal.resource.words): " : ""
            return "\(node.name) refuses state \(node.refusal.stateVersion): \(resource)\(node.refusal.reason)"
        }
    }
}

extension ClusterConsole {
    /// How often nodes are looked at.
    private static let look = Duration.milliseconds(200)
    /// The most names in a sentence.
    private static let named = 5

    /// Waits, where that is wanted, until every connected node serves by a state.
    func wait(for version: UInt64, _ change: ClusterChange) async throws(ConsoleFailure) {
        guard let time = change.wait, !change.isDryRun else { return }
        let end = self.time.now + time
        while true {
            let progress = StateProgress(try await self.allNodes(), version: version)
            if let refusal = progress.refusal { throw ConsoleFailure(.failed, refusal) }
            guard !progress.missing.isEmpty else {
                return self.terminal.say(
                    progress.connected == 0
                        ? "no node is connected; state \(version) is served as soon as one is"
                        : "\(progress.connected.words("node")) \(progress.connected == 1 ? "serves" : "serve") by state \(version)"
                )
            }
            guard self.time.now < end else {
                throw ConsoleFailure(
                    .temporary, "state \(version) is not served yet by \(Self.list(progress.missing))")
            }
            try await self.pause(Self.look)
        }
    }

    /// Waits so long.
    func pause(_ time: Duration) async throws(ConsoleFailure) {
        do {
            try await self.time.sleep(for: time)
        } catch {
            throw ConsoleFailure(.temporary, "the wait was cut off")
        }
    }

    static func list(_ names: [String]) -> String {
        let more = names.count - Self.named
        return names.prefix(Self.named).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    /// Every node of the cluster.
    func allNodes() async throws(ConsoleFailure) -> [ControlNode] {
        var nodes: [ControlNode] = []
        var token = ""
        repeat {
            let (start, size) = (token, Self.pageSize)
            let page = try await self.ask { options in
                try await self.fleet.listNodes(
                    .with {
                        $0.pageSize = size
                        $0.pageToken = start
                    }, options: options)
            }
            nodes += page.nodes
            token = page.nextPageToken
        } while !token.isEmpty
        return nodes
    }
}

extension ControlNode {
    /// Whether it follows a stream.
    var isConnected: Bool {
        switch self.status {
        case .current, .behind, .refusing: true
        case .away, .expired, .revoked, .unspecified, .UNRECOGNIZED: false
        }
    }
}

extension Int {
    /// Such as `1 node` or `3 nodes`.
    func words(_ noun: String) -> String { self == 1 ? "1 \(noun)" : "\(self) \(noun)s" }
}
