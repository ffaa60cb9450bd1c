public import MailModel
import OperatingSystem

/// A certificate chain with its key, checked: it parses, and the key is the certificate's.
///
/// Its dates are not: TLS with a certificate that has expired is better than none, and who serves it says so
/// (`value.notBefore`, `value.notAfter` of `chain[0]`).
public final class ServerCertificate: Sendable {
    /// The names it is served for, beside being the default; lower case, `*.` in front of a wildcard's.
    public let names: [String]
    /// The chain, its own certificate first; never empty.
    public let chain: [Certificate]
    /// Its key.
    package let key: PrivateKey

    /// A certificate in memory, as PEM.
    ///
    /// - Parameter names: the SNI names it answers to; `nil` means its dNSNames, or its common name if it has none.
    public init(
        chainPEM: [UInt8], keyPEM: [UInt8], names: [DomainName]? = nil
    ) throws(CryptographyError) {
        self.chain = try Certificate.readAll(pem: chainPEM)
        self.key = try PrivateKey(pem: keyPEM)
        let own = self.chain[0]
        guard own.belongs(to: self.key) else {
            throw CryptographyError(.keyMismatch, "the key is not that of certificate \(own.value.subject)")
        }
        let carried = own.value.dnsNames.isEmpty ? [own.value.commonName].compactMap(\.self) : own.value.dnsNames
        self.names = names?.map(\.text) ?? carried.map { $0.lowercased() }
    }

    /// A certificate from files. A key file that others than owner and group can read or change is refused.
    public convenience init(
        chainFile: String, keyFile: String, names: [DomainName]? = nil
    ) throws(CryptographyError) {
        let chain = try readSmallFile(chainFile)
        let key = try readSmallFile(keyFile, isSecret: true)
        do {
            try self.init(chainPEM: chain, keyPEM: key, names: names)
        } catch {
            throw CryptographyError(error.code, "\(chainFile), \(keyFile): \(error.message)")
        }
    }
}

/// Reads at most a megabyte. The mode is that of the very file that is read.
func readSmallFile(_ path: String, isSecret: Bool = false) throws(CryptographyError) -> [UInt8] {
    do throws(BoundedFile.Fault) {
        let bytes = try BoundedFile.read(path, limit: 1 << 20, isSecret: isSecret).bytes
        guard !bytes.isEmpty else { throw BoundedFile.emptyFile }
        return bytes
    } catch {
        throw CryptographyError(error.isExposed ? .keyFileExposed : .unreadable, "\(path): \(error)")
    }
}
