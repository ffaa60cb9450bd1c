/// How one attempt to deliver one entry ended.
enum AttemptEnd: Sendable {
    /// It was made, and what it came to is to be recorded.
    case made(AttemptReport)
    /// Nothing was sent and no outcome is recorded; whoever owns the entry finds it again.
    case void
    /// No host was asked, through no fault of the domain's. It costs the entry no step of its schedule: try again after
    /// so long.
    case postponed(Duration, because: Postponement)
    /// Other mail without a sender has its half of the node's connections. The entry stays in the database, and is found again.
    case shareIsTaken
    /// An operator has suspended mail without a sender, and not the rest: the entry stays in the database likewise.
    case suspended
    /// No connection is to be had, since there are as many as there may be, or as the hosts take: others will take the entry.
    case siteIsFull
    /// It waited for a connection as long as anybody may. The destination gives its turn to others, and is found again.
    case released
}

/// Why a destination rests.
enum Postponement: String, Sendable {
    /// Our own resolver cannot work (rule 38).
    case resolver = "our resolver does not answer"
    /// This system itself cannot open connections.
    case network = "connections cannot be opened from here"
    /// While it waited for a connection, the DNS has come to say something else.
    case route = "the route has changed"
    /// The site has had all the messages that `delivery.site-rate` allows it.
    case rate = "the site's rate is used up"
    /// The site has refused a connection, and no connection to it is open.
    case site = "the site takes no more connections"
}
