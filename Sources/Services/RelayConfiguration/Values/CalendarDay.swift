public import MailModel

/// A day of the calendar in UTC, written as `2027-01-31`.
public struct CalendarDay: Hashable, Sendable, CustomStringConvertible {
    /// The day as text.
    public let description: String
    /// Its first moment.
    public let start: Timestamp

    /// Reads a day that exists.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [4, 2, 2], text.utf8.allSatisfy({ $0 == 0x2D || (0x30...0x39).contains($0) }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), year >= 1970, month >= 1
        else { return nil }
        // Counted from March on, so that a leap day is the last of its year; 400 years have 146,097 days.
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = (shifted / 400, shifted % 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        self.init(text, start: Timestamp(seconds: Int64(days) * 86_400))
        guard self.start.description.hasPrefix(text) else { return nil }
    }

    private init(_ text: String, start: Timestamp) {
        self.description = text
        self.start = start
    }

    /// The first day that can be written.
    static let first = CalendarDay("1970-01-01", start: Timestamp(seconds: 0))
}
