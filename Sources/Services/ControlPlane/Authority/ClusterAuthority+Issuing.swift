package import ClusterModel
import ControlAPI
package import ControlStore
package import Cryptography
import Foundation
import MailModel
import SwiftProtobuf

/// A certificate that was issued now, or is given once more.
package struct IssuedCertificate: Sendable {
    package let certificate: Certificate
    package let row: CertificateRow
}

extension ClusterAuthority {
    /// Issues a certificate over a public key; nothing is recorded.
    package func issue(
        _ identity: ClusterIdentity, publicKey: [UInt8]
    ) throws(CryptographyError) -> IssuedCertificate {
        let issuer = self.current.issuing
        let certificate = try issuer.issue(
            identity, subjectPublicKeyInfo: publicKey, self.terms, at: self.clock.date)
        return IssuedCertificate(
            certificate: certificate, row: CertificateRow(certificate, for: identity, authority: issuer.row.sha256))
    }

    /// Issues a certificate and records it. A replica that has not seen yet that another authority issues by now signs once more,
    /// by that one (control 14).
    package func issue<Outcome>(
        _ identity: ClusterIdentity, publicKey: [UInt8], recording record: (CertificateRow) async throws -> Outcome
    ) async throws -> (row: CertificateRow, outcome: Outcome) {
        let first = try self.issue(identity, publicKey: publicKey).row
        do {
            return (first, try await record(first))
        } catch let error as ControlStoreError where error.code == .staleAuthority {
            try await self.refresh()
        }
        let second = try self.issue(identity, publicKey: publicKey).row
        return (second, try await record(second))
    }

    /// What its holder gets: the certificate, and all authorities that are trusted now.
    func answer(_ der: [UInt8]) throws(CryptographyError) -> ControlIssuedIdentity {
        let certificate = try Certificate(der: der)
        let value = certificate.value
        // From the middle of what is left on, whatever the terms were when it was issued.
        let half = (value.notAfter - value.notBefore - self.terms.backdating) / 2
        return .with {
            $0.certificateDer = Data(der)
            $0.authoritiesDer = self.authoritiesDER
            $0.notAfter = .init(value.notAfter)
            $0.renewAfter = .init(value.notAfter + (.zero - half))
        }
    }

    /// The authorities that everyone is to trust now.
    var authoritiesDER: [Data] { self.current.trusted.map { Data($0.row.certificate) } }

    /// Whether a certificate was issued by an authority that is trusted now.
    func hasIssued(_ certificate: Certificate) -> Bool {
        self.current.trusted.contains { certificate.isIssued(by: $0.certificate) }
    }
}

extension CertificateRow {
    /// What is recorded of a certificate.
    package init(_ certificate: Certificate, for identity: ClusterIdentity, authority: [UInt8]) {
        let value = certificate.value
        self.init(
            sha256: Digests.sha256(value.der), identity: identity,
            publicKeySHA256: Digests.sha256(value.subjectPublicKeyInfo), authoritySHA256: authority, der: value.der,
            notBefore: value.notBefore, notAfter: value.notAfter)
    }
}
