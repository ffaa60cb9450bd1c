import MailModel
import NIOCore
import SMTPProtocol

@testable import Delivery

/// A connection of a node to a peer. What the peer has taken it has, whatever becomes of the node.
final class SimulatedConnection: HostConnection {
    private unowned let node: SimulatedNode
    private let peer: SimulatedPeer
    private let slot: ConnectionSlot
    private var isClosed = false
    private(set) var isReady = true
    private(set) var takesContent = false
    /// The attempt whose message is under way, and the peer's answers to its recipients so far; `nil` is yes.
    private var name: AttemptName?
    private var recipients: [String] = []
    private var answers: [AttemptOutcome?] = []
    private var isDotWritten = false
    /// Ends the operation under way.
    private var breakOff: () -> Void = {}

    init(_ node: SimulatedNode, to peer: SimulatedPeer, in slot: ConnectionSlot) {
        self.node = node
        self.peer = peer
        self.slot = slot
        slot.use()
        node.opened(self)
    }

    let capabilities = SMTPServerCapabilities()

    func quit() { self.close() }

    /// The node waits no more, as it ends: a reply that is still to come is lost.
    func cutOff() {
        if self.isDotWritten, let name = self.name { self.node.witness.replyLost(name) }
        self.close()
    }

    /// It is of no more use.
    func close() {
        self.isReady = false
        self.takesContent = false
        self.breakOff()
        self.ended(hasAnswer: false)
        self.closed()
    }

    private func closed() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.node.closed(self)
        self.slot.release()
    }

    /// What came of the message under way is known to the node.
    private func ended(hasAnswer: Bool) {
        guard let name = self.name.take() else { return }
        self.node.ends(name, hasAnswer: hasAnswer)
    }

    // MARK: - The envelope

    func verify(
        _ recipient: ForwardPath, on eventLoop: any EventLoop
    ) -> EventLoopFuture<OutboundConnection.Begun> {
        preconditionFailure("no client of a simulation asks")
    }

    func begin(
        _ message: SMTPClientMessage, on eventLoop: any EventLoop
    ) -> EventLoopFuture<OutboundConnection.Begun> {
        let name = self.node.attempt(message.envelopeID)
        self.name = name
        self.recipients = message.recipients.map { $0.path.mailbox.map { "\($0)" } ?? "" }
        (self.isReady, self.isDotWritten, self.answers) = (false, false, [])
        self.node.begins(name)
        let isFromNullSender = message.reversePath == .null
        return self.operation(on: eventLoop) {
            OutboundConnection.Begun.ended(OutboundConnection.Ended(failure: $0))
        } begin: { answer in
            self.node.after(self.node.aMoment()) {
                answer { self.envelopeRead(isFromNullSender: isFromNullSender) }
            }
        }
    }

    private func envelopeRead(isFromNullSender: Bool) -> OutboundConnection.Begun {
        if let failure = self.peer.closing(uponNullSender: isFromNullSender) {
            self.ended(hasAnswer: false)
            self.closed()
            return .ended(OutboundConnection.Ended(failure: failure))
        }
        self.answers = self.peer.answers(to: self.recipients.count)
        guard self.answers.allSatisfy({ $0 != nil }) else {
            self.takesContent = true
            return .transferContent
        }
        self.ended(hasAnswer: true)
        self.isReady = true
        return .ended(OutboundConnection.Ended(outcomes: self.answers))
    }

    // MARK: - The content

    /// It takes its time.
    func write(_ content: [UInt8], on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        self.operation(on: eventLoop) { _ in
        } begin: { answer in
            self.node.after(self.node.aMoment(ofUnits: 2)) { answer {} }
        }
    }

    func finish(
        on eventLoop: any EventLoop, orBecause refusal: String, isPermitted: () -> Bool
    ) -> EventLoopFuture<OutboundConnection.Ended> {
        let answers = self.answers
        guard let name = self.name, self.takesContent else {
            return eventLoop.makeSucceededFuture(
                OutboundConnection.Ended(outcomes: answers, failure: Self.lost(isAmbiguous: false)))
        }
        self.takesContent = false
        guard isPermitted() else {
            self.node.witness.dotForbidden()
            self.node.world.note("\(self.node.client) may not finish \(name)")
            self.ended(hasAnswer: answers.contains { $0 != nil })
            self.closed()
            return eventLoop.makeSucceededFuture(
                OutboundConnection.Ended(outcomes: answers, failure: Self.lost(isAmbiguous: false)))
        }
        self.node.witness.dotPermitted(name)
        self.node.mayBeStopped()
        return self.operation(on: eventLoop) {
            OutboundConnection.Ended(outcomes: answers, failure: $0)
        } begin: { answer in
            // The process may be stopped between the check and the write.
            self.node.after(.zero) { self.writeDot(name, answer) }
        }
    }

    private func writeDot(
        _ name: AttemptName, _ answer: @escaping (() -> OutboundConnection.Ended) -> Void
    ) {
        guard !self.isClosed else { return }
        self.isDotWritten = true
        self.node.witness.dotWritten(name)
        let (node, peer, answers) = (self.node, self.peer, self.answers)
        let taken = zip(self.recipients, answers).filter { $1 == nil }.map(\.0)
        // From here on the peer has it, whatever becomes of the node.
        node.world.after(node.aMoment()) {
            switch peer.answerToDot() {
            case .taken(let wait):
                node.witness.copyTaken(by: name, for: taken)
                node.after(wait) { answer { self.done(answers.map { $0 ?? peer.acceptance }) } }
            case .refused(let outcome, let wait):
                node.after(wait) { answer { self.done(answers.map { $0 ?? outcome }) } }
            case .lost(let wait):
                node.witness.copyTaken(by: name, for: taken)
                node.witness.replyLost(name)
                node.after(wait) {
                    answer {
                        self.ended(hasAnswer: answers.contains { $0 != nil })
                        self.closed()
                        return OutboundConnection.Ended(outcomes: answers, failure: .silence(at: .finalDot))
                    }
                }
            }
        }
    }

    private func done(_ outcomes: [AttemptOutcome]) -> OutboundConnection.Ended {
        self.ended(hasAnswer: true)
        self.isReady = true
        return OutboundConnection.Ended(outcomes: outcomes)
    }

    // MARK: - Operations

    /// Something that is answered once: by what `begin` calls back with, or by a failure when the connection is closed or the
    /// process killed.
    private func operation<Answer: Sendable>(
        on eventLoop: any EventLoop, failed: @escaping (HostFailure) -> Answer,
        begin: (@escaping (() -> Answer) -> Void) -> Void
    ) -> EventLoopFuture<Answer> {
        let promise = eventLoop.makePromise(of: Answer.self)
        let brokenOff = {
            self.isReady = false
            self.ended(hasAnswer: false)
            promise.succeed(failed(Self.lost(isAmbiguous: self.isDotWritten)))
        }
        let isOver = self.node.wait(orEnd: brokenOff)
        self.breakOff = { isOver(brokenOff) }
        begin { answer in
            isOver {
                self.breakOff = {}
                promise.succeed(answer())
            }
        }
        return promise.futureResult
    }

    private static func lost(isAmbiguous: Bool) -> HostFailure {
        HostFailure(.connectionLost, "simulated", isAmbiguous: isAmbiguous)
    }
}
