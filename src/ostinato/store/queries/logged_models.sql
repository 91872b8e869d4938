-- put_model --
-- A model is logged, in the experiment of its tracking run when none is named.
INSERT INTO logged_models (
    id, experiment_id, run_id, name, status, state, actor, model_type, flavor, signature, requirements, size,
    created_at, updated_at
) VALUES (
    ?1, coalesce(nullif(?2, ''), (SELECT r.experiment_id FROM tracking_runs AS r WHERE r.id = ?3), '0'), ?3, ?4, ?5,
    'active', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12
)
ON CONFLICT (id) DO NOTHING;

-- change_model --
-- A logged model has another status or state; NULL leaves it.
UPDATE logged_models SET status = coalesce(?, status), state = coalesce(?, state), updated_at = ? WHERE id = ?;

-- describe_model --
-- The files of a logged model say what it is.
UPDATE logged_models SET flavor = ?, signature = ?, requirements = ?, size = ?, updated_at = ? WHERE id = ?;

-- touch_model --
-- Something of a logged model changed.
UPDATE logged_models SET updated_at = ? WHERE id = ?;

-- add_param --
-- A parameter of a logged model; the first value stands.
INSERT INTO logged_model_params (model_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (model_id, key) DO NOTHING;

-- put_tag --
-- A tag of a logged model.
INSERT INTO logged_model_tags (model_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value;

-- delete_tag --
-- A logged model loses a tag.
DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?;

-- put_metric --
-- The newest value of a metric of a logged model, by step and instant.
INSERT INTO logged_model_metrics (model_id, key, run_id, digest, dataset, value, special, step, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (model_id, key, run_id, digest) DO UPDATE SET
    dataset = excluded.dataset, value = excluded.value, special = excluded.special, step = excluded.step,
    at = excluded.at
WHERE (excluded.step, excluded.at) >= (logged_model_metrics.step, logged_model_metrics.at);

-- models --
-- Logged models by a JSON array of ids.
SELECT
    id, experiment_id, run_id, name, status, state, actor, model_type, flavor, signature, requirements, size,
    created_at, updated_at
FROM logged_models WHERE id IN (SELECT value FROM json_each(?));

-- params --
-- Parameters of logged models, by a JSON array of ids.
SELECT model_id, key, value FROM logged_model_params WHERE model_id IN (SELECT value FROM json_each(?));

-- tags --
-- Tags of logged models, by a JSON array of ids.
SELECT model_id, key, value FROM logged_model_tags WHERE model_id IN (SELECT value FROM json_each(?));

-- metrics --
-- Newest values of metrics of logged models, by a JSON array of ids.
SELECT model_id, key, value, special, step, at, run_id, dataset, digest
FROM logged_model_metrics WHERE model_id IN (SELECT value FROM json_each(?)) ORDER BY model_id, key, at;

-- models_of_run --
-- Logged models of a tracking run that are not deleted, the newest first; of one name unless it is empty.
SELECT id FROM logged_models
WHERE run_id = ? AND (name = ? OR ? = '') AND run_id <> '' AND state = 'active'
ORDER BY created_at DESC, id DESC LIMIT ?;

-- put_link --
-- A tracking run used a logged model, or made it at a step.
INSERT INTO logged_model_links (run_id, role, model_id, step, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, role, model_id, step) DO NOTHING;

-- links_of_run --
-- Logged models that a tracking run used and made, by their steps.
SELECT model_id, role, step FROM logged_model_links WHERE run_id = ? ORDER BY role, step, at, model_id LIMIT 1000;
