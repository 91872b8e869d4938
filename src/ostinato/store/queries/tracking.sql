-- experiment --
-- One experiment.
SELECT id, name, state, artifact_root, created_at, updated_at FROM experiments WHERE id = ?;

-- experiment_named --
-- The experiment of this name.
SELECT id, name, state, artifact_root, created_at, updated_at FROM experiments WHERE name = ?;

-- add_experiment --
-- An experiment is made.
INSERT INTO experiments (id, name, state, artifact_root, created_at, updated_at) VALUES (?, ?, 'active', ?, ?, ?);

-- change_experiment --
-- An experiment has another name or state; NULL leaves it.
UPDATE experiments SET name = coalesce(?, name), state = coalesce(?, state), updated_at = ? WHERE id = ?;

-- put_experiment_tag --
-- A tag of an experiment.
INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value;

-- delete_experiment_tag --
-- An experiment loses a tag.
DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?;

-- put_run --
-- A tracking run begins; one that is there goes on.
INSERT INTO tracking_runs (
    id, experiment_id, name, status, state, actor, source, version, flow_run_id, task_no, task_key, parent_id, epoch,
    started_at, ended_at, created_at, updated_at
) VALUES (?, ?, ?, 'running', 'active', ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = 'running', epoch = excluded.epoch, task_no = excluded.task_no, ended_at = NULL,
    updated_at = excluded.updated_at
WHERE excluded.epoch >= tracking_runs.epoch;

-- change_run --
-- A tracking run has another status, end, name or state; NULL leaves it.
UPDATE tracking_runs SET
    status = coalesce(?, status), ended_at = coalesce(?, ended_at), name = coalesce(?, name),
    state = coalesce(?, state), updated_at = ?
WHERE id = ?;

-- touch_run --
-- Something of a tracking run changed.
UPDATE tracking_runs SET updated_at = ? WHERE id = ?;

-- add_params --
-- Parameters of tracking runs; the first value stands.
INSERT INTO tracking_params (run_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (run_id, key) DO NOTHING;

-- put_tags --
-- Tags of tracking runs.
INSERT INTO tracking_tags (run_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;

-- delete_tag --
-- A tracking run loses a tag.
DELETE FROM tracking_tags WHERE run_id = ? AND key = ?;

-- put_points --
-- Values of metrics; of two for the same step and instant that of the newer epoch stands.
INSERT INTO metric_points (run_id, key, step, at, value, special, epoch) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, key, step, at) DO UPDATE SET
    value = excluded.value, special = excluded.special, epoch = excluded.epoch
WHERE excluded.epoch >= metric_points.epoch;

-- put_latest --
-- The newest value of each metric, by step and instant.
INSERT INTO tracking_metrics (run_id, key, value, special, step, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, key) DO UPDATE SET
    value = excluded.value, special = excluded.special, step = excluded.step, at = excluded.at
WHERE (excluded.step, excluded.at) >= (tracking_metrics.step, tracking_metrics.at);

-- put_file --
-- A file of a tracking run.
INSERT INTO tracking_files (run_id, path, blob, size, media_type, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, path) DO UPDATE SET
    blob = excluded.blob, size = excluded.size, media_type = excluded.media_type, at = excluded.at;

-- delete_file --
-- A tracking run loses a file.
DELETE FROM tracking_files WHERE run_id = ? AND path = ?;

-- put_input --
-- A tracking run used a version of data.
INSERT INTO tracking_inputs (run_id, digest, name, context, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, digest, context) DO NOTHING;
