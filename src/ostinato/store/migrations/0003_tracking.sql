-- Tracking: experiments, tracking runs with their parameters, metrics, tags and files.

-- Experiments; an id is digits in text.
CREATE TABLE experiments (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    artifact_root TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX experiments_by_name ON experiments (name);

-- Tags of experiments.
CREATE TABLE experiment_tags (
    experiment_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_id, key)
) WITHOUT ROWID;

-- Tracking runs.
CREATE TABLE tracking_runs (
    id TEXT NOT NULL PRIMARY KEY,
    experiment_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    flow_run_id TEXT NOT NULL,
    task_no INTEGER NOT NULL,
    task_key BLOB NOT NULL,
    parent_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX tracking_runs_by_experiment ON tracking_runs (experiment_id, state, started_at, id);
CREATE INDEX tracking_runs_by_flow_run ON tracking_runs (flow_run_id, task_no) WHERE flow_run_id <> '';
CREATE INDEX tracking_runs_by_parent ON tracking_runs (parent_id) WHERE parent_id <> '';

-- Parameters of tracking runs.
CREATE TABLE tracking_params (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- Tags of tracking runs.
CREATE TABLE tracking_tags (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- The newest value of each metric. `special` is 'nan', 'inf' or '-inf' where value, then 0, the largest or the least number, cannot be it.
CREATE TABLE tracking_metrics (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value REAL NOT NULL,
    special TEXT NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- All values of all metrics.
CREATE TABLE metric_points (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    special TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (run_id, key, step, at)
) WITHOUT ROWID;

-- Files of tracking runs, each a stored value.
CREATE TABLE tracking_files (
    run_id TEXT NOT NULL,
    path TEXT NOT NULL,
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
CREATE INDEX tracking_files_by_blob ON tracking_files (blob);

-- Versions of data that tracking runs used.
CREATE TABLE tracking_inputs (
    run_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    context TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, digest, context)
) WITHOUT ROWID;
CREATE INDEX tracking_inputs_by_digest ON tracking_inputs (digest);
