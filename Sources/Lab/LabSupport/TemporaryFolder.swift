public import Foundation

/// Runs `body` with a new folder, which is gone when it ends. Its path is short enough for Unix sockets below it.
public func withTemporaryFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
    let folder = URL(filePath: "/tmp/relay-\(String(UInt64.random(in: .min ... .max), radix: 36))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}
