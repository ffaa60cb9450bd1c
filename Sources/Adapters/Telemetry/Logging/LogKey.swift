/// The metadata keys of log lines: the same in every line, so that they can be searched for.
public enum LogKey {
    public static let event = "event"
    public static let node = "node"
    public static let messageID = "message_id"
    public static let senderDomain = "sender_domain"
    public static let recipientDomain = "rcpt_domain"
    public static let mxHost = "mx_host"
    public static let mxAddress = "mx_ip"
    public static let tlsVersion = "tls_version"
    public static let cipher = "cipher"
    public static let tlsFailure = "tls_failure"
    public static let daneResult = "dane_result"
    public static let tlsa = "tlsa"
    public static let code = "code"
    public static let enhanced = "enhanced"
    public static let attempt = "attempt"
    public static let durationMilliseconds = "duration_ms"
    public static let dnssec = "dnssec"
    public static let reason = "reason"
    public static let reply = "reply"
    public static let authentication = "auth"
    public static let until = "until"
    public static let failures = "failures"
    public static let way = "way"
    public static let dropped = "dropped"
    public static let connections = "connections"
    public static let limit = "limit"
    public static let size = "size"
    public static let setting = "setting"
}

/// The values of `LogKey.event`.
public enum LogEventName: String, Sendable {
    case reception, delivery, bounce, expiration, rejection, admin
    case transientFailure = "transient_failure"
}
