public import MailModel

/// Who the client behind a proxy is, as the proxy says in front of its connection (PROXY protocol, version 2, §2.2).
///
/// Only the binary version is read. What follows the addresses (TLVs) is skipped.
public enum ProxyProtocolHeader: Hashable, Sendable {
    /// The proxy speaks for itself, such as to see whether we live: its own address counts.
    case local
    /// The proxy speaks for this client, over TCP.
    case proxied(client: IPAddress, port: UInt16)

    /// The most bytes of a whole header, TLVs included: what the smallest segment of TCP carries, within which the
    /// protocol has a header stay. A longer one closes the connection.
    public static let maximumLength = 536

    /// What the bytes at the start of a connection amount to.
    public enum Reading: Hashable, Sendable {
        /// So far this can become a header.
        case needInput
        /// A header, and how many bytes it has; what follows is the client's.
        case header(ProxyProtocolHeader, length: Int)
        /// No header that is understood: the connection is to be closed.
        case refused(Refusal)
    }

    /// Why the bytes are no header of a client.
    public enum Refusal: Hashable, Sendable {
        /// They do not begin with the signature.
        case signature
        /// Another version, or a command that does not exist.
        case command
        /// A family or transport that does not exist, or by which no client of SMTP comes (UNSPEC, UDP, Unix sockets).
        /// Under the proxy's own address such a client could be trusted with more than it should.
        case family
        /// Longer than the limit, or too short for its addresses.
        case length
    }

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    /// Signature, version and command, family and transport, length.
    private static let prefixLength = 16

    /// Reads the bytes that have come so far; each is judged as soon as it is there.
    public static func read(_ bytes: Span<UInt8>) -> Reading {
        for index in 0..<min(bytes.count, self.signature.count) where bytes[index] != self.signature[index] {
            return .refused(.signature)
        }
        guard bytes.count > 12 else { return .needInput }
        guard bytes[12] == 0x20 || bytes[12] == 0x21 else { return .refused(.command) }
        let isLocal = bytes[12] == 0x20
        guard bytes.count > 13 else { return .needInput }
        guard let family = Family(rawValue: bytes[13]), isLocal || family.addressBytes != nil else {
            return .refused(.family)
        }
        guard bytes.count >= self.prefixLength else { return .needInput }
        let length = self.prefixLength + Int(bytes[14]) << 8 + Int(bytes[15])
        let addressBytes = isLocal ? 0 : family.addressBytes ?? 0
        // Two addresses, each with a port.
        guard length <= self.maximumLength, length >= self.prefixLength + 2 * addressBytes + (isLocal ? 0 : 4) else {
            return .refused(.length)
        }
        guard bytes.count >= length else { return .needInput }
        if isLocal { return .header(.local, length: length) }
        return self.proxied(bytes, addressBytes, length)
    }

    /// The source stands first, then the destination, then their ports.
    private static func proxied(_ bytes: Span<UInt8>, _ addressBytes: Int, _ length: Int) -> Reading {
        let source = (0..<addressBytes).map { bytes[self.prefixLength + $0] }
        let ports = self.prefixLength + 2 * addressBytes
        guard let client = IPAddress(bytes: source) else { return .refused(.length) }
        return .header(
            .proxied(client: client, port: UInt16(bytes[ports]) << 8 | UInt16(bytes[ports + 1])), length: length)
    }

    /// Families and transports that exist.
    private enum Family: UInt8 {
        case unspecified = 0x00
        case tcp4 = 0x11
        case udp4 = 0x12
        case tcp6 = 0x21
        case udp6 = 0x22
        case unixStream = 0x31
        case unixDatagram = 0x32

        /// Bytes of one address, where a client of SMTP can come that way.
        var addressBytes: Int? {
            switch self {
            case .tcp4: 4
            case .tcp6: 16
            case .unspecified, .udp4, .udp6, .unixStream, .unixDatagram: nil
            }
        }
    }
}
