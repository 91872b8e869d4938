-- The registry: models, their versions, aliases, and what was checked before an alias moved.

-- Registered models; the policy is JSON, empty when nothing is gated.
CREATE TABLE models (
    name TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    policy TEXT NOT NULL,
    last_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- Versions of models; a number is never used twice.
CREATE TABLE model_versions (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    source TEXT NOT NULL,
    run_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    run_link TEXT NOT NULL,
    stage TEXT NOT NULL,
    actor TEXT NOT NULL,
    flow_run_id TEXT NOT NULL,
    task_no INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE INDEX model_versions_by_run ON model_versions (run_id) WHERE run_id <> '';
CREATE INDEX model_versions_by_flow_run ON model_versions (flow_run_id) WHERE flow_run_id <> '';
CREATE INDEX model_versions_by_stage ON model_versions (name, stage, version);

-- Tags of models, version 0, and of their versions.
CREATE TABLE model_tags (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name, version, key)
) WITHOUT ROWID;

-- Which version an alias means.
CREATE TABLE model_aliases (
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (name, alias)
) WITHOUT ROWID;

-- How aliases and stages moved; version 0 when one was taken away.
CREATE TABLE alias_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    how TEXT NOT NULL,
    actor TEXT NOT NULL,
    gate_run_id TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX alias_history_by_alias ON alias_history (name, alias, id);

-- What checks of a policy gave. `digest` names the check as it was defined, `champion` the version it was compared with.
CREATE TABLE gate_results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    alias TEXT NOT NULL,
    check_name TEXT NOT NULL,
    digest TEXT NOT NULL,
    passed INTEGER NOT NULL,
    detail TEXT NOT NULL,
    champion INTEGER NOT NULL,
    gate_run_id TEXT NOT NULL,
    actor TEXT NOT NULL
);
CREATE INDEX gate_results_by_version ON gate_results (name, version, alias, id);

-- Tracking runs that measure a version again, by NAME/VERSION.
CREATE INDEX tracking_tags_of_versions ON tracking_tags (value) WHERE key = 'ostinato.evaluates';
