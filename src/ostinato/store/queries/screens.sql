-- flow_names --
-- Names of flows after one of them, those that have run and those that are deployed; each once by a jump in an index.
WITH RECURSIVE names (flow) AS (
    SELECT min(either.flow) FROM (
        SELECT min(flow) AS flow FROM flow_counts WHERE flow > ?1
        UNION ALL
        SELECT min(flow) AS flow FROM deployments WHERE flow > ?1
    ) AS either
    UNION ALL
    SELECT (
        SELECT min(either.flow) FROM (
            SELECT min(flow) AS flow FROM flow_counts WHERE flow > names.flow
            UNION ALL
            SELECT min(flow) AS flow FROM deployments WHERE flow > names.flow
        ) AS either
    )
    FROM names WHERE names.flow IS NOT NULL
)
SELECT flow FROM names WHERE flow IS NOT NULL LIMIT ?2;

-- deployments_of_flows --
-- Deployments of some flows (a JSON array of names).
SELECT definition FROM deployments WHERE flow IN (SELECT value FROM json_each(?)) ORDER BY flow, name LIMIT ?;

-- newest_begun --
-- The newest run of a flow that has begun.
SELECT * FROM flow_runs WHERE flow = ? AND state <> 'Scheduled' ORDER BY id DESC LIMIT 1;

-- first_task_counts --
-- Counters of the task runs of a flow run, by name: of very many tasks some.
SELECT task, state, n, first_no FROM task_counts
WHERE run_id = ? AND n > 0 ORDER BY task, map_group, state LIMIT ?;

-- artifact_floor --
-- The artifact down to which one look goes: the last of so many before one.
SELECT id FROM artifacts WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?;

-- newest_artifacts --
-- Artifacts from one on and before another, of a kind (or any) and with a text in their names, the newest first.
SELECT a.id, a.run_id, coalesce(r.name, ''), coalesce(r.flow, ''), a.key, a.kind, a.description, a.at, a.blob,
    a.media_type, length(a.data), CASE WHEN a.blob <> '' THEN a.data END
FROM artifacts AS a LEFT JOIN flow_runs AS r ON r.id = a.run_id
WHERE a.id >= ?1 AND a.id < ?2 AND (?3 = '' OR a.kind = ?3) AND (?4 = '' OR instr(lower(a.key), ?4) > 0)
ORDER BY a.id DESC LIMIT ?5;

-- artifacts_of_runs --
-- The newest artifacts of some runs (a JSON array of ids), the oldest of them first, with what they hold when it is
-- no more than so many bytes.
SELECT a.id, a.run_id, coalesce(r.name, ''), coalesce(r.flow, ''), a.key, a.kind, a.description, a.at, a.blob,
    a.media_type, length(a.data), CASE WHEN length(a.data) <= ?3 THEN a.data END
FROM artifacts AS a LEFT JOIN flow_runs AS r ON r.id = a.run_id
WHERE a.id IN (
    SELECT o.id FROM artifacts AS o WHERE o.run_id IN (SELECT value FROM json_each(?1)) ORDER BY o.id DESC LIMIT ?2
)
ORDER BY a.id;

-- runs_below --
-- A flow run and runs below it, so many at most.
WITH RECURSIVE below (id) AS (
    SELECT id FROM flow_runs WHERE id = ?1
    UNION
    SELECT r.id FROM below JOIN flow_runs AS r ON r.id IN (
        SELECT s.id FROM flow_runs AS s WHERE s.parent_id = below.id AND s.parent_id <> ''
    )
)
SELECT id FROM below LIMIT ?2;

-- artifact --
-- One artifact with all that it holds, unless that is stored as a value of its own.
SELECT a.id, a.run_id, coalesce(r.name, ''), coalesce(r.flow, ''), a.key, a.kind, a.description, a.at, a.blob,
    a.media_type, length(a.data), a.data
FROM artifacts AS a LEFT JOIN flow_runs AS r ON r.id = a.run_id
WHERE a.id = ?;

-- artifact_versions --
-- The newest artifacts of a name.
SELECT a.id, a.run_id, coalesce(r.name, ''), a.at
FROM artifacts AS a LEFT JOIN flow_runs AS r ON r.id = a.run_id
WHERE a.key = ? ORDER BY a.id DESC LIMIT ?;

-- newest_named --
-- The newest run of a flow of each of some names (a JSON array).
SELECT * FROM flow_runs
WHERE flow = ? AND id IN (
    SELECT max(id) FROM flow_runs WHERE name IN (SELECT value FROM json_each(?)) GROUP BY name, flow
);
