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

-- revive_experiment --
-- A deleted experiment is there again, since a tracking run begins in it.
UPDATE experiments SET state = 'active', updated_at = ? WHERE id = ? AND state <> 'active';

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
-- A tracking run has another status, end, name or state; NULL leaves it. An older epoch changes nothing.
UPDATE tracking_runs SET
    status = coalesce(?, status), ended_at = coalesce(?, ended_at), name = coalesce(?, name),
    state = coalesce(?, state), updated_at = ?
WHERE id = ? AND ? >= epoch;

-- end_runs_of --
-- Tracking runs of flow runs (a JSON array of ids) that ended badly and left them open.
UPDATE tracking_runs SET status = ?, ended_at = ?, updated_at = ?
WHERE flow_run_id IN (SELECT value FROM json_each(?)) AND flow_run_id <> '' AND status = 'running';

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
-- The newest value of each metric, by step and instant, as far as it stands: an older epoch's does not.
INSERT INTO tracking_metrics (run_id, key, value, special, step, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, key) DO UPDATE SET
    value = excluded.value, special = excluded.special, step = excluded.step, at = excluded.at
WHERE (excluded.step, excluded.at) >= (tracking_metrics.step, tracking_metrics.at) AND EXISTS (
    SELECT 1 FROM metric_points AS p
    WHERE p.run_id = excluded.run_id AND p.key = excluded.key AND p.step = excluded.step AND p.at = excluded.at
      AND p.value = excluded.value AND p.special = excluded.special
);

-- put_file --
-- A file of a tracking run.
INSERT INTO tracking_files (run_id, path, blob, size, media_type, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, path) DO UPDATE SET
    blob = excluded.blob, size = excluded.size, media_type = excluded.media_type, at = excluded.at;

-- delete_file --
-- A tracking run loses a file.
DELETE FROM tracking_files WHERE run_id = ? AND path = ?;

-- put_input --
-- A tracking run used a version of data; the first details that are said of it stand.
INSERT INTO tracking_inputs (run_id, digest, name, context, at, details) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, digest, context) DO UPDATE SET details = excluded.details
WHERE tracking_inputs.details = '{}';

-- change_runs_of_experiment --
-- The tracking runs of an experiment that is deleted or restored have its state.
UPDATE tracking_runs SET state = ?, updated_at = ? WHERE experiment_id = ?;

-- experiments --
-- Experiments in one of the states (a JSON array) after a name, by name.
SELECT id, name, state, artifact_root, created_at, updated_at FROM experiments
WHERE name > ? AND state IN (SELECT value FROM json_each(?))
ORDER BY name LIMIT ?;

-- experiment_tags --
-- Tags of experiments (a JSON array of ids).
SELECT experiment_id, key, value FROM experiment_tags
WHERE experiment_id IN (SELECT value FROM json_each(?)) ORDER BY experiment_id, key;

-- runs --
-- Tracking runs (a JSON array of ids).
SELECT id, experiment_id, name, status, state, actor, source, version, flow_run_id, task_no, parent_id, epoch,
    started_at, ended_at, created_at, updated_at
FROM tracking_runs WHERE id IN (SELECT value FROM json_each(?));

-- run_head --
-- State, epoch and begin of a tracking run.
SELECT state, epoch, started_at FROM tracking_runs WHERE id = ?;

-- newest_runs --
-- Tracking runs of an experiment that are in a state and began before one of them, the newest first.
SELECT id, started_at FROM tracking_runs
WHERE experiment_id = ? AND state = ? AND (started_at, id) < (?, ?)
ORDER BY started_at DESC, id DESC LIMIT ?;

-- runs_of_flow_run --
-- Tracking runs made in a flow run, in the order of their task runs.
SELECT id FROM tracking_runs WHERE flow_run_id = ? AND flow_run_id <> '' ORDER BY task_no, started_at, id LIMIT ?;

-- runs_by_prefix --
-- Tracking runs whose id begins so.
SELECT id FROM tracking_runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?;

-- run_by_name --
-- The newest tracking run of this name.
SELECT id FROM tracking_runs WHERE name = ? ORDER BY started_at DESC, id DESC LIMIT 1;

-- params --
-- Parameters of tracking runs (a JSON array of ids).
SELECT run_id, key, value FROM tracking_params
WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, key;

-- tags --
-- Tags of tracking runs (a JSON array of ids).
SELECT run_id, key, value FROM tracking_tags
WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, key;

-- metrics --
-- The newest values of the metrics of tracking runs (a JSON array of ids).
SELECT run_id, key, value, special, step, at FROM tracking_metrics
WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, key;

-- params_of_run --
-- Parameters of a tracking run among some (a JSON array of keys).
SELECT key, value FROM tracking_params WHERE run_id = ? AND key IN (SELECT value FROM json_each(?));

-- points --
-- Values of a metric after a step and instant, by step and instant.
SELECT step, at, value, special FROM metric_points
WHERE run_id = ? AND key = ? AND (step, at) > (?, ?)
ORDER BY step, at LIMIT ?;

-- odd_since --
-- The first step after the newest finite value of a metric.
SELECT min(p.step) FROM metric_points AS p
WHERE p.run_id = ? AND p.key = ? AND p.step > coalesce((
    SELECT q.step FROM metric_points AS q
    WHERE q.run_id = p.run_id AND q.key = p.key AND q.special = '' ORDER BY q.step DESC LIMIT 1
), ?);

-- files --
-- Files of a tracking run between two paths, by path.
SELECT path, blob, size, media_type, at FROM tracking_files
WHERE run_id = ? AND path > ? AND path < ? ORDER BY path LIMIT ?;

-- file --
-- A file of a tracking run.
SELECT path, blob, size, media_type, at FROM tracking_files WHERE run_id = ? AND path = ?;

-- inputs --
-- Versions of data that a tracking run used.
SELECT digest, name, context, at, details FROM tracking_inputs
WHERE run_id = ? ORDER BY name, digest, context LIMIT 1000;
