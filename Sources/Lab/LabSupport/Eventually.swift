/// Asks again and again until `condition` holds; `false` when time is up first.
///
/// ```swift
/// #expect(try await eventually(within: .seconds(5)) { try await queue.count("ready") == 2 })
/// ```
/// It asks at least once, and for the last time when the time is up.
public func eventually<Failure: Error>(
    within limit: Duration = .seconds(20), every pause: Duration = .milliseconds(20),
    _ condition: () async throws(Failure) -> Bool
) async throws(Failure) -> Bool {
    try await eventualValue(within: limit, every: pause) { () async throws(Failure) -> Bool? in
        try await condition() ? true : nil
    } ?? false
}

/// Looks again and again until `look` finds a value; `nil` when time is up first.
public func eventualValue<Value, Failure: Error>(
    within limit: Duration = .seconds(20), every pause: Duration = .milliseconds(20),
    _ look: () async throws(Failure) -> Value?
) async throws(Failure) -> Value? {
    let deadline = ContinuousClock.now + limit
    while true {
        let isLast = ContinuousClock.now >= deadline || Task.isCancelled
        if let value = try await look() { return value }
        guard !isLast else { return nil }
        try? await Task.sleep(for: pause)
    }
}
