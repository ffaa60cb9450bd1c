/// What the audit of owners adds to a database, and how it is read.
enum OwnerAuditSchema {
    /// Triggers see the node by the name that it gives its sessions. They fire before the commit, and what is rolled back by the
    /// fence is gone from the record too.
    static let sql = """
        CREATE SCHEMA audit;
        CREATE TABLE audit.term (shard int2 NOT NULL, owner text, at timestamptz NOT NULL);
        CREATE TABLE audit.change (
            transaction int8 NOT NULL, node text NOT NULL, place text NOT NULL, operation text NOT NULL, shard int2 NOT NULL,
            message_id uuid, attempt_of text, at timestamptz NOT NULL);

        CREATE FUNCTION audit.owned() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $f$
        BEGIN
            INSERT INTO audit.term VALUES (NEW.shard, NEW.owner, clock_timestamp());
            RETURN NULL;
        END $f$;

        CREATE FUNCTION audit.changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $f$
        DECLARE line jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
        BEGIN
            INSERT INTO audit.change VALUES (
                txid_current(), current_setting('application_name'), TG_ARGV[0], TG_OP, (line->>'shard')::int2,
                (line->>'message_id')::uuid, CASE WHEN TG_ARGV[0] = 'open_attempt' THEN line->>'node' END,
                clock_timestamp());
            RETURN NULL;
        END $f$;

        INSERT INTO audit.term SELECT shard, owner, clock_timestamp() FROM relay.shard_lease;
        CREATE TRIGGER audit AFTER UPDATE ON relay.shard_lease FOR EACH ROW
            WHEN (OLD.epoch <> NEW.epoch OR OLD.owner IS DISTINCT FROM NEW.owner) EXECUTE FUNCTION audit.owned();
        -- Any node may accept mail for any shard; all else is its owner's.
        CREATE TRIGGER audit AFTER UPDATE OR DELETE ON relay.ready FOR EACH ROW EXECUTE FUNCTION audit.changed('ready');
        CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON relay.deferred FOR EACH ROW
            EXECUTE FUNCTION audit.changed('deferred');
        CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON relay.open_attempt FOR EACH ROW
            EXECUTE FUNCTION audit.changed('open_attempt');
        CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON relay.destination FOR EACH ROW
            EXECUTE FUNCTION audit.changed('destination');
        CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON relay.held FOR EACH ROW
            EXECUTE FUNCTION audit.changed('held');
        CREATE TRIGGER audit AFTER UPDATE ON relay.message FOR EACH ROW EXECUTE FUNCTION audit.changed('message');
        CREATE TRIGGER audit AFTER INSERT ON relay.trace FOR EACH ROW WHEN (NEW.kind <> 'RECEIVE')
            EXECUTE FUNCTION audit.changed('trace');
        """

    /// $1 is the name of the node's sessions, $2 its own.
    private static let late = """
        WITH foreign_change AS (
            SELECT c.* FROM audit.change c WHERE c.node = $1 AND (
                SELECT t.owner FROM audit.term t WHERE t.shard = c.shard AND t.at <= c.at ORDER BY t.at DESC LIMIT 1
            ) IS DISTINCT FROM $2::text
        ), late AS (
            SELECT DISTINCT transaction, message_id FROM foreign_change
            WHERE place = 'open_attempt' AND operation = 'DELETE' AND attempt_of = $2::text
        )
        """

    static let changesAfterTakeover = """
        \(late)
        SELECT format('%s %s of message %s in shard %s at %s', c.operation, c.place, c.message_id, c.shard, c.at)
        FROM foreign_change c LEFT JOIN late l ON l.transaction = c.transaction AND l.message_id = c.message_id
        WHERE l.transaction IS NULL ORDER BY c.at LIMIT 100
        """

    static let lateDeliveries = """
        \(late)
        SELECT count(*) FROM late
        """
}
