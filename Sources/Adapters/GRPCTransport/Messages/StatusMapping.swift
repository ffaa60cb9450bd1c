import GRPCCore

extension Status {
    /// The status of a response without one, by its HTTP status (gRPC's table; control 21).
    init(httpStatus: Int, _ message: String) {
        let code: Status.Code =
            switch httpStatus {
            case 400: .internalError
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 429, 502, 503, 504: .unavailable
            default: .unknown
            }
        self.init(code: code, message: message)
    }

    /// The status of a stream that the peer reset (control 21).
    init(reset code: HTTP2ErrorCode) {
        self.init(code: code.statusCode, message: "the peer reset the stream: \(code)")
    }
}

/// An error code of HTTP/2 (RFC 9113 §7); codes that are not known are kept.
package struct HTTP2ErrorCode: Hashable, Sendable, RawRepresentable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = Self(rawValue: 0x0)
    package static let protocolError = Self(rawValue: 0x1)
    package static let internalError = Self(rawValue: 0x2)
    package static let flowControlError = Self(rawValue: 0x3)
    package static let settingsTimeout = Self(rawValue: 0x4)
    package static let streamClosed = Self(rawValue: 0x5)
    package static let frameSizeError = Self(rawValue: 0x6)
    package static let refusedStream = Self(rawValue: 0x7)
    package static let cancel = Self(rawValue: 0x8)
    package static let compressionError = Self(rawValue: 0x9)
    package static let connectError = Self(rawValue: 0xA)
    package static let enhanceYourCalm = Self(rawValue: 0xB)
    package static let inadequateSecurity = Self(rawValue: 0xC)
    package static let http11Required = Self(rawValue: 0xD)

    fileprivate var statusCode: Status.Code {
        switch self {
        case .noError, .protocolError, .internalError, .flowControlError, .frameSizeError, .compressionError,
            .connectError, .settingsTimeout:
            .internalError
        case .refusedStream: .unavailable
        case .cancel: .cancelled
        case .enhanceYourCalm: .resourceExhausted
        case .inadequateSecurity: .permissionDenied
        default: .unknown
        }
    }
}

extension HTTP2ErrorCode: CustomStringConvertible {
    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    package var description: String {
        self.rawValue < Self.names.count ? Self.names[Int(self.rawValue)] : "error \(self.rawValue)"
    }
}
