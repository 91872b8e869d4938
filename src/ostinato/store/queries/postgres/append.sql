-- run_heads --
-- What the projection must know of runs (a JSON array of ids) and their roots, in one JSON row.
SELECT coalesce(json_agg(json_build_array(
    r.id, r.root_id, r.flow, r.epoch, r.state, r.stream, r.created_at, r.started_at,
    (r.queue <> '' OR EXISTS (SELECT 1 FROM pins AS p WHERE p.run_id = r.id))::int,
    (SELECT max(t.no) FROM task_runs AS t WHERE t.run_id = r.id)
)), '[]')::text
FROM flow_runs AS r
WHERE r.id = ANY (ARRAY(
    SELECT value FROM json_each(?1)
    UNION
    SELECT s.root_id FROM flow_runs AS s WHERE s.id IN (SELECT value FROM json_each(?1))
));

-- task_heads --
-- What the projection must know of task runs (a JSON array of numbers) of one run, in one JSON row.
-- OFFSET 0: each is looked up by itself; the planner would rather read all tasks of the run.
SELECT coalesce(json_agg(json_build_array(t.no, t.epoch, t.state, t.task, t.map_group, t.started_at)), '[]')::text
FROM json_each(?2) AS wanted (no), LATERAL (
    SELECT * FROM task_runs WHERE run_id = ?1 AND task_runs.no = wanted.no::bigint OFFSET 0
) AS t;

-- move_tasks --
-- The newest state of task runs that are in the database.
WITH moved (run_id, no, epoch, state, attempt, message, started_at, ended_at, n_started, result, error) AS (
    VALUES (?::text, ?::bigint, ?::bigint, ?::text, ?::bigint, ?::text, ?::bigint, ?::bigint, ?::bigint, ?::bytea, ?::bytea)
)
UPDATE task_runs SET
    epoch = moved.epoch, state = moved.state, attempt = moved.attempt, message = moved.message,
    started_at = moved.started_at, ended_at = moved.ended_at, n_started = moved.n_started,
    result = moved.result, error = moved.error
FROM moved
WHERE task_runs.run_id = moved.run_id AND task_runs.no = moved.no;
