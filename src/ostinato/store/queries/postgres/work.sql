-- extend_leases --
-- After a time without a server no worker could renew its lease: each gets a whole one, and a second to find the server.
UPDATE workers
SET lease_until = greatest(lease_until, ?1 + 1000000
    + ((convert_from(info, 'UTF8')::json ->> 'lease_s')::float8 * 1000000)::bigint)
WHERE left_at IS NULL;

-- renew_leases --
-- The clock was set: each worker has a whole lease by what it shows now.
UPDATE workers
SET lease_until = ?1 + ((convert_from(info, 'UTF8')::json ->> 'lease_s')::float8 * 1000000)::bigint
WHERE left_at IS NULL;

-- waiting --
-- Runs of a queue that are due until an instant, the most urgent first, but for those of some deployments and those
-- with some tags (JSON arrays).
-- Each priority that occurs is looked at by itself, so that runs which are due later are never read.
WITH RECURSIVE priorities (priority) AS (
    SELECT max(priority) FROM flow_runs WHERE state IN ('Scheduled', 'Late') AND queue <> '' AND queue = ?1
    UNION ALL
    SELECT (
        SELECT max(n.priority) FROM flow_runs AS n
        WHERE n.state IN ('Scheduled', 'Late') AND n.queue <> '' AND n.queue = ?1 AND n.priority < p.priority
    )
    FROM priorities AS p WHERE p.priority IS NOT NULL
)
SELECT r.id, r.queue, r.deployment_id, r.tags, r.due_at, r.n_crashes, r.epoch, r.state
FROM priorities AS p, LATERAL (
    SELECT * FROM flow_runs AS w
    WHERE w.state IN ('Scheduled', 'Late') AND w.queue <> '' AND w.queue = ?1 AND w.priority = p.priority
        AND w.due_at <= ?2 AND w.deployment_id NOT IN (SELECT value FROM json_each(?3))
        AND NOT EXISTS (
            SELECT 1 FROM flow_run_tags AS t WHERE t.run_id = w.id AND t.tag IN (SELECT value FROM json_each(?4))
        )
    ORDER BY w.due_at, w.id LIMIT ?5::bigint + ?6::bigint
) AS r
ORDER BY r.priority DESC, r.due_at, r.id LIMIT ?5::bigint OFFSET ?6::bigint;
