/// What all outbound connections share: three OpenSSL contexts, one per kind of requirement.
///
/// Make one per process; it is safe to use from every event loop.
public final class TLSClientContext: Sendable {
    /// A client context.
    public init() throws(TLSConfigurationError) { fatalError() }
}
