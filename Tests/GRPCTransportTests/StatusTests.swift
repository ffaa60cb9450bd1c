import GRPCCore
import NIOCore
import Testing

@testable import GRPCTransport

/// How a call ends for a client (control 21), as gRPC's tables say.
@Suite("Statuses")
struct StatusTests {
    @Test(
        "control 21: a reset is a status by its code",
        arguments: [
            (HTTP2ErrorCode.noError, Status.Code.internalError), (.protocolError, .internalError),
            (.internalError, .internalError), (.flowControlError, .internalError), (.frameSizeError, .internalError),
            (.compressionError, .internalError), (.connectError, .internalError), (.settingsTimeout, .internalError),
            (.refusedStream, .unavailable), (.cancel, .cancelled), (.enhanceYourCalm, .resourceExhausted),
            (.inadequateSecurity, .permissionDenied), (HTTP2ErrorCode(rawValue: 0xFFFF), .unknown),
        ])
    func reset(_ code: HTTP2ErrorCode, _ status: Status.Code) {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        #expect(machine.closed(code, at: .now())?.status.code == status)
    }

    @Test(
        "control 21: an HTTP status without gRPC's is a status by gRPC's table",
        arguments: [
            (400, Status.Code.internalError), (401, .unauthenticated), (403, .permissionDenied), (404, .unimplemented),
            (429, .unavailable), (502, .unavailable), (503, .unavailable), (504, .unavailable), (500, .unknown),
            (200, .unknown), (302, .unknown),
        ])
    func httpStatus(_ code: Int, _ status: Status.Code) {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        let outcome = machine.receivedHeaders([":status": "\(code)", "content-type": "text/html"], endStream: true)
        guard case .over(let end) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(end.status.code == status)
    }

    @Test("control 21: a deadline that has passed is DEADLINE_EXCEEDED, even if CANCELLED arrives")
    func deadline() {
        let deadline = NIODeadline.uptimeNanoseconds(1_000)
        for (moment, code) in [(deadline - .nanoseconds(1), Status.Code.cancelled), (deadline, .deadlineExceeded)] {
            var machine = ClientStreamMachine(deadline: deadline)
            _ = machine.send(.metadata([:]))
            #expect(machine.closed(.cancel, at: moment)?.status.code == code)
        }
    }

    @Test("control 21: gRPC's own status counts before HTTP's, and an unknown one is UNKNOWN")
    func ownStatus() {
        let list: HeaderList = [":status": "503", "grpc-status": "5", "grpc-message": "not%20here", "x": "y"]
        let end = ResponseHead.end(list, httpStatus: 503)
        #expect(end.status == Status(code: .notFound, message: "not here"))
        #expect(end.metadata == ["x": "y"])
        #expect(ResponseHead.end(["grpc-status": "4711"]).status.code == .unknown)
        #expect(ResponseHead.end(["grpc-status": "x"]).status.code == .unknown)
    }

    @Test("control 22: streams above the last one of a GOAWAY, and those of a lost connection, are UNAVAILABLE")
    func connectionLost() {
        var machine = ClientStreamMachine()
        _ = machine.send(.metadata([:]))
        #expect(machine.connectionLost("gone", at: .now(), isUnprocessed: false)?.status.code == .unavailable)
    }
}
