import MailModel
import SwiftProtobuf

/// A message about the queue that does not say what it should.
package struct UnreadableQueueMessage: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ field: String, _ value: some StringProtocol) {
        self.description = "\(field): \(value.prefix(100)) cannot be read"
    }

    init(_ field: String) { self.description = "\(field) is missing" }
}

/// Reads the text of a field.
func read<Value>(
    _ text: String, _ field: String, by parse: (String) -> Value?
) throws(UnreadableQueueMessage) -> Value {
    guard let value = parse(text) else { throw UnreadableQueueMessage(field, text) }
    return value
}

extension Google_Protobuf_Timestamp {
    /// Whole microseconds, as the database has them.
    init(of moment: Timestamp) {
        var seconds = moment.microseconds / 1_000_000
        if moment.microseconds < seconds * 1_000_000 { seconds -= 1 }
        self.init(seconds: seconds, nanos: Int32(moment.microseconds - seconds * 1_000_000) * 1000)
    }

    var moment: Timestamp {
        let (microseconds, overflow) = self.seconds.multipliedReportingOverflow(by: 1_000_000)
        return Timestamp(microseconds: overflow ? .max : microseconds &+ Int64(self.nanos / 1000))
    }
}

extension Google_Protobuf_Duration {
    init(of time: Duration) {
        self.init(
            seconds: time.components.seconds, nanos: Int32(time.components.attoseconds / 1_000_000_000))
    }

    var time: Duration { .seconds(self.seconds) + .nanoseconds(Int64(self.nanos)) }
}
