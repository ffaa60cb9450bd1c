/// Finds the key that was probably meant.
package enum NearestKey {
    /// The candidate with the least edit distance to `key`, if it is near enough to be a likely slip.
    package static func suggestion(for key: String, among candidates: [String]) -> String? {
        let ranked = candidates.map { (distance: self.distance(key, $0), candidate: $0) }
        guard let best = ranked.min(by: { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }) else {
            return nil
        }
        return best.distance <= max(2, key.count / 3) ? best.candidate : nil
    }

    /// Levenshtein's distance: insertions, deletions and replacements of single characters.
    static func distance(_ first: String, _ second: String) -> Int {
        let target = Array(second)
        var row = Array(0...target.count)
        for (index, character) in first.enumerated() {
            var next = [index + 1]
            for (column, other) in target.enumerated() {
                let replaced = row[column] + (character == other ? 0 : 1)
                next.append(min(replaced, row[column + 1] + 1, next[column] + 1))
            }
            row = next
        }
        return row[target.count]
    }
}
