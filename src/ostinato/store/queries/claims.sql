-- find_claimed --
-- What a claim changes in the counters and the history of a root run.
SELECT flow, state, created_at, epoch FROM flow_runs WHERE id = ? AND root_id = id;

-- claim_run --
-- Compare and set on the epoch: of two that want to take up a run, one gets it.
UPDATE flow_runs SET
    epoch = epoch + 1, state = 'Pending', message = '', attempt = 1, stream = ?, started_at = NULL, ended_at = NULL,
    result = NULL, error = NULL, n_reused = 0, worker = '', held = 0, asked = ''
WHERE id = ? AND epoch = ? AND root_id = id;

-- active_streams --
-- Streams that have flow runs which have not ended.
SELECT DISTINCT stream FROM flow_runs INDEXED BY flow_runs_active
WHERE state NOT IN ('Completed', 'Cached', 'Failed', 'TimedOut', 'Crashed', 'Cancelled', 'Skipped');

-- active_runs_of_stream --
-- Flow runs of a stream in one of the states (a JSON array) that no worker answers for.
SELECT r.id FROM flow_runs AS r
WHERE r.stream = ? AND r.state IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM flow_runs AS root WHERE root.id = r.root_id AND root.held = 1);

-- active_subflow_runs --
-- Subflow runs of a root run in one of the states (a JSON array).
SELECT id FROM flow_runs WHERE root_id = ? AND id <> root_id AND state IN (SELECT value FROM json_each(?));

-- runs_of_stream_with_active_tasks --
-- Flow runs of a stream with task runs in one of the states (a JSON array), by their counters, that no worker answers for.
SELECT DISTINCT c.run_id
FROM flow_runs AS r
JOIN task_counts AS c ON c.run_id = r.id
WHERE r.stream = ? AND c.n > 0 AND c.state IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM flow_runs AS root WHERE root.id = r.root_id AND root.held = 1);

-- runs_of_root_with_active_tasks --
-- Flow runs of a root run with task runs in one of the states (a JSON array), by their counters.
SELECT DISTINCT c.run_id
FROM flow_runs AS r
JOIN task_counts AS c ON c.run_id = r.id
WHERE r.root_id = ? AND c.n > 0 AND c.state IN (SELECT value FROM json_each(?));

-- crash_run_states --
-- History of flow runs (a JSON array of ids) that are marked as crashed next.
INSERT INTO run_states (run_id, at, epoch, attempt, state, previous, message)
SELECT id, ?, epoch, attempt, 'Crashed', state, ? FROM flow_runs WHERE id IN (SELECT value FROM json_each(?));

-- crash_flow_counts --
-- Counters of flow runs (a JSON array of ids) that are marked as crashed next.
WITH crashing (flow, state, hour) AS (
    SELECT flow, state, created_at / 3600000000 * 3600000000
    FROM flow_runs
    WHERE id IN (SELECT value FROM json_each(?))
)
INSERT INTO flow_counts (flow, state, hour, n)
SELECT flow, state, hour, -count(*) FROM crashing GROUP BY flow, state, hour
UNION ALL
SELECT flow, 'Crashed', hour, count(*) FROM crashing GROUP BY flow, hour
UNION ALL
SELECT '', state, 0, -count(*) FROM crashing GROUP BY state
UNION ALL
SELECT '', 'Crashed', 0, count(*) FROM crashing WHERE true GROUP BY 1
ON CONFLICT (flow, state, hour) DO UPDATE SET n = flow_counts.n + excluded.n;

-- crash_runs --
-- Flow runs (a JSON array of ids) whose process is gone.
UPDATE flow_runs SET state = 'Crashed', message = ?, ended_at = ?
WHERE id IN (SELECT value FROM json_each(?));

-- crash_task_counts --
-- Counters of task runs in one of the states, in these flow runs (two JSON arrays), marked as crashed next.
WITH crashing (run_id, task, map_group, state, no) AS (
    SELECT run_id, task, map_group, state, no
    FROM task_runs
    WHERE run_id IN (SELECT value FROM json_each(?)) AND state IN (SELECT value FROM json_each(?))
)
INSERT INTO task_counts (run_id, task, map_group, state, n, first_no)
SELECT run_id, task, map_group, state, -count(*), min(no) FROM crashing GROUP BY run_id, task, map_group, state
UNION ALL
SELECT run_id, task, map_group, 'Crashed', count(*), min(no) FROM crashing WHERE true GROUP BY run_id, task, map_group
ON CONFLICT (run_id, task, map_group, state) DO UPDATE SET
    n = task_counts.n + excluded.n,
    first_no = CASE WHEN excluded.first_no < task_counts.first_no THEN excluded.first_no ELSE task_counts.first_no END;

-- crash_tasks --
-- Task runs in one of the states, in these flow runs (two JSON arrays), whose process is gone.
UPDATE task_runs SET state = 'Crashed', message = ?, ended_at = ?
WHERE run_id IN (SELECT value FROM json_each(?)) AND state IN (SELECT value FROM json_each(?));

-- end_cache_claims --
-- A stream that is gone computes no cache entries.
DELETE FROM cache_claims WHERE stream = ?;
