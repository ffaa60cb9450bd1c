/// What each table and column is, as `COMMENT` says it to whoever looks with psql.
enum ControlComments {
    private static let role = "node, admin or viewer."
    private static let name = "The holder's name, as in its certificate's URI."
    private static let key = "SHA-256 of the public key (SubjectPublicKeyInfo in DER)."

    private static let tables: [(name: String, text: String, columns: [(String, String)])] = [
        (
            "schema_version", "The migrations that were applied.",
            [
                ("version", "The migration's number."), ("name", "Its name."), ("applied_at", "When it was applied."),
                ("least_program", "Programs that make an older schema than this must not work with it; 0 for any."),
            ]
        ),
        (
            "cluster", "The cluster; one row, which every change locks.",
            [
                ("one", "Keeps the table at one row."), ("name", "Its name, which never changes."),
                ("state_version", "Counts the writes of resources, from 1."),
                ("complete_from", "Removals up to this version are forgotten."),
                ("phase", "Of a rotation: 1 settled, 2 both authorities trusted, 3 the new one issues."),
                ("revocation_version", "Counts the changes of what is revoked."),
                ("key_identifier", "Names the key under which secrets are sealed."),
                ("created_at", "When it was made."),
            ]
        ),
        (
            "authority", "The certificate authorities that the cluster has and had.",
            [
                ("sha256", "SHA-256 of the certificate."), ("certificate", "X.509 in DER."),
                ("sealed_key", "Its private key, sealed; empty once it is not trusted."),
                ("is_issuing", "Whether it signs certificates; one does."),
                ("is_trusted", "Whether its certificates count."), ("not_before", "The begin of its validity."),
                ("not_after", "The end of its validity."), ("added_at", "When it was added."),
            ]
        ),
        (
            "audit", "What was done, by whom, and why. Rows are only added.",
            [
                ("id", "Counts the rows."), ("at", "When it was done."),
                ("request", "The request, which is done once though it may be repeated."),
                ("state_version", "The version of the state that it made, if it made one."),
                ("actor", "The identity that did it."), ("action", "Such as domain.apply."),
                ("object", "Such as domain/contoso.test."), ("before", "JSON; without secrets."),
                ("after", "JSON; without secrets."), ("reason", "Why, in the words of the actor."),
            ]
        ),
        (
            "leadership", "The replica that leads; one row.",
            [
                ("epoch", "Counts the terms; what a leader does names its own."),
                ("one", "Keeps the table at one row."), ("replica", "The replica."),
                ("incarnation", "The run of that replica."), ("expires_at", "Until when, unless it is renewed."),
            ]
        ),
        (
            "token", "Join tokens.",
            [
                ("secret_sha256", "SHA-256 of the secret part."), ("pattern", "The names that may be taken with it."),
                ("role", role), ("uses", "How many keys it serves."), ("expires_at", "Until when."),
                ("created_by", "The identity that made it."), ("created_at", "When it was made."),
            ]
        ),
        (
            "token_use", "The keys that a token has served.",
            [
                ("secret_sha256", "The token."), ("public_key_sha256", key), ("name", name),
                ("certificate_sha256", "The certificate that was given, and is given again when the key asks again."),
                ("used_at", "When it was first used by the key."),
            ]
        ),
        (
            "certificate", "Certificates that were issued; kept for a while after their end.",
            [
                ("sha256", "SHA-256 of the certificate."), ("role", role), ("name", name), ("public_key_sha256", key),
                ("authority_sha256", "Who signed it."), ("der", "X.509 in DER."),
                ("not_before", "The begin of its validity."), ("not_after", "The end of its validity."),
                ("issued_at", "When it was stored."), ("revoked_at", "Since when it does not count."),
            ]
        ),
        (
            "identity", "Who belongs to the cluster.",
            [
                ("role", role), ("name", name), ("public_key_sha256", key),
                ("certificate_sha256", "Its latest certificate."), ("enrolled_at", "When its holder came."),
                ("revoked_at", "Since when it is refused."),
            ]
        ),
        (
            "resource", "What nodes serve by.",
            [
                ("type", "1 domain, 2 part of a recipient list, 3 user, 4 certificate, 5 settings."),
                ("name", "Unique in its type."), ("version", "The version of the state that wrote it."),
                ("content", "Protocol buffers, without secrets; NULL where it was removed."),
                ("secret", "What of it is secret, sealed."), ("changed_at", "When it was written."),
            ]
        ),
        (
            "node", "What replicas have heard of each node.",
            [
                ("name", name), ("last_seen", "When a replica last heard of it."),
                ("replica", "The replica whose stream it follows."), ("sent_version", "The state that was last sent."),
                ("acknowledged_version", "The state that it last took."), ("served_version", "The state in force."),
                ("clock_offset_us", "How far its clock is ahead, in microseconds."),
                ("program_version", "The version of its program."), ("refused_version", "The state that it refused."),
                ("refused_type", "The type of the resource at fault."), ("refused_name", "Its name."),
                ("refused_reason", "Why it refused."),
                ("trusted_authorities", "The authorities that it trusts: their SHA-256, 32 bytes each."),
            ]
        ),
        (
            "served", "The resources that each node serves, as arrays of one length.",
            [
                ("node", name), ("types", "Their types."), ("names", "Their names."), ("versions", "Their versions."),
                ("digests", "SHA-256 of each content."), ("ends", "The end of each certificate; NULL for others."),
            ]
        ),
    ]

    /// The statements.
    static let sql =
        Self.tables.map { table in
            ([Self.comment("TABLE control.\(table.name)", table.text)]
                + table.columns.map { Self.comment("COLUMN control.\(table.name).\($0.0)", $0.1) }).joined()
        }.joined()

    private static func comment(_ object: String, _ text: String) -> String {
        "COMMENT ON \(object) IS '\(text.replacing("'", with: "''"))';\n"
    }
}
