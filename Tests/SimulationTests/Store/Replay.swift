import ClusterModel
import MailModel
import QueueStore

/// Executes what was done to the model on the real store, and says where they part.
enum Replay {
    /// The first answer that differs; `nil` if none does.
    static func difference(_ history: [StoreRecord], on database: ReplayDatabase) async throws -> Difference? {
        try await database.empty()
        for (index, record) in history.enumerated() {
            let answer = try await database.perform(record.transaction, by: record.client, at: record.at)
            guard answer != record.answer else { continue }
            return Difference(before: Array(history[..<index].suffix(30)), record: record, product: answer)
        }
        return nil
    }

    /// The same of a simulation that was run, as far as its first transactions.
    static func difference(of simulation: Simulation, atMost count: Int) async throws -> Difference? {
        var difference: Difference?
        let scenario = simulation.scenario
        try await ReplayDatabase.run(shards: scenario.map.count, terms: scenario.terms) { database in
            difference = try await Self.difference(Array(simulation.database.history.prefix(count)), on: database)
        }
        return difference
    }

    /// Where the model and PostgreSQL part.
    struct Difference: CustomStringConvertible {
        let before: [StoreRecord]
        let record: StoreRecord
        let product: StoreAnswer

        /// Every field: what two answers differ in may be one that their descriptions leave out.
        private static func fields(of answer: StoreAnswer) -> String {
            var text = ""
            dump(answer, to: &text)
            return text
        }

        var description: String {
            let lines = self.before.map { "\($0.at) \($0.client) \($0.transaction) → \($0.answer)" }
            return
                (lines + [
                    "\(self.record.at) \(self.record.client) \(self.record.transaction)",
                    "model:   \(self.record.answer)", "product: \(self.product)",
                    "model:   \(Self.fields(of: self.record.answer))",
                    "product: \(Self.fields(of: self.product))",
                ]).joined(separator: "\n")
        }
    }
}
