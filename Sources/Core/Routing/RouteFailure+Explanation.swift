import DNSModel
import MailModel

extension RouteFailure {
    /// What failed, in words.
    public var explanation: String {
        switch self {
        case .dnssecInvalid(let question, let failure), .dnsQueryFailed(let question, let failure):
            "\(question.type) \(question.name): \(failure.words)"
        case .overLimit(let question, let count): "\(question.type) \(question.name): \(count) aliases"
        case .noAddress(let name): "\(name) has no address"
        case .noSuchHost(let name): "\(name) provably has no address"
        case .routingLoop(let name): "\(name.words) is this system"
        case .loopback(let name): "\(name.words) has no address but loopback"
        }
    }
}

extension DomainName {
    /// The name, or the address literal that it stands for.
    fileprivate var words: String { self.literalAddress.map { "[\($0)]" } ?? self.text }
}

extension NoRoute {
    /// Why there is no route, in words.
    public var explanation: String {
        if case .failed(let failure) = self { failure.explanation } else { "" }
    }
}

extension DNSFailure {
    fileprivate var words: String {
        switch self {
        case .bogus(let reason): "bogus, \(reason)"
        case .serverFailure: "SERVFAIL"
        case .refused: "REFUSED"
        case .unexpectedResponse(let code): "response code \(code)"
        case .timeout: "no answer in time"
        case .tooManyAliases: "too many aliases"
        case .malformed(let reason): "malformed, \(reason)"
        case .excessive(let reason): "too much to look up, \(reason)"
        case .resolverUnavailable(let reason): "our resolver: \(reason)"
        }
    }
}
