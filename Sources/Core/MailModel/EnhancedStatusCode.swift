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
    @inlinable
    public init?(_ text: some StringProtocol) {
        var (rawClass, subject): (UInt16?, UInt16?) = (nil, nil)
        var (number, digits) = (0 as UInt16, 0)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39 where digits < 3:
                number = number * 10 + UInt16(byte - 0x30)
                digits += 1
            case 0x2E where digits > 0 && subject == nil:
                if rawClass == nil { rawClass = number } else { subject = number }
                (number, digits) = (0, 0)
            default: return nil
            }
        }
        guard digits > 0, let subject, let byte = rawClass.flatMap({ UInt8(exactly: $0) }),
            let `class` = Class(rawValue: byte)
        else { return nil }
        self.init(`class`, subject, number)
    }

    /// The same condition, made permanent or transient: 4.7.323 becomes 5.7.323 when the message expires.
    public func with(class: Class) -> EnhancedStatusCode { EnhancedStatusCode(`class`, self.subject, self.detail) }
}

extension EnhancedStatusCode: CustomStringConvertible {
    public var description: String { "\(self.class.rawValue).\(self.subject).\(self.detail)" }
}
