/// Values that share a key, in groups, in the order in which their keys first came.
///
/// A value costs one look-up of its key, however many groups there are: a peer may choose the keys, and make each another.
struct OrderedGroups<Key: Hashable, Value> {
    private(set) var groups: [(key: Key, values: [Value])] = []
    private var positions: [Key: Int] = [:]

    mutating func add(_ value: Value, to key: Key) {
        if let position = self.positions[key] {
            self.groups[position].values.append(value)
        } else {
            self.positions[key] = self.groups.count
            self.groups.append((key, [value]))
        }
    }
}
