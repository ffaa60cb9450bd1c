internal import MailModel

/// The session's own replies, with enhanced codes after RFC 3463 and RFC 5248.
enum SMTPServerReplies {
    static let ok = SMTPReply(250, EnhancedStatusCode(.success, 0, 0), "OK")
    static let senderOK = SMTPReply(250, EnhancedStatusCode(.success, 1, 0), "Sender OK")
    static let recipientOK = SMTPReply(250, EnhancedStatusCode(.success, 1, 5), "Recipient OK")
    static let cannotVerify = SMTPReply(252, EnhancedStatusCode(.success, 1, 5), "Send some mail, I will try my best")
    static let startTLS = SMTPReply(220, EnhancedStatusCode(.success, 0, 0), "Ready to start TLS")
    static let help = SMTPReply(
        214, EnhancedStatusCode(.success, 0, 0),
        lines: ["EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT", "See RFC 5321"])
    static let goAhead = SMTPReply(354, nil, "End data with <CR><LF>.<CR><LF>")
    static let bye = SMTPReply(221, EnhancedStatusCode(.success, 0, 0), "Bye")
    static let authenticated = SMTPReply(235, EnhancedStatusCode(.success, 7, 0), "Authentication succeeded")

    static let tooManyErrors = transient(421, 7, 0, "Too many errors")
    static let tooManyIdleCommands = transient(421, 7, 0, "Too many commands without mail")
    static let tooManyAuthenticationFailures = transient(421, 7, 0, "Too many failed authentications")
    static let authenticationUnavailable = transient(454, 7, 0, "Temporary authentication failure")
    static let tooManyMessages = transient(421, 7, 0, "Too many messages on this connection")
    static let tooManyRecipients = transient(452, 5, 3, "Too many recipients")

    static let unknownCommand = permanent(500, 5, 2, "Command not recognised")
    static let malformedLine = permanent(500, 5, 2, "Bare CR, bare LF or NUL is not allowed")
    static let lineTooLong = permanent(500, 5, 6, "Command line too long")
    static let notSMTP = permanent(500, 5, 2, "This is an SMTP server")
    static let badArgument = permanent(501, 5, 4, "Syntax error in arguments")
    static let badChunk = permanent(501, 5, 4, "Syntax: BDAT size [LAST]; closing, for its end is unknown")
    static let notImplemented = permanent(502, 5, 1, "Command not implemented")
    static let badSequence = permanent(503, 5, 1, "Bad sequence of commands")
    static let sayHelloFirst = permanent(503, 5, 1, "Send EHLO or HELO first")
    static let tlsAlready = permanent(503, 5, 1, "TLS is already in use")
    static let authenticatedAlready = permanent(503, 5, 1, "Already authenticated")
    static let badResponse = permanent(501, 5, 2, "Not a response of this mechanism in base64")
    static let authenticationCancelled = permanent(501, 7, 0, "Authentication cancelled")
    static let unknownMechanism = permanent(504, 5, 4, "Authentication mechanism not supported")
    static let badCredentials = permanent(535, 7, 8, "Authentication credentials invalid")
    static let encryptionRequired = permanent(538, 7, 11, "Encryption required: use STARTTLS")
    static let noRecipients = permanent(554, 5, 1, "No valid recipients")
    static let spokeTooSoon = permanent(554, 5, 1, "Protocol violation: you spoke out of turn")
    static let unknownParameter = permanent(555, 5, 4, "Parameter not recognised")
    static let internationalAddress = permanent(553, 6, 7, "Internationalised addresses need SMTPUTF8")
    static let tooLarge = permanent(552, 3, 4, "Message exceeds the size limit")
    static let bareLineEnd = permanent(554, 6, 0, "Message refused: bare CR or LF")
    static let nulByte = permanent(554, 6, 0, "Message refused: NUL byte")
    static let textLineTooLong = permanent(554, 6, 0, "Message refused: text line too long")

    /// Names the address, so that whoever wrote it learns which one was meant; what a reply cannot say is `?`. Detail 7 is of a
    /// sender, 3 of a recipient (RFC 3463 §3.2).
    static func badAddress(_ address: [UInt8], detail: UInt16) -> SMTPReply {
        let shown = String(decoding: address, as: UTF8.self).unicodeScalars.prefix(200).map { scalar in
            (0x20...0x7e).contains(scalar.value) ? scalar : "?"
        }
        return self.permanent(501, 1, detail, "Not a valid address: \(String(String.UnicodeScalarView(shown)))")
    }

    static func chunkReceived(_ size: Int) -> SMTPReply {
        SMTPReply(250, EnhancedStatusCode(.success, 0, 0), "\(size) octets received")
    }

    static func refusal(of fault: SMTPContentFault) -> SMTPReply {
        switch fault {
        case .bareLineEnd: Self.bareLineEnd
        case .nul: Self.nulByte
        case .lineTooLong: Self.textLineTooLong
        case .tooLarge: Self.tooLarge
        }
    }

    private static func transient(_ code: UInt16, _ subject: UInt16, _ detail: UInt16, _ text: String) -> SMTPReply {
        SMTPReply(code, EnhancedStatusCode(.persistentTransientFailure, subject, detail), text)
    }

    private static func permanent(_ code: UInt16, _ subject: UInt16, _ detail: UInt16, _ text: String) -> SMTPReply {
        SMTPReply(code, EnhancedStatusCode(.permanentFailure, subject, detail), text)
    }
}
