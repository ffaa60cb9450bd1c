public import Foundation
public import LabSupport

/// One key of one zone, ECDSA P-256 with SHA-256 (RFC 6605), and real signatures by it: for zones that no name server would
/// make. The `openssl` program computes them, a process for each.
public struct ZoneSigner: Sendable {
    private static let algorithm: UInt8 = 13

    /// Without trailing dot.
    public let zone: String
    /// The zone's one DNSKEY record.
    public let key: WireRecord
    private let file: URL

    /// Makes a key for `zone` in a file below `folder`.
    public init(_ zone: String, in folder: URL) async throws(ChildProcess.Failure) {
        self.zone = zone
        self.file = folder.appending(path: "\(zone).key.pem")
        let publicKey = folder.appending(path: "\(zone).public.der")
        try await ChildProcess.run(
            "openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file.path])
        try await ChildProcess.run(
            "openssl",
            ["ec", "-in", self.file.path, "-pubout", "-outform", "DER", "-out", publicKey.path])
        // The point's two coordinates stand at the end.
        guard let point = try? Data(contentsOf: publicKey).suffix(64), point.count == 64 else {
            throw ChildProcess.Failure("\(publicKey.path) is no key")
        }
        // Zone key and entry point, protocol 3 (RFC 4034 §2.1).
        self.key = WireRecord(zone, WireRecord.Kind.dnskey, [1, 1, 3, Self.algorithm] + Array(point))
    }

    /// The key as a trust anchor in zone file form.
    public var anchor: String {
        "\(self.zone). 3600 IN DNSKEY 257 3 \(Self.algorithm) \(Data(self.key.data.dropFirst(4)).base64EncodedString())"
    }

    /// The key tag (RFC 4034 appendix B).
    public var tag: UInt16 {
        let data = self.key.data
        let sum = data.indices.reduce(UInt32(0)) { $0 + UInt32(data[$1]) << ($1.isMultiple(of: 2) ? 8 : 0) }
        return UInt16(truncatingIfNeeded: sum + sum >> 16)
    }

    /// A record set together with its signature. All records have the same owner, type and TTL.
    public func signed(_ records: [WireRecord]) async throws(ChildProcess.Failure) -> [WireRecord] {
        guard let first = records.first else { return [] }
        let now = UInt32(truncatingIfNeeded: Int64(Date().timeIntervalSince1970))
        let head =
            first.type.bytes + [Self.algorithm, UInt8(first.owner.split(separator: ".").count)]
            + first.timeToLive.bytes + (now + 86_400).bytes + (now - 3600).bytes + self.tag.bytes
            + WireRecord.wire(self.zone)
        // In the order of their data as bytes (RFC 4034 §6.3).
        let sorted = records.sorted { $0.data.lexicographicallyPrecedes($1.data) }
        let signature = try await self.signature(of: head + sorted.flatMap(\.bytes))
        return records
            + [WireRecord(first.owner, WireRecord.Kind.rrsig, head + signature, timeToLive: first.timeToLive)]
    }

    private func signature(of bytes: [UInt8]) async throws(ChildProcess.Failure) -> [UInt8] {
        let input = self.file.deletingLastPathComponent().appending(path: "sign-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: input) }
        do {
            try Data(bytes).write(to: input)
        } catch {
            throw ChildProcess.Failure("cannot write \(input.path): \(error)")
        }
        let text = try await ChildProcess.run(
            "openssl", ["dgst", "-sha256", "-sign", self.file.path, "-hex", input.path])
        // The last word is a SEQUENCE of two INTEGERs, in hex.
        var digits = Array(text.split(whereSeparator: \.isWhitespace).last ?? "")[...]
        var der: [UInt8] = []
        while digits.count >= 2 {
            guard let byte = UInt8(String(digits.prefix(2)), radix: 16) else { break }
            der.append(byte)
            digits = digits.dropFirst(2)
        }
        var rest = der.dropFirst(2)
        var numbers: [UInt8] = []
        for _ in 0..<2 {
            guard rest.popFirst() == 2, let length = rest.popFirst(), rest.count >= Int(length) else {
                throw ChildProcess.Failure("no signature: \(text)")
            }
            // 32 bytes each: without the sign's zero, with all others.
            let number = rest.prefix(Int(length)).suffix(32)
            numbers += [UInt8](repeating: 0, count: 32 - number.count) + number
            rest = rest.dropFirst(Int(length))
        }
        return numbers
    }
}
