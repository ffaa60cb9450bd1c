/// An enhanced mail system status code, `class.subject.detail` (RFC 3463 §2).
public struct EnhancedStatusCode: Hashable, Sendable {
    /// The first number: how final the outcome is.
    public enum Class: UInt8, Hashable, Sendable {
        /// 2: delivered or accepted.
        case success = 2
        /// 4: failed for now; a later attempt may succeed.
        case persistentTransientFailure = 4
        /// 5: failed for good.
        case permanentFailure = 5
    }

    /// Success, transient or permanent.
    public let `class`: Class
    /// What it concerns, 0 to 999.
    public let subject: UInt16
    /// Which condition, 0 to 999.
    public let detail: UInt16

    /// Values above 999 do not exist on the wire and are clamped to it.
    public init(_ class: Class, _ subject: UInt16, _ detail: UInt16) {
        self.class = `class`
        self.subject = min(subject, 999)
        self.detail = min(detail, 999)
    }

    /// Reads `d.ddd.ddd`, with one to three digits in the second and third place.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            parts.allSatisfy({ (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let rawClass = UInt8(parts[0]), let `class` = Class(rawValue: rawClass),
            let subject = UInt16(parts[1]), let detail = UInt16(parts[2])
        else { return nil }
        self.init(`class`, subject, detail)
    }

    /// The same condition, made permanent or transient: 4.7.323 becomes 5.7.323 when the message expires.
    public func with(class: Class) -> EnhancedStatusCode { EnhancedStatusCode(`class`, self.subject, self.detail) }
}

extension EnhancedStatusCode: CustomStringConvertible {
    public var description: String { "\(self.class.rawValue).\(self.subject).\(self.detail)" }
}
