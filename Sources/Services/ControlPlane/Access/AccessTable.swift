package import ClusterModel
import ControlAPI
package import GRPCCore

/// Who may call a method.
package enum AccessRule: Hashable, Sendable {
    /// Everybody, with or without a certificate.
    case anyone
    /// Those with a certificate of the cluster for one of these roles.
    case roles(Set<ClusterRole>)
}

/// The one table of permissions (control 16). A method that is not in it can be called by nobody.
package enum AccessTable {
    /// Who may call this method; `nil` for one that is not in the table.
    package static func rule(for method: MethodDescriptor) -> AccessRule? { self.rules[method.fullyQualifiedMethod] }

    private static let rules = Dictionary(
        uniqueKeysWithValues: Self.rows.map { ($0.0.fullyQualifiedMethod, $0.1) })

    private static let admins = AccessRule.roles([.admin])
    private static let people = AccessRule.roles([.admin, .viewer])
    private static let nodes = AccessRule.roles([.node])

    private static let rows: [(MethodDescriptor, AccessRule)] =
        Self.nodeRows + Self.stateRows + Self.clusterRows + Self.queueRows + Self.generalRows

    private static let nodeRows: [(MethodDescriptor, AccessRule)] = [
        // A token, or the old key, is the proof.
        (ControlEnrollmentService.Method.Enroll.descriptor, .anyone),
        (ControlEnrollmentService.Method.ComeBack.descriptor, .anyone),
        // Its answers have the keys of certificates (control 17).
        (ControlNodeService.Method.Watch.descriptor, Self.nodes),
        (ControlNodeService.Method.ReportServed.descriptor, Self.nodes),
        (ControlNodeService.Method.RenewCertificate.descriptor, Self.nodes),
    ]

    private static let stateRows: [(MethodDescriptor, AccessRule)] = [
        (ControlDomainService.Method.GetDomain.descriptor, Self.people),
        (ControlDomainService.Method.ListDomains.descriptor, Self.people),
        (ControlDomainService.Method.ApplyDomains.descriptor, Self.admins),
        (ControlDomainService.Method.RemoveDomain.descriptor, Self.admins),
        (ControlDomainService.Method.ReplaceRecipients.descriptor, Self.admins),
        (ControlUserService.Method.ListUsers.descriptor, Self.people),
        (ControlUserService.Method.SetUser.descriptor, Self.admins),
        (ControlUserService.Method.RemoveUser.descriptor, Self.admins),
        (ControlCertificateService.Method.ListCertificates.descriptor, Self.people),
        (ControlCertificateService.Method.GetCertificate.descriptor, Self.people),
        (ControlCertificateService.Method.ImportCertificate.descriptor, Self.admins),
    ]

    private static let clusterRows: [(MethodDescriptor, AccessRule)] = [
        (ControlFleetService.Method.ListNodes.descriptor, Self.people),
        (ControlFleetService.Method.DiffNode.descriptor, Self.people),
        (ControlFleetService.Method.CreateJoinToken.descriptor, Self.admins),
        (ControlFleetService.Method.RevokeNode.descriptor, Self.admins),
        (ControlFleetService.Method.RevokePerson.descriptor, Self.admins),
        (ControlFleetService.Method.GetSettings.descriptor, Self.people),
        (ControlFleetService.Method.SetSettings.descriptor, Self.admins),
        (ControlClusterService.Method.GetStatus.descriptor, Self.people),
        (ControlClusterService.Method.GetAuthority.descriptor, Self.people),
        (ControlClusterService.Method.RotateAuthority.descriptor, Self.admins),
        (ControlClusterService.Method.ListAudit.descriptor, Self.people),
        (ControlClusterService.Method.RenewCredential.descriptor, Self.people),
    ]

    private static let queueRows: [(MethodDescriptor, AccessRule)] = [
        (ControlQueueService.Method.GetQueueTime.descriptor, Self.people),
        (ControlQueueService.Method.ListEntries.descriptor, Self.people),
        (ControlQueueService.Method.GetMessage.descriptor, Self.people),
        (ControlQueueService.Method.GetTrace.descriptor, Self.people),
        // What people wrote to each other is not a viewer's business.
        (ControlQueueService.Method.ReadContent.descriptor, Self.admins),
        (ControlQueueService.Method.GetOverview.descriptor, Self.people),
        (ControlQueueService.Method.GetCensus.descriptor, Self.people),
        (ControlQueueService.Method.GetShape.descriptor, Self.people),
        (ControlQueueService.Method.CountAction.descriptor, Self.people),
        (ControlQueueService.Method.PerformAction.descriptor, Self.admins),
        (ControlQueueService.Method.FlushDns.descriptor, Self.admins),
        (ControlQueueService.Method.ListRules.descriptor, Self.people),
        (ControlQueueService.Method.MakeRule.descriptor, Self.admins),
        (ControlQueueService.Method.LiftRules.descriptor, Self.admins),
    ]

    private static let generalRows: [(MethodDescriptor, AccessRule)] = [
        // What checks a replica from outside has no certificate. A stream costs more than an answer.
        (GRPCHealth.Method.Check.descriptor, .anyone),
        (GRPCHealth.Method.Watch.descriptor, .roles(Set(ClusterRole.allCases))),
        (GRPCServerReflection.Method.ServerReflectionInfo.descriptor, Self.people),
    ]
}
