import PostgresDriver

extension Migration {
    static let administration = Migration(
        version: 5, name: "administration",
        sql: AdministrationSchema.tables + AdministrationSchema.protocolled + AdministrationBatch.sql
            + AdministrationSchema.privileges)
}

/// What operators do to the queue, beside the owners of its shards.
///
/// `held` has the entries that an operator holds back: nobody claims, promotes or expires them. `ready.verdict` is an
/// operator's reason to give an entry up, which its owner carries out when it claims the entry. `administration` says
/// who did what and why; nothing is done without a row of it.
///
/// An owner keeps in memory what it has claimed, so an entry may change under its eyes. That is safe, because an owner
/// opens an attempt only for an entry that is as it was, and keeps others from the row meanwhile. `administer` in its
/// turn locks the rows first, without waiting for an owner. It then does not change those whose attempt is on record
/// without an outcome. Whoever comes first has the entry, and the other finds that out.
private enum AdministrationSchema {
    static let tables = """
        CREATE TABLE relay.held (
            shard int2 NOT NULL, message_id uuid NOT NULL, domain text COLLATE "C" NOT NULL,
            destination text COLLATE "C" NOT NULL, arrived_at timestamptz NOT NULL, attempts int4 NOT NULL,
            size int8 NOT NULL, recipients jsonb NOT NULL, delay_notified bool NOT NULL, last_status text,
            last_reason text, held_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (shard, message_id, domain)
        ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
            autovacuum_analyze_scale_factor = 0.02);

        ALTER TABLE relay.ready ADD verdict text;

        CREATE TABLE relay.administration (
            operation uuid PRIMARY KEY, began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            action text NOT NULL CHECK (action IN ('hold', 'release', 'retry', 'fail', 'drop')), actor text NOT NULL,
            role text NOT NULL DEFAULT session_user, selection text NOT NULL, reason text,
            batches int4 NOT NULL DEFAULT 0, affected int8 NOT NULL DEFAULT 0, in_delivery int8 NOT NULL DEFAULT 0,
            finished_at timestamptz
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
        CREATE INDEX ON relay.administration (began_at);

        CREATE TYPE relay.entry_attempts AS (shard int2, message_id uuid, domain text, attempts int4);

        """

    /// RL004 is an operation that is not under way.
    static let protocolled = """
        CREATE FUNCTION relay.begin_administration(operation uuid, action text, actor text, selection text, reason text)
            RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
            INSERT INTO relay.administration (operation, action, actor, selection, reason) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
        $f$;

        -- Also tells the server's log.
        CREATE FUNCTION relay.finish_administration(operation uuid, OUT affected int8, OUT in_delivery int8)
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE a relay.administration;
        BEGIN
            UPDATE relay.administration t SET finished_at = coalesce(t.finished_at, clock_timestamp())
                WHERE t.operation = $1 RETURNING t.* INTO a;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'no such operation' USING ERRCODE = 'RL004';
            END IF;
            RAISE LOG 'relay queue %: % entries, % left in delivery; by % (%), selection %, reason %', a.action,
                a.affected, a.in_delivery, a.actor, a.role, a.selection, coalesce(a.reason, '-');
            affected := a.affected;
            in_delivery := a.in_delivery;
        END $f$;

        """

    /// An edge node reads `held` and takes away what a former owner has delivered; it holds nothing, and administers
    /// nothing.
    static let privileges = """
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA relay FROM PUBLIC;
        GRANT SELECT, UPDATE, DELETE ON relay.held TO relay_queue;
        GRANT SELECT ON relay.held, relay.administration, relay.body_chunk TO relay_admin;
        GRANT EXECUTE ON FUNCTION relay.begin_administration, relay.finish_administration, relay.administer
            TO relay_admin;
        """
}
