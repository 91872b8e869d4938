-- model --
-- One registered model.
SELECT name, description, policy, last_version, actor, created_at, updated_at FROM models WHERE name = ?;

-- models --
-- Registered models by name, after a name.
SELECT name, description, policy, last_version, actor, created_at, updated_at
FROM models WHERE name > ? ORDER BY name LIMIT ?;

-- some_models --
-- Registered models of these names (a JSON array).
SELECT name, description, policy, last_version, actor, created_at, updated_at
FROM models WHERE name IN (SELECT value FROM json_each(?));

-- tags --
-- Tags of models (a JSON array of names).
SELECT name, key, value FROM model_tags
WHERE name IN (SELECT value FROM json_each(?)) AND version = 0 ORDER BY name, key;

-- aliases --
-- Aliases of models (a JSON array of names).
SELECT name, alias, version FROM model_aliases
WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name, alias;

-- alias --
-- The version that an alias means.
SELECT version FROM model_aliases WHERE name = ? AND alias = ?;

-- last_holder --
-- The version that an alias meant last, of those that are still there.
SELECT h.version FROM alias_history AS h JOIN model_versions AS v ON v.name = h.name AND v.version = h.version
WHERE h.name = ? AND h.alias = ? ORDER BY h.id DESC LIMIT 1;

-- version --
-- One version of a model.
SELECT name, version, description, source, run_id, model_id, run_link, stage, actor, flow_run_id, task_no,
    created_at, updated_at
FROM model_versions WHERE name = ? AND version = ?;

-- versions --
-- Versions of a model before a number, newest first.
SELECT name, version, description, source, run_id, model_id, run_link, stage, actor, flow_run_id, task_no,
    created_at, updated_at
FROM model_versions WHERE name = ? AND version < ? ORDER BY version DESC LIMIT ?;

-- some_versions --
-- Versions of models (a JSON array of NUMBER/NAME).
SELECT v.name, v.version, v.description, v.source, v.run_id, v.model_id, v.run_link, v.stage, v.actor, v.flow_run_id,
    v.task_no, v.created_at, v.updated_at
FROM json_each(?) AS k CROSS JOIN model_versions AS v ON v.name = substr(k.value, instr(k.value, '/') + 1)
    AND v.version = CAST(substr(k.value, 1, instr(k.value, '/') - 1) AS INTEGER);

-- versions_of_run --
-- Versions that a tracking run made.
SELECT name, version, description, source, run_id, model_id, run_link, stage, actor, flow_run_id, task_no,
    created_at, updated_at
FROM model_versions WHERE run_id = ? AND run_id <> '' ORDER BY name, version LIMIT ?;

-- version_of_call --
-- The version that a flow run, or one of its task runs, has registered from a source.
SELECT version FROM model_versions
WHERE flow_run_id = ? AND flow_run_id <> '' AND task_no = ? AND name = ? AND source = ? ORDER BY version LIMIT 1;

-- newest_of_stages --
-- The highest version of a model in each stage.
SELECT stage, max(version) FROM model_versions WHERE name = ? GROUP BY stage;

-- signature --
-- The signature of the logged model that a version is: by its id, else by tracking run and name.
SELECT signature FROM logged_models
WHERE id = ? OR (? = '' AND run_id = ? AND run_id <> '' AND name = ?)
ORDER BY created_at DESC LIMIT 1;

-- newest_in_stage --
-- The highest version of a model in a stage, but for one version.
SELECT max(version) FROM model_versions WHERE name = ? AND stage = ? AND version <> ?;

-- in_stage --
-- Versions of a model in a stage, but for one version.
SELECT version FROM model_versions WHERE name = ? AND stage = ? AND version <> ? ORDER BY version;

-- version_tags --
-- Tags of versions of models (a JSON array of NUMBER/NAME).
SELECT t.name, t.version, t.key, t.value
FROM json_each(?) AS k CROSS JOIN model_tags AS t ON t.name = substr(k.value, instr(k.value, '/') + 1)
    AND t.version = CAST(substr(k.value, 1, instr(k.value, '/') - 1) AS INTEGER)
ORDER BY t.name, t.version, t.key;

-- aliases_of_versions --
-- Aliases of versions of models (a JSON array of NUMBER/NAME).
SELECT a.name, a.version, a.alias
FROM json_each(?) AS k CROSS JOIN model_aliases AS a ON a.name = substr(k.value, instr(k.value, '/') + 1)
    AND a.version = CAST(substr(k.value, 1, instr(k.value, '/') - 1) AS INTEGER)
ORDER BY a.name, a.version, a.alias;

-- add_model --
-- A model is made.
INSERT INTO models (name, description, policy, last_version, actor, created_at, updated_at)
VALUES (?, coalesce(?, ''), coalesce(?, ''), 0, ?, ?, ?)
ON CONFLICT (name) DO NOTHING;

-- change_model --
-- A model has another description or policy; NULL leaves it.
UPDATE models SET description = coalesce(?, description), policy = coalesce(?, policy), updated_at = ? WHERE name = ?;

-- touch_model --
-- Something of a model changed.
UPDATE models SET updated_at = ? WHERE name = ?;

-- delete_model --
-- A model is gone.
DELETE FROM models WHERE name = ?;

-- delete_versions --
-- The versions of a model are gone.
DELETE FROM model_versions WHERE name = ?;

-- delete_tags --
-- The tags of a model and its versions are gone.
DELETE FROM model_tags WHERE name = ?;

-- delete_aliases --
-- The aliases of a model are gone.
DELETE FROM model_aliases WHERE name = ?;

-- delete_history --
-- The history of the aliases of a model is gone.
DELETE FROM alias_history WHERE name = ?;

-- delete_results --
-- The results of checks of a model are gone.
DELETE FROM gate_results WHERE name = ?;

-- rename_model --
-- A model has another name.
UPDATE models SET name = ?, updated_at = ? WHERE name = ?;

-- rename_versions --
-- The versions of a model have its other name.
UPDATE model_versions SET name = ? WHERE name = ?;

-- rename_tags --
-- The tags of a model have its other name.
UPDATE model_tags SET name = ? WHERE name = ?;

-- rename_aliases --
-- The aliases of a model have its other name.
UPDATE model_aliases SET name = ? WHERE name = ?;

-- rename_history --
-- The history of the aliases of a model has its other name.
UPDATE alias_history SET name = ? WHERE name = ?;

-- rename_results --
-- The results of checks of a model have its other name.
UPDATE gate_results SET name = ? WHERE name = ?;

-- put_tag --
-- A tag of a model or a version.
INSERT INTO model_tags (name, version, key, value) VALUES (?, ?, ?, ?)
ON CONFLICT (name, version, key) DO UPDATE SET value = excluded.value;

-- delete_tag --
-- A model or a version loses a tag.
DELETE FROM model_tags WHERE name = ? AND version = ? AND key = ?;

-- add_version --
-- A version is registered.
INSERT INTO model_versions (
    name, version, description, source, run_id, model_id, run_link, stage, actor, flow_run_id, task_no, created_at,
    updated_at
) VALUES (?, ?, ?, ?, ?, ?, ?, 'None', ?, ?, ?, ?, ?)
ON CONFLICT (name, version) DO NOTHING;

-- count_version --
-- The highest number that a model has given.
UPDATE models SET last_version = ?, updated_at = ? WHERE name = ?;

-- describe_version --
-- A version has another description.
UPDATE model_versions SET description = ?, updated_at = ? WHERE name = ? AND version = ?;

-- stage_version --
-- A version has another stage.
UPDATE model_versions SET stage = ?, updated_at = ? WHERE name = ? AND version = ?;

-- touch_version --
-- Something of a version changed.
UPDATE model_versions SET updated_at = ? WHERE name = ? AND version = ?;

-- delete_version --
-- A version is gone.
DELETE FROM model_versions WHERE name = ? AND version = ?;

-- delete_version_tags --
-- The tags of a version are gone.
DELETE FROM model_tags WHERE name = ? AND version = ?;

-- delete_version_results --
-- The results of checks of a version are gone.
DELETE FROM gate_results WHERE name = ? AND version = ?;

-- put_alias --
-- An alias means a version.
INSERT INTO model_aliases (name, alias, version) VALUES (?, ?, ?)
ON CONFLICT (name, alias) DO UPDATE SET version = excluded.version;

-- delete_alias --
-- An alias means nothing any more.
DELETE FROM model_aliases WHERE name = ? AND alias = ?;

-- add_step --
-- How an alias moved.
INSERT INTO alias_history (at, name, alias, version, previous, how, actor, gate_run_id, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- steps --
-- How the aliases of a model moved, newest first, before an id.
SELECT id, at, name, alias, version, previous, how, actor, gate_run_id, reason
FROM alias_history WHERE name = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- steps_of_alias --
-- How one alias moved, newest first, before an id.
SELECT id, at, name, alias, version, previous, how, actor, gate_run_id, reason
FROM alias_history WHERE name = ? AND alias = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- add_result --
-- What a check gave.
INSERT INTO gate_results (
    at, name, version, alias, check_name, digest, passed, detail, champion, gate_run_id, actor
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- results --
-- What checks of a version gave, newest first, before an id.
SELECT id, at, name, version, alias, check_name AS "check", digest, passed, detail, champion, gate_run_id, actor
FROM gate_results WHERE name = ? AND version = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- newest_gate_run --
-- The flow run that checked a version for an alias last.
SELECT gate_run_id FROM gate_results WHERE name = ? AND version = ? AND alias = ? ORDER BY id DESC LIMIT 1;

-- results_of_run --
-- What the checks of one flow run gave for a version and an alias, oldest first.
SELECT id, at, name, version, alias, check_name AS "check", digest, passed, detail, champion, gate_run_id, actor
FROM gate_results WHERE name = ? AND version = ? AND alias = ? AND gate_run_id = ? ORDER BY id LIMIT ?;

-- results_of_runs --
-- What checks gave for versions of a model (a JSON array of numbers) in flow runs (a JSON array of ids), newest first.
SELECT id, at, name, version, alias, check_name AS "check", digest, passed, detail, champion, gate_run_id, actor
FROM gate_results
WHERE name = ? AND version IN (SELECT CAST(value AS INTEGER) FROM json_each(?))
    AND gate_run_id IN (SELECT value FROM json_each(?))
ORDER BY id DESC LIMIT ?;

-- pin_tracking_run --
-- The root run in which a tracking run was made is kept.
INSERT INTO pins (run_id, reason)
SELECT r.root_id, ? FROM tracking_runs AS t JOIN flow_runs AS r ON r.id = t.flow_run_id WHERE t.id = ?
ON CONFLICT (run_id, reason) DO NOTHING;

-- pin_flow_run --
-- The root run of a flow run is kept.
INSERT INTO pins (run_id, reason)
SELECT r.root_id, ? FROM flow_runs AS r WHERE r.id = ?
ON CONFLICT (run_id, reason) DO NOTHING;

-- unpin --
-- Runs are not kept for this reason any more.
DELETE FROM pins WHERE reason = ?;

-- unpin_model --
-- What the versions of a model come from is not kept for them any more.
DELETE FROM pins WHERE reason IN (SELECT 'model:' || name || '/' || version FROM model_versions WHERE name = ?);

-- pin_model --
-- What the versions of a model come from is kept: where they were trained, registered and checked.
INSERT INTO pins (run_id, reason)
SELECT r.root_id, 'model:' || v.name || '/' || v.version
FROM model_versions AS v JOIN tracking_runs AS t ON t.id = v.run_id JOIN flow_runs AS r ON r.id = t.flow_run_id
WHERE v.name = ?
UNION SELECT r.root_id, 'model:' || v.name || '/' || v.version
FROM model_versions AS v JOIN flow_runs AS r ON r.id = v.flow_run_id
WHERE v.name = ?
UNION SELECT r.root_id, 'model:' || g.name || '/' || g.version
FROM gate_results AS g JOIN flow_runs AS r ON r.id = g.gate_run_id
WHERE g.name = ?
ON CONFLICT (run_id, reason) DO NOTHING;

-- root_of --
-- The root run of a flow run, and the key of the flow run in it.
SELECT root_id, key FROM flow_runs WHERE id = ?;

-- answer --
-- What a root run was given by a person for a key, and by whom.
SELECT value, actor FROM run_inputs WHERE run_id = ? AND key = ? AND given_at IS NOT NULL;

-- metric --
-- The newest value of a metric of a tracking run that is not deleted, else of a logged model.
SELECT value, special FROM (
    SELECT m.value, m.special, 0 AS place, m.step, m.at
    FROM tracking_metrics AS m JOIN tracking_runs AS t ON t.id = m.run_id AND t.state = 'active'
    WHERE m.run_id = ? AND m.key = ?
    UNION ALL
    SELECT m.value, m.special, 1 AS place, m.step, m.at
    FROM logged_model_metrics AS m WHERE m.model_id = ? AND m.key = ?
) AS found
ORDER BY place, step DESC, at DESC LIMIT 1;

-- measured_model --
-- Values of a metric of a logged model with the data that each was measured on, newest first.
SELECT run_id, value, special, digest FROM logged_model_metrics
WHERE model_id = ? AND key = ? AND digest <> '' ORDER BY at DESC, run_id, digest LIMIT ?;

-- measured --
-- Values of a metric of a version: of the tracking run that made it, then of those that measured it again, newest first.
SELECT t.id, m.value, m.special
FROM tracking_runs AS t JOIN tracking_metrics AS m ON m.run_id = t.id AND m.key = ?
WHERE t.state = 'active' AND (
    t.id = ? OR t.id IN (SELECT run_id FROM tracking_tags WHERE key = 'ostinato.evaluates' AND value = ?)
)
ORDER BY CASE WHEN t.id = ? THEN 0 ELSE 1 END, t.started_at DESC, t.id LIMIT ?;

-- data_of_run --
-- Versions of data that a tracking run used, by context; what was trained on only when it is named.
SELECT digest FROM tracking_inputs
WHERE run_id = ? AND (context = ? OR (? = '' AND context NOT IN ('training', 'train')));

-- data_around_run --
-- Versions of data that the root run of a tracking run read, by context as above.
SELECT DISTINCT l.digest
FROM tracking_runs AS t JOIN flow_runs AS r ON r.id = t.flow_run_id
JOIN dataset_links AS l ON l.run_id = r.root_id AND l.no = 0
WHERE t.id = ? AND (l.context = ? OR (? = '' AND l.context NOT IN ('training', 'train')));

-- tracking_run --
-- Where a tracking run was made: name, experiment, code, flow run, task run, the tracking run around it.
SELECT t.name, t.experiment_id, e.name, t.version, t.source, t.flow_run_id, t.task_no, t.parent_id
FROM tracking_runs AS t JOIN experiments AS e ON e.id = t.experiment_id WHERE t.id = ?;

-- flow_run --
-- A flow run: name, flow, its root run, code version.
SELECT name, flow, root_id, version FROM flow_runs WHERE id = ?;

-- task_run --
-- A task run: name and code version.
SELECT name, version FROM task_runs WHERE run_id = ? AND no = ?;

-- data_of_tracking_runs --
-- Versions of data that tracking runs (a JSON array of ids) used.
SELECT digest, name, context, run_id FROM tracking_inputs
WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY at, digest, context LIMIT ?;

-- data_of_flow_run --
-- Versions of data that a root run and its subflow runs read.
SELECT DISTINCT digest, name, context, run_id FROM dataset_links
WHERE run_id = ? AND no = 0 ORDER BY digest, context LIMIT ?;

-- input --
-- Whether a tracking run used a version of data.
SELECT 1 FROM tracking_inputs WHERE digest = ? LIMIT 1;

-- versions_from_inputs --
-- Versions of models whose tracking run, or the one around it, used a version of data: name, version, stage, run, what for.
SELECT v.name, v.version, v.stage, v.run_id, i.context
FROM tracking_inputs AS i JOIN model_versions AS v ON v.run_id = i.run_id AND v.run_id <> ''
WHERE i.digest = ?
UNION
SELECT v.name, v.version, v.stage, v.run_id, i.context
FROM tracking_inputs AS i JOIN tracking_runs AS t ON t.parent_id = i.run_id AND t.parent_id <> ''
JOIN model_versions AS v ON v.run_id = t.id AND v.run_id <> ''
WHERE i.digest = ?
ORDER BY 1, 2, 5 LIMIT ?;

-- versions_from_flow_runs --
-- Versions of models made or registered in a root run that read a version of data: name, version, stage, run, what for.
WITH below (id, context) AS MATERIALIZED (
    SELECT r.id, l.context FROM dataset_links AS l JOIN flow_runs AS r ON r.root_id = l.run_id
    WHERE l.digest = ? AND l.no = 0
)
SELECT v.name, v.version, v.stage, v.run_id, below.context
FROM below JOIN tracking_runs AS t ON t.flow_run_id = below.id AND t.flow_run_id <> ''
JOIN model_versions AS v ON v.run_id = t.id AND v.run_id <> ''
UNION
SELECT v.name, v.version, v.stage, v.run_id, below.context
FROM below JOIN model_versions AS v ON v.flow_run_id = below.id AND v.flow_run_id <> ''
ORDER BY 1, 2, 5 LIMIT ?;
