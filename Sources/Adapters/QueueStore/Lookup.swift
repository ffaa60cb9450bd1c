/// Conditions of a join that can be nothing but a look-up in an index.
///
/// A table that was empty when it was last vacuumed or planned for costs the planner nothing to walk through. So to `a
/// = b` it prefers a walk through all of an index for each row that is given. It keeps that plan while the table fills.
/// An array of one element does not lend itself to merging, so no walk is considered. Where a subquery does, `LATERAL
/// (… OFFSET 0)` does the same.
enum Lookup {
    static func sql(_ table: String, _ given: String, _ columns: String...) -> String {
        columns.map { "\(table).\($0) = ANY (ARRAY[\(given).\($0)])" }.joined(separator: " AND ")
    }
}
