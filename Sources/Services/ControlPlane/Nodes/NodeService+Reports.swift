import ClusterModel
package import ControlAPI
import ControlStore
import Foundation
package import GRPCCore
import MailModel
import SwiftProtobuf

extension NodeService {
    private static let maximumAuthorities = 16
    private static let digestBytes = 32

    package func reportServed(
        request: ControlReportServedRequest, context: ServerContext
    ) async throws -> ControlReportServedResponse {
        let caller = try Caller.known()
        let report = try self.report(request, of: caller.identity.name)
        self.clocks.saw(report.clockOffset.map { ClockOffset(ahead: $0) }, of: caller.identity.name)
        guard try await self.reports.within("reports", { try await self.store.report(report) }) else {
            throw RPCError(
                code: .permissionDenied, message: "\(caller.identity) is not enrolled; enrol with a new join token")
        }
        let certificate = try await self.store.certificate(sha256: caller.fingerprint)
        return .with {
            $0.clock = .init(self.clock.date)
            $0.authoritiesDer = self.authority.authoritiesDER
            $0.renew = certificate.map { $0.authoritySHA256 != self.authority.current.issuing.row.sha256 } ?? false
        }
    }

    private func report(_ request: ControlReportServedRequest, of node: String) throws(RPCError) -> ServedReport {
        try FieldChecks.text(request.programVersion, "program_version", atMost: 100)
        let authorities = request.trustedAuthoritiesSha256.map { Array($0) }
        guard authorities.count <= Self.maximumAuthorities,
            authorities.allSatisfy({ $0.count == Self.digestBytes })
        else {
            throw .invalid("trusted_authorities_sha256", "at most \(Self.maximumAuthorities) of 32 bytes each")
        }
        return ServedReport(
            node: node, stateVersion: request.stateVersion, resources: try Self.resources(request),
            clockOffset: try self.offset(request), programVersion: request.programVersion,
            trustedAuthorities: authorities)
    }

    private func offset(_ request: ControlReportServedRequest) throws(RPCError) -> Duration? {
        guard request.hasClock else { return nil }
        guard let theirs = Timestamp(request.clock) else { throw .invalid("clock", "out of range") }
        return ClockOffset(theirs: theirs, ours: self.clock.date).ahead
    }

    private static func resources(_ request: ControlReportServedRequest) throws(RPCError) -> [ServedResourceRow] {
        guard request.resources.count <= ControlLimits.servedResources else {
            throw .invalid("resources", "more than \(ControlLimits.servedResources)")
        }
        var rows: [ServedResourceRow] = []
        for (index, resource) in request.resources.enumerated() {
            guard let key = ResourceKey(resource.key) else {
                throw .invalid("resources[\(index)].key", "there is no such resource")
            }
            guard resource.sha256.count == Self.digestBytes || resource.sha256.isEmpty else {
                throw .invalid("resources[\(index)].sha256", "not 32 bytes")
            }
            rows.append(
                ServedResourceRow(
                    key: key, version: resource.version, sha256: Array(resource.sha256),
                    notAfter: resource.hasNotAfter ? Timestamp(resource.notAfter) : nil))
        }
        return rows
    }
}
