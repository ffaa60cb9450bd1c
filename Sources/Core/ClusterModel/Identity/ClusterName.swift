public import MailModel

/// The name of a cluster: a lower-case letter, then up to 39 letters, digits and hyphens.
///
/// It never changes: it is in the URI of every certificate, in join tokens, and in the name of the controllers.
public struct ClusterName: Hashable, Sendable {
    /// The most bytes that a name may have.
    public static let maximumLength = 40

    /// The name as text, such as `mail-eu`.
    public let text: String
    /// The host name in the certificate of every controller: `controller.NAME.internal`.
    ///
    /// Nodes check this name and no other, so a replica may have any address.
    public let controllerHost: DomainName

    /// Parses one name; `nil` unless it is exactly of that form.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard let first = bytes.first, isLowerCaseLetter(first), bytes.count <= Self.maximumLength,
            bytes.allSatisfy({ isLowerCaseLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }),
            let host = DomainName("controller.\(text).internal")
        else { return nil }
        self.text = text
        self.controllerHost = host
    }
}

extension ClusterName: CustomStringConvertible {
    public var description: String { self.text }
}

func isLowerCaseLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
