/// The series of one metric, all made before the first is used. An increment is a dictionary look-up and an atomic
/// addition, with no lock and no allocation.
@usableFromInline
final class MetricFamily<Labels: MetricLabels, Series: Sendable>: Sendable {
    let name: String
    let series: [(labels: Labels, series: Series)]
    @usableFromInline let index: [Labels: Series]
    /// Takes what is counted under labels outside the fixed set, so that no call site can fail; it is not exposed.
    @usableFromInline let unexposed: Series

    init(name: String, labels: some Sequence<Labels>, make: () -> Series) {
        self.name = name
        self.series = labels.map { ($0, make()) }
        self.index = Dictionary(self.series, uniquingKeysWith: { first, _ in first })
        self.unexposed = make()
    }

    @inlinable subscript(labels: Labels) -> Series { self.index[labels] ?? self.unexposed }
}
