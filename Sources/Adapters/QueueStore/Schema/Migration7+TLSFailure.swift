import PostgresDriver

extension Migration {
    /// Why TLS that a host offered was given up for cleartext, in the trace.
    static let tlsFailure = Migration(
        version: 7, name: "tls failure", sql: "ALTER TABLE relay.trace ADD COLUMN tls_failure text;")
}
