-- flows --
-- Flows by name after one of them, each name once by a jump in the index.
WITH RECURSIVE names (flow) AS (
    SELECT (SELECT min(flow) FROM flow_counts WHERE flow > ?1)
    UNION ALL
    SELECT (SELECT min(flow) FROM flow_counts WHERE flow > names.flow) FROM names WHERE names.flow IS NOT NULL
)
SELECT flow FROM names WHERE flow IS NOT NULL LIMIT ?2;

-- counts_of_flows --
-- How many runs of some flows made since an hour are in each of some states (both are JSON arrays).
SELECT f.value, s.value,
    (SELECT sum(c.n) FROM flow_counts AS c WHERE c.flow = f.value AND c.state = s.value AND c.hour >= ?2) AS n
FROM json_each(?1) AS f CROSS JOIN json_each(?3) AS s WHERE n > 0;

-- oldest_waiting --
-- When the run that has waited longest in each queue was due.
SELECT queue, min(due_at) FROM flow_runs
WHERE state IN ('Scheduled', 'Late') AND queue <> '' AND due_at <= ? GROUP BY queue;

-- hours --
-- How many runs made in each hour since one are in which state, but for those that are only planned.
SELECT hour, state, sum(n) FROM flow_counts
WHERE hour >= ? AND flow <> '' AND state <> 'Scheduled' GROUP BY hour, state HAVING sum(n) > 0;

-- newest_of_flow --
-- The newest runs of a flow that have begun, the newest first.
SELECT id, name, state, started_at, ended_at FROM flow_runs
WHERE flow = ? AND state <> 'Scheduled' ORDER BY id DESC LIMIT ?;

-- coming --
-- The runs that are due next.
SELECT * FROM flow_runs INDEXED BY flow_runs_due
WHERE state = 'Scheduled' AND queue <> '' ORDER BY due_at, id LIMIT ?;

-- marks --
-- When some flow runs (a JSON array of ids) ran, the newest first.
SELECT id, name, flow, state, started_at, ended_at FROM flow_runs
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC;

-- progress --
-- How many task runs of some flow runs (a JSON array of ids) are in each state.
SELECT run_id, state, sum(n) FROM task_counts
WHERE run_id IN (SELECT value FROM json_each(?)) GROUP BY run_id, state HAVING sum(n) > 0;

-- deployment_titles --
-- The first deployments by flow and name, without what they say.
SELECT id, flow, name FROM deployments ORDER BY flow, name LIMIT ?;

-- model_names --
-- The first registered models by name.
SELECT name FROM models ORDER BY name LIMIT ?;
