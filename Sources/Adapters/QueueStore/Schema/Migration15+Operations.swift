import PostgresDriver

extension Migration {
    /// What operators do to entries, statement by statement; it was put together from text at run time.
    static let operations = Migration(
        version: 15, name: "operations",
        sql: OperationStatement.types + OperationStatement.all.map(\.definition).joined() + OperationSchema.administer)
}

private enum OperationSchema {
    /// One batch of an operation: which statements, and in which order. It keeps its rights and its parameters, so programs of
    /// earlier versions go on with it.
    ///
    /// A batch whose number was had before, because the answer to its COMMIT was lost, is not done again.
    static let administer = """
        CREATE OR REPLACE FUNCTION relay.administer(
            operation uuid, batch int4, source text, shards int2[], messages uuid[], domains text[]) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            -- Every access goes by key, whatever the planner thinks of the tables' sizes.
            SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $f$
        DECLARE
            command relay.administration;
            given relay.entry_attempts[];
            locked relay.entry_attempts[];
            free relay.entry_attempts[];
            waited relay.waiting_entry[];
            changed relay.operated_entry[];
            busy int8 := 0;
        BEGIN
            SELECT * INTO command FROM relay.administration a WHERE a.operation = $1 AND a.finished_at IS NULL
                FOR UPDATE;
            IF NOT FOUND OR source NOT IN ('ready', 'deferred', 'held')
                OR source = 'held' AND command.action IN ('hold', 'retry')
                OR source <> 'held' AND command.action = 'release' THEN
                RAISE EXCEPTION 'no such operation on % entries', source USING ERRCODE = 'RL004';
            END IF;
            IF batch <= command.batches THEN RETURN; END IF;
            SELECT array_agg(ROW(g.shard, g.message_id, g.domain, NULL)::relay.entry_attempts) INTO given
                FROM unnest(shards, messages, domains) AS g (shard, message_id, domain);

            IF source = 'ready' THEN waited := relay.waiting_entries(given); END IF;
            IF command.action IN ('retry', 'fail') THEN
                CASE source
                    WHEN 'ready' THEN PERFORM relay.end_backoffs_of_ready(given);
                    WHEN 'deferred' THEN PERFORM relay.end_backoffs_of_deferred(given);
                    WHEN 'held' THEN PERFORM relay.end_backoffs_of_held(given);
                END CASE;
            END IF;
            CASE source
                WHEN 'ready' THEN locked := relay.lock_ready(given);
                WHEN 'deferred' THEN locked := relay.lock_deferred(given);
                WHEN 'held' THEN locked := relay.lock_held(given);
            END CASE;
            free := relay.without_attempts(locked);
            IF source = 'ready' THEN busy := relay.count_ready(given) - coalesce(cardinality(free), 0); END IF;

            -- What is ready and stays so is changed where it is.
            IF source = 'ready' AND command.action = 'retry' THEN
                changed := relay.retry_ready(free, command.began_at);
            ELSIF source = 'ready' AND command.action = 'fail' THEN
                changed := relay.fail_ready(free, coalesce(command.reason, ''));
            ELSE
                CASE source
                    WHEN 'ready' THEN changed := relay.take_from_ready(free);
                    WHEN 'deferred' THEN changed := relay.take_from_deferred(free);
                    WHEN 'held' THEN changed := relay.take_from_held(free);
                END CASE;
                CASE command.action
                    WHEN 'hold' THEN PERFORM relay.put_in_held(changed);
                    WHEN 'drop' THEN PERFORM relay.finish_messages(changed);
                    WHEN 'fail' THEN PERFORM relay.put_in_ready(changed, coalesce(command.reason, ''));
                    ELSE PERFORM relay.put_in_ready(changed, NULL);
                END CASE;
            END IF;

            -- The owner writes the row of what it gives up.
            IF command.action <> 'fail' THEN PERFORM relay.trace_operation(changed, command); END IF;
            CASE command.action
                WHEN 'hold' THEN PERFORM relay.count_moved(changed, source, 'held');
                WHEN 'drop' THEN PERFORM relay.count_moved(changed, source, NULL);
                ELSE IF source <> 'ready' THEN PERFORM relay.count_moved(changed, source, 'ready'); END IF;
            END CASE;
            PERFORM relay.stop_waiting(waited);
            UPDATE relay.administration a
                SET batches = batch, affected = a.affected + coalesce(cardinality(changed), 0),
                    in_delivery = a.in_delivery + busy
                WHERE a.operation = $1;
        END $f$;
        DROP FUNCTION relay.administer_batch(uuid, int4, text, int2[], uuid[], text[]);
        """
}
