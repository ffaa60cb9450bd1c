public import DANE
public import Logging
public import MailModel

/// A validating resolver inside this process: libunbound on threads of its own, behind a bounded cache with single flight.
///
/// A *secure* answer is one that libunbound validated from a trust anchor; a *failed* one never looks like absence.
/// Whoever runs the resolver calls `selfTest()` on start and now and then. While that says anything but
/// `.validating`, the node is not ready and defers mail: the resolver keeps answering, but *insecure* and *failed*
/// may then be our own fault rather than the domain's (dane-rules 38). A *secure* answer stays proven whatever it says.
public final class SecureResolver: Sendable {
    /// Starts the resolver's thread and lets libunbound read its configuration and anchors.
    ///
    /// - Parameters:
    ///   - now: the clock that lifetimes and signature expiry are judged by.
    public init(
        settings: SecureResolverSettings, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) async throws(SecureResolverError) {
        self.startupDescription = ""
    }

    /// One line that says what this resolver validates with: anchors by key tag, and whom it asks.
    public let startupDescription: String

    /// The answer to one question, from the cache or from the DNS. Equal questions under way share one query.
    ///
    /// A cancelled caller gets `.failed(.resolverUnavailable)` promptly; the query lives on for others that wait for it.
    public func answer(to question: DNSQuestion) async -> DNSAnswer { .failed(.resolverUnavailable("")) }

    /// Asks for the keys of the root (or of `selfTestZone`) afresh and says whether this resolver validates.
    public func selfTest() async -> ValidationStatus { .unreachable("") }

    /// What has happened so far.
    public var statistics: ResolverStatistics { ResolverStatistics() }

    /// Fails everybody who waits with `.resolverUnavailable` and ends the thread. Later questions fail the same way.
    public func shutdown() async {}
}
