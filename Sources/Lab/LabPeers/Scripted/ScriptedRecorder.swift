import Synchronization
public import TLSEngine

/// Something that happened on a connection of a `ScriptedPeer`.
public enum ScriptedEvent: Hashable, Sendable {
    /// A client connected from this address.
    case opened(connection: Int, from: String)
    /// A client said this line.
    case command(connection: Int, String)
    /// A handshake ended.
    case handshake(connection: Int, TLSServerOutcome)
    /// The connection is gone.
    case closed(connection: Int)
}

/// What a peer keeps of what it takes.
public enum ScriptedRetention: Hashable, Sendable {
    /// Messages with their content, and events.
    case everything
    /// The Message-IDs only, for load.
    case messageIDs
    /// The Message-IDs, and an arrival for each message that was not refused: who sent it, and when.
    case arrivals
}

/// What all connections of a peer write into.
final class ScriptedRecorder: Sendable {
    /// Events beyond this many are not kept: a peer under load is not there to be read.
    static let maximumEvents = 10_000

    struct State {
        var connections = 0
        /// Of those, the ones open now.
        var open = 0
        /// Those that came beyond the limit of `ScriptedRule(takes:beyond:)`.
        var refused = 0
        var mails: [ScriptedMail] = []
        var messageIDs: [String: Int] = [:]
        var arrivals: [ScriptedArrival] = []
        var messageCount = 0
        var events: [ScriptedEvent] = []
        /// Stalls are over, those to come too.
        var endsStalls = false
        var rules: [ScriptedRule]
    }

    let retention: ScriptedRetention
    private let state: Mutex<State>

    init(retention: ScriptedRetention, rules: [ScriptedRule]) {
        self.retention = retention
        self.state = Mutex(State(rules: rules))
    }

    /// Counts a new connection: its number, and the rules that hold for it.
    func opened() -> (number: Int, rules: [ScriptedRule]) {
        self.state.withLock { state in
            state.connections += 1
            state.open += 1
            guard let acts = state.rules.actsInsteadOfGreeting(the: state.open) else {
                return (state.connections, state.rules)
            }
            state.refused += 1
            let refusal = ScriptedRule(effect: .acts(.greeting, connection: nil, acts))
            return (state.connections, state.rules + [refusal])
        }
    }

    /// One of them is gone.
    func closed() { self.state.withLock { $0.open -= 1 } }

    func endStalls() { self.state.withLock { $0.endsStalls = true } }

    func store(_ mail: ScriptedMail) {
        self.state.withLock { state in
            state.messageCount += 1
            if let id = mail.messageID { state.messageIDs[id, default: 0] += 1 }
            switch self.retention {
            case .everything: state.mails.append(mail)
            case .arrivals: if let arrival = ScriptedArrival(mail) { state.arrivals.append(arrival) }
            case .messageIDs: ()
            }
        }
    }

    func record(_ event: @autoclosure () -> ScriptedEvent) {
        guard self.retention == .everything else { return }
        self.state.withLock { state in
            if state.events.count < Self.maximumEvents { state.events.append(event()) }
        }
    }

    func read<Value: Sendable>(_ body: (borrowing State) -> Value) -> Value { self.state.withLock { body($0) } }

    func replaceRules(_ rules: [ScriptedRule]) { self.state.withLock { $0.rules = rules } }
}
