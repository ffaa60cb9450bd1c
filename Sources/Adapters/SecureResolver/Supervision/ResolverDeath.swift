import Glibc

/// How a child ended, or why it was ended.
enum ResolverDeath: Equatable, Sendable, CustomStringConvertible {
    /// By a signal that we did not send.
    case signal(Int32)
    /// By itself, with this code.
    case exit(Int32)
    /// It could not start, in its own words.
    case refused(String)
    /// It said what is no message.
    case malformed
    /// It says nothing any more.
    case hung
    /// It has so many bytes in memory.
    case grown(UInt64)
    /// It has computed for so long, and hardly answers.
    case computing(Duration)

    /// Whether answers of the DNS may have caused this. They have not where somebody sent SIGKILL, as the system does
    /// for want of memory, or where it never looked anything up.
    var isCausedByAnswers: Bool {
        switch self {
        case .signal(let number): number != SIGKILL && number != SIGTERM
        case .exit(let code): code != 0
        case .malformed, .hung, .grown: true
        // Which of them it was is found out one at a time.
        case .refused, .computing: false
        }
    }

    /// A label of few values.
    var kind: ResolverCounters.Death {
        switch self {
        case .signal, .exit: .crash
        case .refused: .refused
        case .malformed: .malformed
        case .hung: .hung
        case .grown: .memory
        case .computing: .processor
        }
    }

    var description: String {
        switch self {
        // A call that its lock does not allow is told by this signal.
        case .signal(SIGSYS): "it made a system call that it may not make"
        case .signal(let number): "ended by signal \(number)"
        case .exit(let code): "ended with code \(code)"
        case .refused(let reason): reason
        case .malformed: "it sent what is no message"
        case .hung: "it said nothing any more"
        case .grown(let bytes): "it took \(bytes >> 20) MiB of memory"
        case .computing(let time): "it took \(time.components.seconds) s of processor time"
        }
    }
}

/// What has become of children so far; all of it only grows.
public struct ResolverCounters: Hashable, Sendable {
    /// Why a child was replaced, as a label of metrics.
    public enum Death: String, Hashable, Sendable, CaseIterable {
        case crash, refused, malformed, hung, memory, processor
    }

    /// Children started.
    public var starts: UInt64 = 0
    /// Children that ended or were ended, by why.
    public var deaths: [Death: UInt64] = [:]
    /// Children that others took the place of, since they were late.
    public var late: UInt64 = 0
    /// Questions put into quarantine.
    public var quarantines: UInt64 = 0

    /// None so far.
    public init() {}
}
