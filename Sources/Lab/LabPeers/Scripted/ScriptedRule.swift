/// One rule of a `ScriptedPeer`: at this step, do these acts instead of what a well-behaved MX does.
///
/// ```swift
/// [.withoutSTARTTLS]                                                   // STARTTLS stripped on the way
/// [.on(.startTLS, .reply("454 4.7.0 TLS not available"))]
/// [.on(.startTLS, .bytes("220 go\r\n250 injected\r\n"))]               // bytes behind the 220
/// [.on(.recipient(2), .reply("450 4.2.0 later"))]
/// [.on(.data, .proceed, .close)]                                       // EOF before the dot
/// [.on(.endOfData, .close)]                                            // EOF after the dot
/// [.on(.greeting, connection: 1, .reply("421 4.3.2 busy"), .close)]    // the second connection fares better
/// [.on(.endOfData, .wait(.seconds(2)), .proceed)]                      // slow
/// [.on(.data, .proceed, .stall(.seconds(9)))]                          // stalls in the midst of the content
/// [.alsoOffer("CHUNKING", "DSN", "LIMITS RCPTMAX=10"), .on(.chunk(2), .close)]  // EOF in the midst of BDAT
/// ```
/// Of several rules for a step the last one that fits counts.
public struct ScriptedRule: Hashable, Sendable {
    /// A point of the conversation at which the server speaks.
    public enum Step: Hashable, Sendable {
        /// The connection was accepted.
        case greeting
        /// EHLO or HELO.
        case hello
        /// EHLO or HELO over TLS; without a rule for this, that of `hello` counts.
        case secureHello
        /// STARTTLS.
        case startTLS
        /// MAIL.
        case mail
        /// The nth RCPT of a transaction, from 1.
        case recipient(Int)
        /// Every RCPT.
        case everyRecipient
        /// DATA.
        case data
        /// The nth BDAT of a transaction, from 1, has been read whole, unless it is the last one.
        case chunk(Int)
        /// The final dot, or the whole of `BDAT … LAST`, has been read.
        case endOfData
        /// RSET.
        case reset
        /// QUIT.
        case quit
        /// Any other command.
        case other
    }

    /// One thing that the peer does.
    public enum Act: Hashable, Sendable {
        /// Says this; lines are separated by `\n`, and CRLF is put behind each.
        case reply(String)
        /// Says exactly these bytes.
        case bytes(String)
        /// Says what a well-behaved MX would.
        case proceed
        /// Stays silent for so long.
        case wait(Duration)
        /// Stays silent and reads nothing for so long, or until `ScriptedPeer.endStalls`, so that whoever sends more than the system
        /// buffers comes to a stand.
        case stall(Duration)
        /// Closes the connection.
        case close
    }

    enum Effect: Hashable {
        case acts(Step, connection: Int?, [Act])
        case extensions([String])
        case moreExtensions([String])
        case connections(Int, [Act])
    }

    static let usualExtensions = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"]

    let effect: Effect

    init(effect: Effect) { self.effect = effect }

    /// At `step`, do `acts`; on the nth connection only, from 1, if one is named.
    ///
    /// The first code said decides what follows: a command answered 2xx or 3xx took effect, any other did not.
    public static func on(_ step: Step, connection: Int? = nil, _ acts: Act...) -> Self {
        Self(effect: .acts(step, connection: connection, acts))
    }

    /// Answers EHLO with these extensions and no others. (`STARTTLS` is named only before TLS.)
    public static func offer(_ extensions: [String]) -> Self { Self(effect: .extensions(extensions)) }

    /// Answers EHLO with these extensions too. The peer keeps the promises of its extensions. It takes BDAT if it
    /// offers `CHUNKING`, parameters if it offers their extension (others are answered 555), and addresses in UTF-8 if
    /// it offers `SMTPUTF8`. It keeps to its `LIMITS`.
    public static func alsoOffer(_ extensions: String...) -> Self { Self(effect: .moreExtensions(extensions)) }

    /// Offers all that the relay can use: also `CHUNKING`, `SMTPUTF8` and `DSN`.
    public static var modern: Self { .alsoOffer("CHUNKING", "SMTPUTF8", "DSN") }

    /// Takes so many connections at once; does `acts` instead of greeting one more, such as `[.reply("421 4.7.0 too many"), .close]`.
    public init(takes connections: Int, beyond acts: [Act]) { self.effect = .connections(connections, acts) }

    /// Greets with this reply.
    public static func greet(_ reply: String) -> Self { .on(.greeting, .reply(reply)) }

    /// Does not say STARTTLS, as if somebody had stripped it on the way.
    public static var withoutSTARTTLS: Self { .offer(Self.usualExtensions) }
}

extension [ScriptedRule] {
    /// The acts at one step.
    func acts(at step: ScriptedRule.Step, connection number: Int) -> [ScriptedRule.Act] {
        for rule in self.reversed() {
            guard case .acts(let named, let connection, let acts) = rule.effect else { continue }
            guard connection == nil || connection == number else { continue }
            if named == step { return acts }
            if case .recipient = step, named == .everyRecipient { return acts }
            if step == .secureHello, named == .hello { return acts }
        }
        return [.proceed]
    }

    /// The extensions of the last rule that names them all, or the usual ones, and the further ones.
    func extensions(hasTLS: Bool) -> [String] {
        var all = ScriptedRule.usualExtensions + (hasTLS ? ["STARTTLS"] : [])
        var more: [String] = []
        for rule in self {
            switch rule.effect {
            case .extensions(let names): all = names
            case .moreExtensions(let names): more += names
            case .acts, .connections: ()
            }
        }
        return all + more
    }

    /// What is done instead of greeting the last of so many open connections; `nil` when it is greeted.
    func actsInsteadOfGreeting(the connections: Int) -> [ScriptedRule.Act]? {
        for rule in self.reversed() {
            if case .connections(let limit, let acts) = rule.effect { return connections > limit ? acts : nil }
        }
        return nil
    }
}
