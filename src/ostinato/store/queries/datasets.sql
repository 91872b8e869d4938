-- put_dataset --
-- A version of data; one that is known stays as it is.
INSERT INTO datasets (digest, name, source, fields, n_rows, n_bytes, profile, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO NOTHING;

-- put_dataset_name --
-- A version of data was called so.
INSERT INTO dataset_names (name, digest, at) VALUES (?, ?, ?)
ON CONFLICT (name, digest) DO UPDATE SET at = excluded.at WHERE excluded.at > dataset_names.at;

-- put_dataset_link --
-- A run read a version of data.
INSERT INTO dataset_links (digest, run_id, no, context, name, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest, run_id, no, context) DO NOTHING;

-- dataset --
-- One version, with its profile.
SELECT digest, name, source, fields, n_rows, n_bytes, created_at, profile FROM datasets WHERE digest = ?;

-- datasets_beginning --
-- Digests that begin so: from the first to before the second.
SELECT digest FROM datasets WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT 2;

-- newest_dataset --
-- The version that was last called so.
SELECT digest FROM dataset_names WHERE name = ? ORDER BY at DESC, digest DESC LIMIT 1;

-- datasets --
-- Versions before a place, newest first.
SELECT digest, name, source, fields, n_rows, n_bytes, created_at FROM datasets
WHERE (created_at, digest) < (?, ?)
ORDER BY created_at DESC, digest DESC LIMIT ?;

-- datasets_named --
-- Versions that were called so before a place, newest first.
SELECT digest, name, source, fields, n_rows, n_bytes, created_at FROM datasets
WHERE digest IN (SELECT digest FROM dataset_names WHERE name = ?) AND (created_at, digest) < (?, ?)
ORDER BY created_at DESC, digest DESC LIMIT ?;

-- dataset_links --
-- The runs that used a version, newest first.
SELECT CASE WHEN no = 0 THEN 'flow-run' ELSE 'task-run' END AS kind, run_id, no, name, context, at
FROM dataset_links WHERE digest = ?
UNION ALL
SELECT 'tracking-run' AS kind, run_id, 0 AS no, name, context, at
FROM tracking_inputs WHERE digest = ?
ORDER BY at DESC, kind, run_id, no, context LIMIT ?;

-- datasets_of_run --
-- What a flow run read itself, or its subflow runs when it is the outermost one, the first first.
SELECT digest, name, context, at FROM dataset_links WHERE run_id = ? AND no = 0 ORDER BY at, digest, context LIMIT ?;

-- data_names --
-- What data is called after a name, each name once by a jump in the index: number of versions (1,000 at most), the
-- newest of them, when it was last called so.
WITH RECURSIVE names (name) AS (
    SELECT (SELECT min(name) FROM dataset_names WHERE name > ?1)
    UNION ALL
    SELECT (SELECT min(m.name) FROM dataset_names AS m WHERE m.name > names.name) FROM names WHERE names.name IS NOT NULL
)
SELECT found.name, found.n, found.digest, d.source, d.n_rows, d.n_bytes, found.at
FROM (
    SELECT names.name AS name,
        (SELECT count(*) FROM (SELECT 1 FROM dataset_names AS m WHERE m.name = names.name LIMIT 1000) AS few) AS n,
        (SELECT m.digest FROM dataset_names AS m WHERE m.name = names.name ORDER BY m.at DESC, m.digest DESC LIMIT 1)
            AS digest,
        (SELECT max(m.at) FROM dataset_names AS m WHERE m.name = names.name) AS at
    FROM names WHERE names.name IS NOT NULL LIMIT ?2
) AS found LEFT JOIN datasets AS d ON d.digest = found.digest
ORDER BY found.name;

-- users --
-- The flow runs and tracking runs that used a version, with their names and their flow or experiment, newest first.
WITH used (kind, run_id, context, at) AS (
    SELECT * FROM (
        SELECT 'flow-run', run_id, context, at FROM dataset_links WHERE digest = ?1 AND no = 0
        ORDER BY at DESC, run_id, context LIMIT ?2
    ) AS flows
    UNION ALL
    SELECT * FROM (
        SELECT 'tracking-run', run_id, context, at FROM tracking_inputs WHERE digest = ?1
        ORDER BY at DESC, run_id, context LIMIT ?2
    ) AS tracked
    ORDER BY 4 DESC, 1, 2, 3 LIMIT ?2
)
SELECT used.kind, used.run_id, coalesce(r.name, t.name, ''), coalesce(r.flow, e.name, ''), used.context, used.at
FROM used
LEFT JOIN flow_runs AS r ON used.kind = 'flow-run' AND r.id = used.run_id
LEFT JOIN tracking_runs AS t ON used.kind = 'tracking-run' AND t.id = used.run_id
LEFT JOIN experiments AS e ON e.id = t.experiment_id
ORDER BY used.at DESC, used.kind, used.run_id, used.context;
