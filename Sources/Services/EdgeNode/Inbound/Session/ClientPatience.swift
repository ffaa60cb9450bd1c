/// How long a client may take over what no RFC bounds.
struct ClientPatience: Hashable, Sendable {
    /// How long it is listened to before it is greeted; nothing is read before the greeting if this is zero.
    var greetingDelay = Duration.zero
    /// Bytes of content a second, on the average over one deadline, that it must keep up.
    var leastDataRate = 500
    /// From the beginning of its connection to the end, whatever it does.
    var sessionLifetime = Duration.seconds(86_400)
    /// How long a client that has closed its sending side may have to wait for its replies. A client waits as long for
    /// the reply to its final dot (RFC 5321 §4.5.3.2.6).
    var halfClosedTime = Duration.seconds(600)
}
