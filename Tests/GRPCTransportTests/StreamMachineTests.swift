import GRPCCore
import NIOCore
import Testing

@testable import GRPCTransport

/// The order of parts on a stream, and what becomes of those out of order (control 31, 32).
@Suite("Calls")
struct StreamMachineTests {
    private let ok = Status(code: .ok, message: "")

    private func isMisuse(_ outcome: ServerStreamMachine.OnSend) -> Bool {
        if case .misuse(let error, _) = outcome { error.code == .internalError } else { false }
    }

    // MARK: The server's side

    @Test("control 31: a handler sends metadata once, messages, and one status, last")
    func response() {
        var machine = ServerStreamMachine(endStream: true)
        #expect(
            machine.send(.metadata(["x": "y"]))
                == .headers([":status": "200", "content-type": "application/grpc", "x": "y"]))
        #expect(machine.send(.message([1])) == .body([1]))
        #expect(machine.send(.status(self.ok, ["t": "u"])) == .status(.trailers(["grpc-status": "0", "t": "u"])))
        // Whatever follows goes nowhere.
        #expect(machine.send(.message([2])) == .dropped)
        #expect(machine.send(.status(self.ok, [:])) == .dropped)
        #expect(machine.finish() == .dropped)
    }

    @Test("control 31: a status without metadata before it is one section")
    func trailersOnly() {
        var machine = ServerStreamMachine(endStream: true)
        let list: HeaderList = [
            ":status": "200", "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "gone",
        ]
        #expect(machine.send(.status(Status(code: .notFound, message: "gone"), [:])) == .status(.trailersOnly(list)))
    }

    @Test("control 31, 32: metadata twice, a message before it, and an end without a status are misuse")
    func misuse() {
        var twice = ServerStreamMachine(endStream: false)
        _ = twice.send(.metadata([:]))
        #expect(self.isMisuse(twice.send(.metadata([:]))))
        // A state without a way back.
        #expect(twice.send(.message([])) == .dropped)
        var early = ServerStreamMachine(endStream: false)
        #expect(self.isMisuse(early.send(.message([]))))
        var silent = ServerStreamMachine(endStream: false)
        #expect(self.isMisuse(silent.finish()))
        var unsendable = ServerStreamMachine(endStream: false)
        #expect(self.isMisuse(unsendable.send(.metadata(["x y": "z"]))))
    }

    @Test("control 32: a request that ends within a message is the client's violation")
    func cutRequest() {
        var machine = ServerStreamMachine(endStream: false)
        #expect(machine.receivedData() == .take)
        guard case .violation(let error, .trailersOnly) = machine.receivedEnd(isWithinMessage: true) else {
            Issue.record("no violation")
            return
        }
        #expect(error.code == .internalError)
        #expect(machine.send(.metadata([:])) == .dropped)
    }

    @Test("control 32: what comes behind the end or the answer is dropped in silence")
    func droppedRequest() {
        var ended = ServerStreamMachine(endStream: true)
        #expect(ended.receivedData() == .dropped)
        #expect(ended.receivedEnd(isWithinMessage: false) == .dropped)
        var answered = ServerStreamMachine(endStream: false)
        _ = answered.send(.status(self.ok, [:]))
        #expect(answered.receivedData() == .dropped)
        #expect(answered.closed(.cancel) == .dropped)
    }

    @Test("control 32: a reset before the status cancels the call")
    func cancelled() {
        var machine = ServerStreamMachine(endStream: false)
        guard case .cancelled(let error) = machine.closed(.cancel) else {
            Issue.record("not cancelled")
            return
        }
        #expect(error.code == .cancelled)
        #expect(machine.closed(.cancel) == .dropped)
        #expect(machine.send(.message([])) == .dropped)
        #expect(machine.fail(error) == nil)
    }

    // MARK: The client's side

    private func end(_ outcome: ClientStreamMachine.OnHeaders) -> ClientStreamMachine.End? {
        if case .over(let end) = outcome { end } else { nil }
    }

    private func begun(requestEnded: Bool = true) -> ClientStreamMachine {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        if requestEnded { _ = machine.finish() }
        _ = machine.receivedHeaders([":status": "200", "content-type": "application/grpc"], endStream: false)
        return machine
    }

    @Test("control 31: a call is metadata, messages and exactly one status")
    func call() {
        var machine = ClientStreamMachine()
        #expect(machine.send(.metadata(["x": "y"])) == .request(["x": "y"]))
        #expect(machine.send(.message([1])) == .body([1]))
        #expect(machine.finish() == .endStream)
        #expect(
            machine.receivedHeaders([":status": "200", "content-type": "application/grpc", "a": "b"], endStream: false)
                == .begun(["a": "b"]))
        #expect(machine.receivedData() == .take)
        let end = self.end(machine.receivedHeaders(["grpc-status": "0", "t": "u"], endStream: true))
        #expect(end == ClientStreamMachine.End(status: self.ok, metadata: ["t": "u"], reset: nil))
        #expect(machine.closed(.noError, at: .now()) == nil)
        #expect(machine.receivedHeaders(["grpc-status": "1"], endStream: true) == .dropped)
        #expect(machine.connectionLost("gone", at: .now(), isUnprocessed: true) == nil)
    }

    @Test("control 22: only a refused stream, or one that was not looked at, before a response begins is unprocessed")
    func unprocessed() {
        var refused = ClientStreamMachine()
        _ = refused.send(.metadata([:]))
        var (cancelled, left, lost) = (refused, refused, refused)
        #expect(refused.closed(.refusedStream, at: .now())?.isUnprocessed == true)
        #expect(cancelled.closed(.cancel, at: .now())?.isUnprocessed == false)
        #expect(left.connectionLost("gone", at: .now(), isUnprocessed: true)?.isUnprocessed == true)
        #expect(lost.connectionLost("gone", at: .now(), isUnprocessed: false)?.isUnprocessed == false)
        var begun = self.begun(requestEnded: false)
        #expect(begun.closed(.refusedStream, at: .now())?.isUnprocessed == false)
        var late = ClientStreamMachine(deadline: .uptimeNanoseconds(1))
        _ = late.send(.metadata([:]))
        let end = late.connectionLost("gone", at: .uptimeNanoseconds(2), isUnprocessed: true)
        #expect(end?.isUnprocessed == false && end?.status.code == .deadlineExceeded)
    }

    @Test("control 20, 31: an early status resets what is left of the request")
    func earlyStatus() {
        var machine = self.begun(requestEnded: false)
        let end = self.end(machine.receivedHeaders(["grpc-status": "0"], endStream: true))
        #expect(end?.reset == .cancel)
        #expect(machine.send(.message([])) == .dropped)
    }

    @Test("control 32: interim responses count for nothing, and data before a response is the server's violation")
    func order() {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        #expect(machine.receivedHeaders([":status": "103"], endStream: false) == .dropped)
        guard case .over(let end) = machine.receivedData() else {
            Issue.record("data before the response was taken")
            return
        }
        #expect(end.status.code == .internalError && end.reset == .protocolError)
    }

    @Test(
        "control 18, 21: a response that is not gRPC's ends the call and the stream",
        arguments: [
            ([":status": "200", "content-type": "text/html"] as HeaderList, Status.Code.unknown),
            ([":status": "503", "content-type": "application/grpc"] as HeaderList, .unavailable),
            (
                [":status": "200", "content-type": "application/grpc", "grpc-encoding": "gzip"] as HeaderList,
                .internalError
            ),
            ([":status": "200", "content-type": "application/grpc", "x-bin": "*"] as HeaderList, .internalError),
        ])
    func foreignResponse(_ list: HeaderList, _ code: Status.Code) {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        let end = self.end(machine.receivedHeaders(list, endStream: false))
        #expect(end?.status.code == code)
        #expect(end?.reset == .cancel)
    }

    @Test(
        "control 18, 21: a response without trailers is UNKNOWN, and one with a header list too large RESOURCE_EXHAUSTED"
    )
    func withoutTrailers() {
        var machine = self.begun()
        #expect(machine.receivedEnd()?.status.code == .unknown)
        var large = self.begun()
        #expect(large.receivedOversizedHeaders()?.status.code == .resourceExhausted)
    }

    @Test("control 32: a caller's misuse ends the call with INTERNAL")
    func callersMisuse() {
        let misuses: [(inout ClientStreamMachine) -> ClientStreamMachine.OnSend] = [
            { $0.send(.message([])) }, { $0.finish() },
            {
                _ = $0.send(.metadata([:]))
                return $0.send(.metadata([:]))
            },
            {
                _ = $0.send(.metadata([:]))
                _ = $0.finish()
                return $0.send(.message([]))
            },
        ]
        for misuse in misuses {
            var machine = ClientStreamMachine()
            guard case .misuse(let end) = misuse(&machine) else {
                Issue.record("no misuse")
                continue
            }
            #expect(end.status.code == .internalError)
            #expect(machine.send(.metadata([:])) == .dropped)
        }
    }
}
