/// How long a client may take over what no RFC bounds.
package struct ClientPatience: Hashable, Sendable {
    /// How long it is listened to before it is greeted; nothing is read before the greeting if this is zero.
    var greetingDelay: Duration
    /// Bytes of content a second, on the average over one deadline, that it must keep up.
    var leastDataRate: Int
    /// From the beginning of its connection to the end, whatever it does.
    var sessionLifetime: Duration
    /// How long a client that has closed its sending side may have to wait for its replies. A client waits as long for
    /// the reply to its final dot (RFC 5321 §4.5.3.2.6).
    var halfClosedTime = Duration.seconds(600)

    package init(
        greetingDelay: Duration = .zero, leastDataRate: Int = 500, sessionLifetime: Duration = .seconds(86_400)
    ) {
        self.greetingDelay = greetingDelay
        self.leastDataRate = leastDataRate
        self.sessionLifetime = sessionLifetime
    }
}
