-- calls_after --
-- Task runs of a flow run after a number, in few columns, in call order.
SELECT no, key, task, name, map_group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at
FROM task_runs WHERE run_id = ? AND no > ? AND no <= ? ORDER BY no LIMIT ?;

-- calls_before --
-- Task runs of a flow run before a number, the last called first.
SELECT no, key, task, name, map_group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at
FROM task_runs WHERE run_id = ? AND no < ? ORDER BY no DESC LIMIT ?;

-- calls_in_states --
-- Task runs of a flow run between two numbers that are in one of the states (a JSON array), in call order.
SELECT no, key, task, name, map_group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at
FROM task_runs
WHERE run_id = ? AND no > ? AND no <= ? AND state IN (SELECT value FROM json_each(?))
ORDER BY no LIMIT ?;

-- calls_of --
-- Task runs of one task or `.map` of a flow run between two numbers, in call order.
SELECT no, key, task, name, map_group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at
FROM task_runs
WHERE run_id = ? AND no > ? AND no <= ? AND task = ? AND map_group = ?
ORDER BY no LIMIT ?;

-- calls_of_in_states --
-- Task runs of one task or `.map` between two numbers that are in one of the states (a JSON array), in call order.
SELECT no, key, task, name, map_group, state, epoch, attempt, message, upstream, created_at, started_at, ended_at
FROM task_runs
WHERE run_id = ? AND no > ? AND no <= ? AND task = ? AND map_group = ? AND state IN (SELECT value FROM json_each(?))
ORDER BY no LIMIT ?;

-- last_call --
-- The number of the task run of a flow run that was called last.
SELECT max(no) FROM task_runs WHERE run_id = ?;

-- blocks_between --
-- Blocks of a writer that were committed between two instants, in commit order.
SELECT payload FROM blocks INDEXED BY blocks_by_age WHERE at >= ? AND at <= ? AND stream = ? ORDER BY at, id LIMIT ?;

-- blocks_of_all_between --
-- Blocks of all writers that were committed between two instants, in commit order.
SELECT payload FROM blocks INDEXED BY blocks_by_age WHERE at >= ? AND at <= ? ORDER BY at, id LIMIT ?;
