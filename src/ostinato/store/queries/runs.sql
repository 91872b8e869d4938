-- run_by_id --
-- One flow run.
SELECT * FROM flow_runs WHERE id = ?;

-- runs_by_ids --
-- Some flow runs (a JSON array of ids), the newest first.
SELECT * FROM flow_runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC;

-- runs_by_prefix --
-- Flow runs whose id begins so, the newest first.
SELECT * FROM flow_runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?;

-- run_by_name --
-- The newest flow run of this name.
SELECT * FROM flow_runs WHERE name = ? ORDER BY id DESC LIMIT 1;

-- newest_root_run --
-- The newest flow run that no other one called and that has begun or is due: of those made last the one due last.
-- An id begins with the millisecond in which it was made.
SELECT * FROM flow_runs WHERE id = (
    SELECT id FROM (
        SELECT id, due_at FROM flow_runs INDEXED BY flow_runs_roots
        WHERE parent_id = '' AND NOT (state = 'Scheduled' AND due_at > ?) ORDER BY id DESC LIMIT 200
    ) AS newest
    ORDER BY max(id, printf('%012x', due_at / 1000)) DESC LIMIT 1
);

-- subflow_runs --
-- The flow runs that a run called, in call order.
SELECT * FROM flow_runs WHERE parent_id = ? AND parent_id <> '' ORDER BY no, id;

-- runs_of_root --
-- A root run and all runs below it, the oldest first.
SELECT * FROM flow_runs WHERE root_id = ? ORDER BY id;

-- task_runs --
-- Task runs of a flow run after a number, in call order.
SELECT * FROM task_runs WHERE run_id = ? AND no > ? ORDER BY no LIMIT ?;

-- task_runs_in_states --
-- Task runs of a flow run after a number that are in one of the states (a JSON array), in call order.
SELECT * FROM task_runs
WHERE run_id = ? AND no > ? AND state IN (SELECT value FROM json_each(?))
ORDER BY no LIMIT ?;

-- task_counts --
-- Counters of the task runs of a flow run.
SELECT task, map_group, state, n, first_no FROM task_counts WHERE run_id = ? AND n > 0;

-- task_tallies --
-- How long the task runs of a flow run took, and their attempts, by task, state and epoch.
SELECT task, map_group, state, epoch, count(*), max(coalesce(ended_at - started_at, 0)),
    sum(coalesce(ended_at - started_at, 0)), max(attempt)
FROM task_runs WHERE run_id = ? GROUP BY task, map_group, state, epoch;

-- state_counts --
-- How many flow runs are in each state.
SELECT state, n FROM flow_counts WHERE flow = '' AND hour = 0 AND n > 0;

-- history --
-- The states that a flow run went through, the oldest first.
SELECT at, epoch, attempt, state, previous, message FROM run_states WHERE run_id = ? ORDER BY id;

-- checkpoints --
-- The newest checkpoints of a flow run.
SELECT run_id, key, version, at, value FROM checkpoints WHERE run_id = ?;

-- blobs_of_runs --
-- The stored values that these flow runs (a JSON array of ids) still need.
SELECT run_id, blob FROM blob_refs WHERE run_id IN (SELECT value FROM json_each(?));
