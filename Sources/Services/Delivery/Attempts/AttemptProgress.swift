import MailModel
import Routing
import SMTPProtocol

/// What the hosts have come to that one attempt has tried so far, and who is still to be asked of the next one.
///
/// A host's 2yz and 5yz are the last word on a recipient. Its 4yz is no success: relayd asks the next address and the
/// next host for the recipients concerned (RFC 5321 §5.1). So it does where the host cannot be given the message.
/// Nobody is asked behind a final dot without an answer, for a second host might deliver a second copy.
struct AttemptProgress: Sendable {
    /// Sessions of one attempt in which a host answers for recipients: greylisting at twenty addresses costs no twenty sessions.
    static let answeringSessions = 8

    let recipients: Int
    /// In the order in which they were made.
    private(set) var tries: [HostAttempt] = []
    private var allowance = AttemptAllowance()
    private var undecided: [Int]

    /// Nobody has been asked yet.
    init(recipients: Int) {
        self.recipients = recipients
        self.undecided = Array(0..<recipients)
    }

    // MARK: - Events

    mutating func tried(_ attempt: HostAttempt) {
        self.tries.append(attempt)
        self.undecided.removeAll { attempt.outcomes[$0]?.isLastWord == true }
    }

    /// A host was not tried, since it could not be looked up or has no address.
    mutating func skipped(_ attempt: HostAttempt) {
        self.allowance.skipped(for: attempt.host?.failure)
        self.tried(attempt)
    }

    /// Says more of why the last try failed.
    mutating func explain(_ text: String) {
        guard let last = self.tries.indices.last, let failure = self.tries[last].failure else { return }
        self.tries[last].failure = failure.explained(by: text)
    }

    /// Takes one of the addresses that the attempt may try; `false` when there is none left.
    mutating func takeAddress() -> Bool { self.allowance.takeAddress() }

    // MARK: - Questions

    /// The recipients for whom a host at this address is asked. Nobody has given a final answer for them, nor has this
    /// address answered for them before.
    func unasked(at address: IPAddress) -> [Int] {
        let there = self.tries.filter { $0.address == address && !$0.outcomes.isEmpty }
        guard !there.isEmpty else { return self.undecided }
        return self.undecided.filter { index in there.allSatisfy { $0.outcomes[index] == nil } }
    }

    /// The host at this address has refused BDAT in this attempt.
    func hasRefusedChunking(_ address: IPAddress) -> Bool {
        self.tries.contains { $0.address == address && $0.failure?.isChunkingRefusal == true }
    }

    /// The connection had carried all that it may: over another one to the same address the rest may follow.
    var isCutShort: Bool { self.tries.last?.isCutShort == true }

    /// No further host is asked: nobody is left, the message may have been taken, it may not be sent, or a limit is reached.
    var isOver: Bool {
        guard !self.undecided.isEmpty, !self.allowance.isSpent else { return true }
        if let last = self.tries.last {
            if last.failure?.isAmbiguous == true || last.isUnrecorded || last.isWithdrawn { return true }
        }
        return self.hasEnoughAnswers
    }

    /// Sessions to one address, over connections that were cut short, are one.
    private var hasEnoughAnswers: Bool {
        guard self.tries.count >= Self.answeringSessions, !self.isCutShort else { return false }
        return Set(self.tries.lazy.filter { !$0.outcomes.isEmpty }.map(\.address)).count >= Self.answeringSessions
    }
}
