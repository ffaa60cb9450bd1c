import ControlAPI
import Cryptography
import DNSModel
import Foundation
import GRPCCore
import MailModel
import OperatingSystem
import SwiftProtobuf

/// A certificate that is to be imported.
package struct CertificateImport: Hashable, Sendable {
    /// As the operator names it.
    package var name: String
    /// PEM files of the chain and of its key.
    package var chainFile, keyFile: String
    /// Its place among certificates; what it replaces has one, and a new one is the last.
    package var slot: UInt32?

    package init(name: String, chainFile: String, keyFile: String, slot: UInt32? = nil) {
        self.name = name
        self.chainFile = chainFile
        self.keyFile = keyFile
        self.slot = slot
    }
}

extension ClusterConsole {
    /// Lists certificates, in the order of their slots.
    package func listCertificates() async throws(ConsoleFailure) {
        let now = self.time.date
        let documents = try await self.allCertificates().map { CertificateDocument(summary: $0) }
        try self.terminal.write(list: "certificates", documents.map { $0.fields(now: now) }, as: self.format) {
            var table = CertificateDocument.table(self.terminal.style)
            return table.lines(documents.map { $0.row(now: now) })
        }
    }

    /// Shows one certificate. Nobody is shown its key.
    package func showCertificate(_ name: String) async throws(ConsoleFailure) {
        guard let found = try await self.certificate(name) else {
            throw ConsoleFailure(.badData, "there is no certificate \(name)")
        }
        let document = CertificateDocument(summary: found)
        let now = self.time.date
        try self.write(document.document(now: now)) { document.lines(now: now) }
    }

    /// Adds a certificate with its key, or replaces both under the same name.
    package func importCertificate(
        _ wanted: CertificateImport, _ change: ClusterChange
    ) async throws(ConsoleFailure) {
        let read = try Self.read(wanted)
        let before = try await self.certificate(wanted.name)
        let base = before?.version ?? 0
        let answer = try await self.change(
            [("certificate \(wanted.name)", base)],
            current: { _ throws(ConsoleFailure) in try await self.certificate(wanted.name)?.version ?? 0 }
        ) { options in
            try await self.certificates.importCertificate(
                .with {
                    $0.name = wanted.name
                    $0.chainPem = read.chain.map(\.pem).joined()
                    $0.privateKeyPem = read.key.pem
                    if let slot = wanted.slot { $0.slot = slot }
                    $0.baseVersion = base
                    $0.context = change.context
                }, options: options)
        }
        // A dry run makes nothing that could be told of.
        let document = CertificateDocument(
            summary: change.isDryRun ? ControlCertificateSummary(read, wanted) : answer.certificate)
        let now = self.time.date
        let fields =
            change.fields("import") + document.fields(now: now) + [
                .init("state_version", .number(Int(clamping: answer.stateVersion)))
            ]
        try self.write(.document(fields)) {
            let verb = before == nil ? "added" : "replaced"
            return [change.told("\(verb) certificate \(wanted.name)")] + document.lines(now: now).dropFirst()
        }
        try await self.wait(for: answer.stateVersion, change)
    }

    /// What the files hold; a key that is not the certificate's does not travel.
    private static func read(_ wanted: CertificateImport) throws(ConsoleFailure) -> ServerCertificate {
        do {
            return try ServerCertificate(chainFile: wanted.chainFile, keyFile: wanted.keyFile)
        } catch {
            throw ConsoleFailure(.badData, error.message)
        }
    }

    func allCertificates() async throws(ConsoleFailure) -> [ControlCertificateSummary] {
        try await self.ask { options in
            try await self.certificates.listCertificates(.init(), options: options).certificates
        }
    }

    private func certificate(_ name: String) async throws(ConsoleFailure) -> ControlCertificateSummary? {
        try await self.ask { options in
            do {
                return try await self.certificates.getCertificate(.with { $0.name = name }, options: options)
                    .certificate
            } catch let error as RPCError where error.code == .notFound {
                return nil
            }
        }
    }
}

extension ControlCertificateSummary {
    /// What is known of a certificate before it is imported.
    fileprivate init(_ read: ServerCertificate, _ wanted: CertificateImport) {
        let own = read.chain[0].value
        self.init()
        self.name = wanted.name
        self.slot = wanted.slot ?? 0
        self.dnsNames = own.dnsNames
        self.chainPem = read.chain.map(\.pem).joined()
        self.notBefore = Google_Protobuf_Timestamp(own.notBefore)
        self.notAfter = Google_Protobuf_Timestamp(own.notAfter)
        let record = own.tlsaRecord(usage: .daneEE, selector: .spki, matchingType: .sha256)
        self.publicKeySha256 = Data(record.associationData)
    }
}
