import PostgresDriver

extension Migration {
    /// Ids of messages as people and `relayctl` write them, from those that the tables have, and back.
    static let messageNames = Migration(
        version: 10, name: "message names",
        sql: """
            CREATE FUNCTION relay.message_name(message_id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT
                PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $f$
                SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(
                    B'00' || ('x' || replace($1::text, '-', ''))::bit(128) FROM 5 * i + 1 FOR 5)::bit(5)::int4 + 1, 1),
                    '' ORDER BY i)
                FROM generate_series(0, 25) AS i
            $f$;

            -- NULL for what is no such name.
            CREATE FUNCTION relay.message_id(message_name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT
                PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $f$
                SELECT (SELECT string_agg(to_hex(substring(n.bits FROM 4 * i + 3 FOR 4)::bit(4)::int4), '' ORDER BY i)
                    FROM generate_series(0, 31) AS i)::uuid
                FROM (
                    SELECT string_agg((strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(upper($1), i, 1)) - 1)::bit(5)::text,
                        '' ORDER BY i)::varbit AS bits
                    FROM generate_series(1, 26) AS i
                ) AS n WHERE $1 ~* '^[0-7][0-9A-HJKMNP-TV-Z]{25}$'
            $f$;

            REVOKE EXECUTE ON FUNCTION relay.message_name(uuid), relay.message_id(text) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION relay.message_name(uuid), relay.message_id(text) TO relay_queue, relay_admin;
            """)
}
