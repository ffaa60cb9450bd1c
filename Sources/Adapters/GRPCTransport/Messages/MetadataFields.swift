import GRPCCore

/// Between gRPC's metadata and the fields of HTTP/2.
enum MetadataFields {
    /// Names that HTTP/2 or gRPC itself gives a meaning; an application neither sends nor sees them.
    private static let reserved: Set<String> = [
        "te", "content-type", "content-length", "connection", "host", "transfer-encoding", "upgrade", "keep-alive",
        "proxy-connection", "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding",
    ]

    /// The metadata in a field section; `nil` where a `-bin` value is not base64.
    static func read(_ list: HeaderList) -> Metadata? {
        var metadata = Metadata()
        for field in list.fields where !Self.isReserved(field.name) {
            if field.name.hasSuffix("-bin") {
                guard let values = BinaryValue.decodeAll(field.value) else { return nil }
                for value in values { metadata.addBinary(value, forKey: field.name) }
            } else {
                metadata.addString(field.value, forKey: field.name)
            }
        }
        return metadata
    }

    /// Appends metadata to a field section, without reserved names; gives the first name that HTTP or gRPC does not allow.
    static func write(_ metadata: Metadata, to list: inout HeaderList) -> String? {
        for (key, value) in metadata {
            let name = key.lowercased()
            guard !Self.isReserved(name) else { continue }
            let text =
                switch value {
                case .string(let text): text
                case .binary(let bytes): BinaryValue.encode(bytes)
                }
            guard Self.isName(name), Self.isValue(text) else { return key }
            list.append(name, text)
        }
        return nil
    }

    private static func isReserved(_ name: String) -> Bool { name.hasPrefix(":") || Self.reserved.contains(name) }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): true
                default: false
                }
            }
    }

    private static func isValue(_ value: String) -> Bool {
        value.utf8.allSatisfy { 0x20...0x7E ~= $0 } && value.first != " " && value.last != " "
    }
}
