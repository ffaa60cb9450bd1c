/// A moment on the wall clock: whole microseconds since 1970-01-01T00:00:00Z, as PostgreSQL stores it.
///
/// Nothing in the core reads a clock; whoever calls it says what time it is.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970 UTC.
    public let microseconds: Int64

    /// A moment given in microseconds since 1970 UTC.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// A moment given in whole seconds since 1970 UTC.
    public init(seconds: Int64) { self.microseconds = seconds * 1_000_000 }

    /// The earlier of two moments is less.
    public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// The moment `duration` later, saturating at the ends of the range.
    public static func + (moment: Self, duration: Duration) -> Self {
        let (sum, overflow) = moment.microseconds.addingReportingOverflow(duration.wholeMicroseconds)
        return Timestamp(microseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// The time from `right` to `left`.
    public static func - (left: Self, right: Self) -> Duration {
        .microseconds(left.microseconds - right.microseconds)
    }
}

extension Duration {
    /// The duration in microseconds, rounded down.
    public var wholeMicroseconds: Int64 {
        self.components.seconds * 1_000_000 + self.components.attoseconds / 1_000_000_000_000
    }
}

// MARK: - Text

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds, such as `2026-11-23T20:15:00.250Z`.
    public var description: String {
        let civil = CivilTime(self)
        let date = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
        return "\(date)T\(civil.clock).\(padded(civil.microsecond / 1000, 3))Z"
    }

    /// The date-time of a header field in UTC (RFC 5322 §3.3), such as `Mon, 23 Nov 2026 20:15:00 +0000`.
    public var headerDate: String {
        let civil = CivilTime(self)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][civil.daysSinceEpochModulo7]
        let month = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ][civil.month - 1]
        return "\(weekday), \(civil.day) \(month) \(padded(civil.year, 4)) \(civil.clock) +0000"
    }
}

private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Year, month and day of a timestamp in UTC, by the proleptic Gregorian calendar.
private struct CivilTime {
    let year, month, day, hour, minute, second, microsecond, daysSinceEpochModulo7: Int

    init(_ moment: Timestamp) {
        let perDay = 86_400 * 1_000_000
        let total = Int(moment.microseconds)
        let (days, rest) = (floorDivide(total, perDay), floorModulo(total, perDay))
        (self.hour, self.minute) = (rest / 3_600_000_000, rest / 60_000_000 % 60)
        (self.second, self.microsecond) = (rest / 1_000_000 % 60, rest % 1_000_000)
        self.daysSinceEpochModulo7 = floorModulo(days, 7)
        // Count from 0000-03-01, so that a leap day is the last of its year; 400 years have 146,097 days.
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        self.month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        self.year = yearOfEra + era * 400 + (self.month <= 2 ? 1 : 0)
    }

    var clock: String { "\(padded(self.hour, 2)):\(padded(self.minute, 2)):\(padded(self.second, 2))" }
}

private func floorDivide(_ value: Int, _ divisor: Int) -> Int {
    value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
}

private func floorModulo(_ value: Int, _ divisor: Int) -> Int { value - floorDivide(value, divisor) * divisor }
