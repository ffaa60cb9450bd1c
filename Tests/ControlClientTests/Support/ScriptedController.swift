import ClusterModel
import ControlAPI
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import MailModel
import OperatingSystem
import SwiftProtobuf
import Synchronization
import TLSEngine

/// A controller whose state and moods a test sets; it notes what nodes tell it.
final class ScriptedController: Sendable {
    struct State {
        var version: UInt64 = 0
        var resources: [ControlResource] = []
        /// How long some of them count.
        var lifetimes: [ControlResourceLifetime] = []
        /// Streams end, and none begins.
        var isAway = false
        /// Replies of enrolment that are lost yet.
        var lostReplies = 0
        /// The life of certificates that it issues from now on.
        var life = Duration.seconds(86_400)
        var comesBack = true
        /// Whether each report asks for a renewal.
        var asksForRenewal = false
        // What it saw.
        var enrolledKeys: [[UInt8]] = []
        var renewals = 0
        var comebacks = 0
        var firsts: [ControlWatchRequest] = []
        var answers: [ControlWatchRequest] = []
        var reports: [ControlReportServedRequest] = []
        var followers: [String] = []
    }

    let cluster: TestCluster
    private let state = Mutex(State())

    init(_ cluster: TestCluster) { self.cluster = cluster }

    var seen: State { self.state.withLock { $0 } }

    func set(_ change: (inout State) -> Void) { self.state.withLock { change(&$0) } }

    /// Replaces the whole state by the next version.
    func publish(_ resources: [ControlResource], lasting lifetimes: [ControlResourceLifetime] = []) {
        self.state.withLock {
            $0.version += 1
            $0.resources = resources
            $0.lifetimes = lifetimes
        }
    }

    var services: [any RegistrableRPCService] { [Enrolment(controller: self), Nodes(controller: self)] }

    fileprivate func issue(_ name: String, _ request: Data) throws -> ControlIssuedIdentity {
        let signing = try CertificateSigningRequest(der: Array(request))
        let life = self.seen.life
        let certificate = try self.cluster.certificate(
            of: name, publicKey: signing.subjectPublicKeyInfo, notBefore: .seconds(-2), notAfter: life)
        return .with {
            $0.certificateDer = Data(certificate.value.der)
            $0.authoritiesDer = [Data(self.cluster.authority.certificate.value.der)]
            $0.notAfter = Google_Protobuf_Timestamp(seconds: certificate.value.notAfter.microseconds / 1_000_000)
        }
    }
}

private struct Enrolment: ControlEnrollmentService.SimpleServiceProtocol {
    let controller: ScriptedController

    func enroll(request: ControlEnrollRequest, context: ServerContext) async throws -> ControlEnrollResponse {
        guard request.token == self.controller.cluster.token.text else {
            throw RPCError(code: .permissionDenied, message: "nobody knows this token")
        }
        let key = try CertificateSigningRequest(der: Array(request.signingRequestDer)).subjectPublicKeyInfo
        let identity = try self.controller.issue(request.nodeName, request.signingRequestDer)
        var isLost = false
        self.controller.set {
            $0.enrolledKeys.append(key)
            isLost = $0.lostReplies > 0
            $0.lostReplies -= isLost ? 1 : 0
        }
        if isLost { throw RPCError(code: .unavailable, message: "the reply is lost") }
        return .with {
            $0.identity = identity
            $0.cluster = "lab"
        }
    }

    func comeBack(request: ControlComeBackRequest, context: ServerContext) async throws -> ControlComeBackResponse {
        guard self.controller.seen.comesBack else {
            throw RPCError(code: .failedPrecondition, message: "it expired more than 7 days ago")
        }
        let old = try Certificate(der: Array(request.expiredCertificateDer))
        let identity = try self.controller.issue(old.value.commonName ?? "", request.signingRequestDer)
        self.controller.set { $0.comebacks += 1 }
        return .with { $0.identity = identity }
    }
}

private struct Nodes: ControlNodeService.SimpleServiceProtocol {
    let controller: ScriptedController

    private func caller(_ context: ServerContext) throws -> String {
        let peer = context.transportSpecific as? ConnectionPeer
        guard let uri = peer?.security?.client?.uris.first else {
            throw RPCError(code: .unauthenticated, message: "no certificate")
        }
        return uri
    }

    func watch(
        request: RPCAsyncSequence<ControlWatchRequest, any Error>, response: RPCWriter<ControlWatchResponse>,
        context: ServerContext
    ) async throws {
        let caller = try self.caller(context)
        self.controller.set { $0.followers.append(caller) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for try await message in request {
                    self.controller.set { state in
                        if message.nonce == 0 { state.firsts.append(message) } else { state.answers.append(message) }
                    }
                }
            }
            tasks.addTask {
                var (sent, nonce): (UInt64?, UInt64) = (nil, 0)
                while true {
                    let state = self.controller.seen
                    if state.isAway { throw RPCError(code: .unavailable, message: "the controller goes away") }
                    if let first = state.firsts.last, sent ?? first.stateVersion != state.version {
                        nonce += 1
                        try await response.write(
                            .with {
                                $0.nonce = nonce
                                $0.stateVersion = state.version
                                $0.resources = state.resources
                                $0.lifetimes = state.lifetimes
                            })
                        sent = state.version
                    }
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    func reportServed(
        request: ControlReportServedRequest, context: ServerContext
    ) async throws -> ControlReportServedResponse {
        _ = try self.caller(context)
        self.controller.set { $0.reports.append(request) }
        let asks = self.controller.seen.asksForRenewal
        self.controller.set { $0.asksForRenewal = false }
        return .with {
            $0.clock = request.clock
            $0.renew = asks
        }
    }

    func renewCertificate(
        request: ControlRenewCertificateRequest, context: ServerContext
    ) async throws -> ControlRenewCertificateResponse {
        let name = String(try self.caller(context).split(separator: "/").last ?? "")
        let identity = try self.controller.issue(name, request.signingRequestDer)
        self.controller.set { $0.renewals += 1 }
        return .with { $0.identity = identity }
    }
}
