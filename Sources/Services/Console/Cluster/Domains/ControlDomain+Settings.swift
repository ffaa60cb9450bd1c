import ControlAPI
import MailModel
import RelayConfiguration
import Routing
import TransportSecurity

extension ControlDomain {
    /// A domain as a file of settings has it.
    ///
    /// - Parameter authorities: what its `tls-ca-file` holds.
    init(_ settings: AcceptedDomainSettings, authorities: String?) {
        self.init()
        self.name = settings.domain.text
        if let nextHop = settings.nextHop.flatMap({ ControlNextHop($0) }) { self.nextHop = nextHop }
        self.recipientVerification =
            switch settings.recipients {
            case .any: .none
            case .file: .list
            case .callAhead: .callout
            }
        if let demand = ControlTransportDemand(settings.transport, authorities: authorities) {
            self.transport = demand
        }
        if let chunking = settings.transport.chunking { self.chunking = chunking }
    }
}

extension ControlNextHop {
    /// Without a target of its own, that is by MX records, there is none.
    init?(_ nextHop: NextHop) {
        self.init()
        self.port = UInt32(nextHop.port)
        switch nextHop {
        case .domain: return nil
        case .host(let name, _): self.host = name.text
        case .address(let address, _), .literal(let address, _): self.address = "\(address)"
        }
    }

    /// As settings have it, such as `mail.alpha.test:25` or `[2001:db8::1]:25`.
    var settingText: String {
        let port = self.port == 0 ? 25 : self.port
        return switch self.target {
        case .host(let name): "\(name):\(port)"
        case .address(let address): address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        case nil: "mx"
        }
    }
}

extension ControlTransportDemand {
    /// Without a demand there is none.
    init?(_ settings: TransportSettings, authorities: String?) {
        guard let keyword = settings.tls else { return nil }
        self.init()
        self.mode =
            switch keyword {
            case .opportunistic: .opportunistic
            case .encrypt: .encrypt
            case .dane: .dane
            case .verify: .verify
            }
        self.verifiedName = settings.name?.text ?? ""
        self.authoritiesPem = authorities ?? ""
    }

    /// As settings have it; `nil` where nothing is demanded.
    var keyword: String? {
        switch self.mode {
        case .opportunistic: "opportunistic"
        case .encrypt: "encrypt"
        case .dane: "dane"
        case .verify: "verify"
        case .unspecified, .UNRECOGNIZED: nil
        }
    }
}

extension ControlRecipientVerification {
    /// As settings have it, but for the file, which no controller knows.
    var words: String {
        switch self {
        case .list: "list"
        case .callout: "call-ahead"
        case .none, .unspecified, .UNRECOGNIZED: "any"
        }
    }
}
