import Glibc

/// Why this system itself opened no connection: the one place where `errno` is judged.
///
/// What is not here is the other side's: a refusal, a reset, or silence. `noRoute` may also be a router's answer about
/// one host, and `forbidden` a rule about one address. So whoever counts them asks `RouteProbe` about other addresses.
public enum ConnectFault: Hashable, Sendable, CaseIterable {
    /// No route leads there.
    case noRoute
    /// The source address is not on this machine, or has no free port.
    case sourceAddress
    /// A rule of this machine, such as a filter or a `prohibit` route, forbids it.
    case forbidden
    /// The process, or the system, has no file descriptor left.
    case descriptors
    /// The kernel has no memory or buffers left.
    case memory

    /// What `errno` says; `nil` where the fault is not ours.
    public init?(errno: CInt) {
        switch errno {
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EAFNOSUPPORT: self = .noRoute
        case EADDRNOTAVAIL, EADDRINUSE: self = .sourceAddress
        case EPERM, EACCES: self = .forbidden
        case EMFILE, ENFILE: self = .descriptors
        case ENOBUFS, ENOMEM: self = .memory
        default: return nil
        }
    }

    /// What happened, for people.
    public var words: String {
        switch self {
        case .noRoute: "no route leads there from this machine"
        case .sourceAddress: "the source address is not on this machine, or has no free port"
        case .forbidden: "a rule of this machine forbids the connection"
        case .descriptors: "this system has no file descriptors left"
        case .memory: "this system has no memory left for connections"
        }
    }

    /// It comes with every connection, wherever that leads.
    public var isOfResources: Bool { self == .descriptors || self == .memory }
}

/// The system's words for an `errno`, such as `Connection refused`.
public func systemWords(errno: CInt) -> String {
    // The text is copied before anything else can change it.
    unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
}
