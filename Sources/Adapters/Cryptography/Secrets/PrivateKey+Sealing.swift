extension PrivateKey {
    /// A key that only who holds this private key can make, another one for each label: HKDF-SHA256 of its DER.
    public func sealingKey(for label: String) -> SealingKey {
        let info = Array("relay sealing key: \(label)".utf8)
        guard let bytes = try? HKDF.sha256(self.der, info: info, count: SealingKey.byteCount) else {
            preconditionFailure("OpenSSL derives no key")
        }
        return SealingKey(checked: bytes)
    }
}
