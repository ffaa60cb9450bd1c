import PostgresDriver

extension Migration {
    /// The fence says which terms are over, so that the rest of a batch can be committed without them.
    static let staleTerms = Migration(
        version: 14, name: "stale terms",
        sql: """
            -- As before; in DETAIL are the terms that are over, as `shard/epoch` with blanks between them.
            CREATE OR REPLACE FUNCTION relay.fence(shards int2[], epochs int8[]) RETURNS void LANGUAGE plpgsql AS $f$
            DECLARE held int8;
            BEGIN
                SELECT count(*) INTO held FROM (
                    SELECT FROM relay.shard_lease l JOIN unnest(shards, epochs) AS f (shard, epoch)
                        ON l.shard = f.shard AND l.epoch = f.epoch
                    ORDER BY l.shard FOR KEY SHARE OF l) AS locked;
                IF held <> cardinality(shards) THEN
                    -- Epochs only grow: what did not match above does not match now.
                    RAISE EXCEPTION 'the epoch of a shard is not ours' USING ERRCODE = 'RL001', DETAIL = (
                        SELECT coalesce(string_agg(f.shard || '/' || f.epoch, ' '), '')
                        FROM unnest(shards, epochs) AS f (shard, epoch) WHERE NOT EXISTS (
                            SELECT FROM relay.shard_lease l WHERE l.shard = f.shard AND l.epoch = f.epoch));
                END IF;
            END $f$;
            """)
}
