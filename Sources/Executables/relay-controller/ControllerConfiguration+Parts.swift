import ClusterModel
import ControlPlane
import GRPCTransport
import MailModel
import OperatorCommands
import RelayConfiguration

// The settings as the parts of a replica take them.

extension ControllerConfiguration {
    var certificateTerms: CertificateTerms {
        CertificateTerms(
            lifetime: self.certificates.lifetime, peopleLifetime: self.certificates.peopleLifetime,
            grace: self.certificates.grace)
    }

    var planeSettings: ControlPlaneSettings {
        var settings = ControlPlaneSettings(
            addresses: self.control.listeners.map { .host("\($0.address)", port: Int($0.port)) },
            replica: self.controller.name.text, programVersion: ProgramVersion.number)
        settings.terms = self.certificateTerms
        settings.maximumConnections = self.control.maxConnections
        settings.snapshotsPerSecond = self.control.maxSnapshotsPerSecond
        settings.connectionAge = self.control.connectionAge
        settings.offersReflection = self.control.reflection
        return settings
    }
}
