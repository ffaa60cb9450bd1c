/// What deliveries wait for through no fault of their destination, in words; a word that a later version wrote stands for itself.
enum WaitingWords {
    static func words(_ reason: String) -> String {
        switch reason {
        case "resolver": "the node's resolver, which does not answer or does not validate"
        case "network": "the node's network: no connection can be opened from there"
        case "route": "a new look at its route"
        case "rate": "its hosts' rate limit (delivery.site-rate)"
        case "site": "its hosts, which take no more connections"
        case "suspended": "an operator, who has suspended deliveries (relayctl queue rules)"
        default: reason
        }
    }
}
