-- known_stream --
-- How far a stream has been written, or no row for a new one.
SELECT acked_seq FROM streams WHERE stream = ?;

-- add_stream --
-- A writer appears.
INSERT INTO streams (stream, acked_seq, pid, host, started_at) VALUES (?, 0, ?, ?, ?)
ON CONFLICT (stream) DO NOTHING;

-- advance_stream --
-- Compare and set: the events that follow the acknowledged ones go in, and no others.
UPDATE streams SET acked_seq = ? WHERE stream = ? AND acked_seq = ?;

-- add_blocks --
-- Blocks of events, each in one piece.
INSERT INTO blocks (stream, first_seq, last_seq, at, payload) VALUES (?, ?, ?, ?, ?);

-- run_heads --
-- What the projection must know of runs (a JSON array of ids) and their roots, in one JSON row.
SELECT json_group_array(json_array(
    r.id, r.root_id, r.flow, r.epoch, r.state, r.stream, r.created_at, r.started_at,
    r.queue <> '' OR EXISTS (SELECT 1 FROM pins AS p WHERE p.run_id = r.id),
    (SELECT max(t.no) FROM task_runs AS t WHERE t.run_id = r.id)
))
FROM flow_runs AS r
WHERE r.id IN (SELECT value FROM json_each(?1))
   OR r.id IN (SELECT s.root_id FROM flow_runs AS s WHERE s.id IN (SELECT value FROM json_each(?1)));

-- task_heads --
-- What the projection must know of task runs (a JSON array of numbers) of one run, in one JSON row.
SELECT json_group_array(json_array(no, epoch, state, task, map_group, started_at))
FROM task_runs
WHERE run_id = ? AND no IN (SELECT value FROM json_each(?));

-- put_runs --
-- Flow runs, new or made again by a newer epoch.
INSERT INTO flow_runs (
    id, root_id, parent_id, no, flow, name, state, message, epoch, attempt, stream, created_at, expected_at,
    started_at, ended_at, version, tags, key, upstream, parameters, arguments, source, result, error,
    n_reused, n_logs_dropped, deployment_id, deployment, queue, priority, schedule, due_at, worker, held, asked,
    n_crashes, actor
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    root_id = excluded.root_id, parent_id = excluded.parent_id, no = excluded.no, flow = excluded.flow,
    name = excluded.name, state = excluded.state, message = excluded.message, epoch = excluded.epoch,
    attempt = excluded.attempt, stream = excluded.stream, expected_at = excluded.expected_at,
    started_at = excluded.started_at, ended_at = excluded.ended_at, version = excluded.version,
    tags = excluded.tags, key = excluded.key, upstream = excluded.upstream, parameters = excluded.parameters,
    arguments = excluded.arguments, source = excluded.source, result = excluded.result, error = excluded.error,
    n_reused = excluded.n_reused, deployment_id = excluded.deployment_id, deployment = excluded.deployment,
    queue = excluded.queue, priority = excluded.priority, schedule = excluded.schedule, due_at = excluded.due_at,
    worker = excluded.worker, held = excluded.held, asked = excluded.asked, n_crashes = excluded.n_crashes,
    actor = excluded.actor;

-- move_run --
-- The newest state of a flow run that is in the database.
UPDATE flow_runs SET
    state = ?, message = ?, epoch = ?, attempt = ?, stream = ?, started_at = ?, ended_at = ?, result = ?, error = ?,
    n_reused = ?, worker = coalesce(?, worker), held = coalesce(?, held), asked = coalesce(?, asked),
    due_at = coalesce(?, due_at), n_crashes = coalesce(?, n_crashes)
WHERE id = ?;

-- place_run --
-- Who holds a flow run, and what is asked of it.
UPDATE flow_runs SET held = coalesce(?, held), asked = coalesce(?, asked) WHERE id = ?;

-- count_dropped_logs --
-- Log lines of a run that were dropped under pressure.
UPDATE flow_runs SET n_logs_dropped = n_logs_dropped + ? WHERE id = ?;

-- put_run_tags --
-- Tags of flow runs, for filters.
INSERT INTO flow_run_tags (tag, run_id) VALUES (?, ?)
ON CONFLICT (tag, run_id) DO NOTHING;

-- add_run_states --
-- History of flow runs.
INSERT INTO run_states (run_id, at, epoch, attempt, state, previous, message) VALUES (?, ?, ?, ?, ?, ?, ?);

-- put_tasks --
-- Task runs, new or started again by a newer epoch.
INSERT INTO task_runs (
    run_id, no, epoch, state, attempt, task, name, map_group, key, ordinal, parent_no, upstream, version, tags,
    message, created_at, started_at, ended_at, n_started, result, error
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, no) DO UPDATE SET
    epoch = excluded.epoch, state = excluded.state, attempt = excluded.attempt, task = excluded.task,
    name = excluded.name, map_group = excluded.map_group, key = excluded.key, ordinal = excluded.ordinal,
    parent_no = excluded.parent_no, upstream = excluded.upstream, version = excluded.version,
    tags = excluded.tags, message = excluded.message, created_at = excluded.created_at,
    started_at = excluded.started_at, ended_at = excluded.ended_at, n_started = excluded.n_started,
    result = excluded.result, error = excluded.error;

-- move_tasks --
-- The newest state of task runs that are in the database.
WITH moved (run_id, no, epoch, state, attempt, message, started_at, ended_at, n_started, result, error) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
)
UPDATE task_runs SET
    epoch = moved.epoch, state = moved.state, attempt = moved.attempt, message = moved.message,
    started_at = moved.started_at, ended_at = moved.ended_at, n_started = moved.n_started,
    result = moved.result, error = moved.error
FROM moved
WHERE task_runs.run_id = moved.run_id AND task_runs.no = moved.no;

-- add_task_counts --
-- Roll-up counters of task runs; n may be negative.
INSERT INTO task_counts (run_id, task, map_group, state, n, first_no) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, task, map_group, state) DO UPDATE SET
    n = task_counts.n + excluded.n,
    first_no = CASE WHEN excluded.first_no < task_counts.first_no THEN excluded.first_no ELSE task_counts.first_no END;

-- add_flow_counts --
-- Roll-up counters of flow runs; n may be negative.
INSERT INTO flow_counts (flow, state, hour, n) VALUES (?, ?, ?, ?)
ON CONFLICT (flow, state, hour) DO UPDATE SET n = flow_counts.n + excluded.n;

-- add_logs --
-- Log lines, in the order in which they came.
INSERT INTO logs (run_id, no, at, level, logger, text) VALUES (?, ?, ?, ?, ?, ?);

-- add_artifacts --
-- Artifacts, in the order in which they came.
INSERT INTO artifacts (run_id, no, key, kind, description, at, data, blob, media_type) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- put_variable --
-- A variable, unless a newer setting of it is known.
INSERT INTO variables (name, value, tags, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, tags = excluded.tags, updated_at = excluded.updated_at
WHERE excluded.updated_at >= variables.updated_at;

-- put_checkpoint --
-- The newest checkpoint of a task key.
INSERT INTO checkpoints (run_id, key, version, at, value, blob) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, key) DO UPDATE SET
    version = excluded.version, at = excluded.at, value = excluded.value, blob = excluded.blob;

-- put_cached --
-- A result by cache key, unless a newer one is known.
INSERT INTO cache (cache_key, at, expires_at, run_id, no, result, blob) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (cache_key) DO UPDATE SET
    at = excluded.at, expires_at = excluded.expires_at, run_id = excluded.run_id, no = excluded.no,
    result = excluded.result, blob = excluded.blob
WHERE excluded.at >= cache.at;

-- end_cache_claim --
-- Nobody computes this cache entry any more.
DELETE FROM cache_claims WHERE cache_key = ? AND stream = ?;

-- add_blob_refs --
-- A run needs a stored value.
INSERT INTO blob_refs (run_id, blob) VALUES (?, ?)
ON CONFLICT (run_id, blob) DO NOTHING;

-- drop_checkpoints --
-- A root run ended well: nobody goes on from its checkpoints.
DELETE FROM checkpoints WHERE run_id IN (SELECT id FROM flow_runs WHERE root_id = ?);

-- drop_blob_refs --
-- A root run ended well: its stored values are no longer needed for resume.
DELETE FROM blob_refs WHERE run_id IN (SELECT id FROM flow_runs WHERE root_id = ?);

-- writer_of_stream --
-- The process that writes a stream.
SELECT pid, host, started_at FROM streams WHERE stream = ?;
