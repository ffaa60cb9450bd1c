import Foundation
import MailModel

/// One key that trust begins with, read from a DS or DNSKEY record: its owner and key tag.
///
/// libunbound reads the anchors itself; this reading serves the line on start, and telling a name that no anchor covers.
package struct TrustAnchorKey: Hashable, Sendable {
    /// The owner in lower case without trailing dot; empty for the root.
    let owner: String
    /// The key tag (RFC 4034 appendix B).
    let keyTag: UInt16

    /// Whether a name is at or below this anchor.
    func covers(_ name: DomainName) -> Bool {
        self.owner.isEmpty || name.text == self.owner || name.text.hasSuffix("." + self.owner)
    }

    /// All DS and DNSKEY records of a text in zone file form; other lines are passed over.
    package static func keys(inZoneText text: String) -> [TrustAnchorKey] {
        var records: [String] = []
        var depth = 0
        for line in text.split(whereSeparator: \.isNewline) {
            let content = line.prefix { $0 != ";" }
            let words = content.filter { $0 != "(" && $0 != ")" }
            if depth > 0, let last = records.popLast() {
                records.append(last + " " + words)
            } else {
                records.append(String(words))
            }
            depth += content.count { $0 == "(" } - content.count { $0 == ")" }
        }
        return records.compactMap(Self.init(record:))
    }

    private init?(record: String) {
        let words = record.split(whereSeparator: \.isWhitespace)
        guard let owner = words.first,
            let typeIndex = words.firstIndex(where: { ["DS", "DNSKEY"].contains($0.uppercased()) }), typeIndex > 0
        else { return nil }
        let data = words[(typeIndex + 1)...]
        guard let first = data.first.flatMap({ UInt16($0) }), data.count >= 4 else { return nil }
        self.owner = String(owner.hasSuffix(".") ? owner.dropLast() : owner).lowercased()
        if words[typeIndex].uppercased() == "DS" {
            self.keyTag = first
        } else {
            let numbers = data.dropFirst().prefix(2).compactMap { UInt8($0) }
            guard numbers.count == 2, let key = Data(base64Encoded: data.dropFirst(3).joined()) else { return nil }
            self.keyTag = Self.keyTag([UInt8(first >> 8), UInt8(first & 0xFF)] + numbers + key)
        }
    }

    private static func keyTag(_ rdata: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in rdata.enumerated() { sum &+= index.isMultiple(of: 2) ? UInt32(byte) << 8 : UInt32(byte) }
        sum &+= sum >> 16
        return UInt16(truncatingIfNeeded: sum)
    }
}
