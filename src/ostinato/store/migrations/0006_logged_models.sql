-- Logged models: folders with a model, each kept with the tracking run that made it.

-- Logged models; their files are rows of tracking_files under their id. Signature and requirements are JSON.
CREATE TABLE logged_models (
    id TEXT NOT NULL PRIMARY KEY,
    experiment_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    actor TEXT NOT NULL,
    model_type TEXT NOT NULL,
    flavor TEXT NOT NULL,
    signature BLOB NOT NULL,
    requirements TEXT NOT NULL,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX logged_models_by_experiment ON logged_models (experiment_id, state, created_at, id);
CREATE INDEX logged_models_by_run ON logged_models (run_id, name, created_at) WHERE run_id <> '';

-- Parameters of logged models.
CREATE TABLE logged_model_params (
    model_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (model_id, key)
) WITHOUT ROWID;

-- Tags of logged models.
CREATE TABLE logged_model_tags (
    model_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (model_id, key)
) WITHOUT ROWID;

-- The newest value of each metric of a logged model, for each run and version of data. `special` as in tracking_metrics.
CREATE TABLE logged_model_metrics (
    model_id TEXT NOT NULL,
    key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    dataset TEXT NOT NULL,
    value REAL NOT NULL,
    special TEXT NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (model_id, key, run_id, digest)
) WITHOUT ROWID;
