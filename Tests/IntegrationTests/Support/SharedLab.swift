import LabRelay
import Testing

/// One lab for all tests of a suite: started before the first of them, ended after the last.
///
/// ```swift
/// @Suite("Delivery with DANE", .lab([.dane("bravo.test")]))
/// struct DANEDeliveryTests {
///     @Test func verified() async throws {
///         let id = try await SharedLab.lab.submit(to: "bob@bravo.test")
/// ```
/// The tests of a suite run in parallel, so each has domains or addresses of its own where they could meet.
struct SharedLab: SuiteTrait, TestScoping {
    typealias Body = (LabRelay) async throws -> Void

    @TaskLocal private static var current: LabRelay?
    private let withLab: @Sendable (Body) async throws -> Void

    /// A lab that is made and ended by `withLab`, together with whatever it needs besides.
    init(_ withLab: @escaping @Sendable (Body) async throws -> Void) { self.withLab = withLab }

    /// The lab of the suite whose test asks.
    static var lab: LabRelay {
        get throws { try #require(Self.current, "the suite has no lab") }
    }

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await self.withLab { lab in
            try await Self.$current.withValue(lab) { try await function() }
        }
    }
}

extension Trait where Self == SharedLab {
    /// A lab of these domains.
    static func lab(_ domains: [LabDomain], _ options: LabRelayOptions = LabRelayOptions()) -> Self {
        SharedLab { body in try await LabRelay.with(domains, options) { try await body($0) } }
    }
}
