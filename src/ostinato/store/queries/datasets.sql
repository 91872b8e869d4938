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
