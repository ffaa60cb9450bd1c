/// What tells the series of one metric apart.
///
/// The set of values is fixed when the metric is made, so the number of series is bounded and a peer cannot make new
/// ones. Never put a domain or an address here: they are unbounded, and not for everyone who may read metrics.
public protocol MetricLabels: Hashable, Sendable {
    /// Names and values in the order of exposition.
    var pairs: [(name: String, value: String)] { get }
}

/// One label whose values are the cases of an enum; the raw values are what is exposed.
public protocol MetricLabel: MetricLabels, CaseIterable, RawRepresentable where RawValue == String {
    /// The name of the label.
    static var labelName: String { get }
}

extension MetricLabel {
    public var pairs: [(name: String, value: String)] { [(Self.labelName, self.rawValue)] }
}

/// The labels of a metric that has only one series.
public struct NoLabels: MetricLabels, CaseIterable {
    public static let allCases = [NoLabels()]
    @inlinable init() {}
    public var pairs: [(name: String, value: String)] { [] }
}

/// Two labels; every combination is a series.
public struct LabelPair<First: MetricLabels, Second: MetricLabels>: MetricLabels {
    @usableFromInline let first: First
    @usableFromInline let second: Second

    /// One combination.
    @inlinable
    public init(_ first: First, _ second: Second) {
        self.first = first
        self.second = second
    }

    public var pairs: [(name: String, value: String)] { self.first.pairs + self.second.pairs }

    /// Every combination of two sets.
    public static func product(_ first: some Sequence<First>, _ second: some Sequence<Second>) -> [Self] {
        first.flatMap { left in second.map { Self(left, $0) } }
    }
}

extension LabelPair: CaseIterable where First: CaseIterable, Second: CaseIterable {
    public static var allCases: [Self] { Self.product(First.allCases, Second.allCases) }
}
