-- The tables of a home: all follow from the events in the blocks, but `blocks`, `pins` and what says so.
-- Instants are UTC microseconds. BLOB columns that hold msgpack are never filtered on.

-- One row for each writer: events up to acked_seq are in the database, none after it.
CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    acked_seq INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    started_at INTEGER NOT NULL
);

-- Events as they came, a block in one piece; id is the position in commit order.
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX blocks_by_stream ON blocks (stream, first_seq);
CREATE INDEX blocks_by_age ON blocks (at);

-- Flow runs, newest epoch.
CREATE TABLE flow_runs (
    id TEXT NOT NULL PRIMARY KEY,
    root_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    flow TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    stream TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expected_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    version TEXT NOT NULL,
    tags TEXT,
    key BLOB NOT NULL,
    upstream BLOB,
    parameters BLOB NOT NULL,
    arguments BLOB,
    source BLOB NOT NULL,
    result BLOB,
    error BLOB,
    n_reused INTEGER NOT NULL,
    n_logs_dropped INTEGER NOT NULL,
    deployment_id TEXT NOT NULL DEFAULT '',
    deployment TEXT NOT NULL DEFAULT '',
    queue TEXT NOT NULL DEFAULT '',
    priority INTEGER NOT NULL DEFAULT 0,
    schedule TEXT NOT NULL DEFAULT '',
    due_at INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '',
    held INTEGER NOT NULL DEFAULT 0,
    asked TEXT NOT NULL DEFAULT '',
    n_crashes INTEGER NOT NULL DEFAULT 0,
    actor TEXT NOT NULL DEFAULT ''
);
CREATE INDEX flow_runs_by_root ON flow_runs (root_id, id);
CREATE INDEX flow_runs_by_flow ON flow_runs (flow, id);
CREATE INDEX flow_runs_by_state ON flow_runs (state, id);
CREATE INDEX flow_runs_by_name ON flow_runs (name, id);
CREATE INDEX flow_runs_by_stream ON flow_runs (stream, state);
CREATE INDEX flow_runs_by_end ON flow_runs (ended_at);
CREATE INDEX flow_runs_by_parent ON flow_runs (parent_id, no) WHERE parent_id <> '';
CREATE INDEX flow_runs_roots ON flow_runs (id) WHERE parent_id = '';
CREATE INDEX flow_runs_active ON flow_runs (stream)
    WHERE state NOT IN ('Completed', 'Cached', 'Failed', 'TimedOut', 'Crashed', 'Cancelled', 'Skipped');
CREATE INDEX flow_runs_by_deployment ON flow_runs (deployment, id) WHERE deployment <> '';
CREATE INDEX flow_runs_by_tick ON flow_runs (deployment_id, schedule, expected_at, id) WHERE deployment_id <> '';
CREATE INDEX flow_runs_waiting ON flow_runs (queue, priority DESC, due_at, id) WHERE state IN ('Scheduled', 'Late') AND queue <> '';
CREATE INDEX flow_runs_coming ON flow_runs (queue, due_at, id, state)
    WHERE state IN ('Scheduled', 'Late') AND queue <> '';
CREATE INDEX flow_runs_due ON flow_runs (due_at, id) WHERE state = 'Scheduled' AND queue <> '';
CREATE INDEX flow_runs_held ON flow_runs (worker, id) WHERE held = 1;
CREATE INDEX flow_runs_paused ON flow_runs (id) WHERE state = 'Paused';

-- Tags of flow runs, for filters.
CREATE TABLE flow_run_tags (
    tag TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (tag, run_id)
) WITHOUT ROWID;
CREATE INDEX flow_run_tags_by_run ON flow_run_tags (run_id);

-- History of flow runs.
CREATE TABLE run_states (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    previous TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX run_states_by_run ON run_states (run_id, id);

-- Task runs, newest epoch.
CREATE TABLE task_runs (
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    task TEXT NOT NULL,
    name TEXT NOT NULL,
    map_group TEXT NOT NULL,
    key BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    parent_no INTEGER NOT NULL,
    upstream BLOB,
    version TEXT NOT NULL,
    tags TEXT,
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    n_started INTEGER NOT NULL,
    result BLOB,
    error BLOB,
    PRIMARY KEY (run_id, no)
) WITHOUT ROWID;

-- Roll-up counter: n task runs of one task (or one `.map`) of a flow run are in this state.
CREATE TABLE task_counts (
    run_id TEXT NOT NULL,
    task TEXT NOT NULL,
    map_group TEXT NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    first_no INTEGER NOT NULL,
    PRIMARY KEY (run_id, task, map_group, state)
) WITHOUT ROWID;

-- Roll-up counter: n flow runs made in this hour are in this state. Flow '' and hour 0 hold the sum of all.
CREATE TABLE flow_counts (
    flow TEXT NOT NULL,
    state TEXT NOT NULL,
    hour INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (flow, state, hour)
) WITHOUT ROWID;
CREATE INDEX flow_counts_by_hour ON flow_counts (hour, state);

-- Log lines; id grows in commit order and is never used twice.
CREATE TABLE logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    logger TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX logs_by_run ON logs (run_id, id);

-- Artifacts: markdown, table, link, image.
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    at INTEGER NOT NULL,
    data BLOB NOT NULL,
    blob TEXT NOT NULL,
    media_type TEXT NOT NULL
);
CREATE INDEX artifacts_by_run ON artifacts (run_id, id);
CREATE INDEX artifacts_by_key ON artifacts (key, id);
CREATE INDEX artifacts_by_blob ON artifacts (blob);

-- Variables; one that was unset stays as a row without value, so that an older setting cannot bring it back.
CREATE TABLE variables (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB,
    tags TEXT,
    updated_at INTEGER NOT NULL
);

-- The newest checkpoint of each task key.
CREATE TABLE checkpoints (
    run_id TEXT NOT NULL,
    key BLOB NOT NULL,
    version TEXT NOT NULL,
    at INTEGER NOT NULL,
    value BLOB NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;
CREATE INDEX checkpoints_by_blob ON checkpoints (blob);

-- Results by cache key; expires_at 0 means never.
CREATE TABLE cache (
    cache_key TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    result BLOB,
    blob TEXT NOT NULL
);
CREATE INDEX cache_by_blob ON cache (blob);
CREATE INDEX cache_by_expiry ON cache (expires_at);

-- Who computes a cache entry now; until is an instant of the database's clock.
CREATE TABLE cache_claims (
    cache_key TEXT NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    until INTEGER NOT NULL
);
CREATE INDEX cache_claims_by_stream ON cache_claims (stream);

-- Which runs need which stored values as results or arguments. A result whose row is gone was dropped.
CREATE TABLE blob_refs (
    run_id TEXT NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (run_id, blob)
) WITHOUT ROWID;
CREATE INDEX blob_refs_by_blob ON blob_refs (blob);

-- Root runs that retention leaves alone, and why.
CREATE TABLE pins (
    run_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run_id, reason)
) WITHOUT ROWID;

-- Due times for which a schedule has made its run: one run for each.
CREATE TABLE ticks (
    deployment_id TEXT NOT NULL,
    slug TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (deployment_id, slug, due_at)
) WITHOUT ROWID;
CREATE INDEX ticks_by_run ON ticks (run_id);

-- How far each schedule is planned: no run for a due time up to `until` is missing.
CREATE TABLE schedules (
    deployment_id TEXT NOT NULL,
    slug TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, slug)
) WITHOUT ROWID;

-- Deployments; the definition is JSON.
CREATE TABLE deployments (
    id TEXT NOT NULL PRIMARY KEY,
    flow TEXT NOT NULL,
    name TEXT NOT NULL,
    definition BLOB NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX deployments_by_name ON deployments (flow, name);

-- Queues; the definition is JSON.
CREATE TABLE queues (
    name TEXT NOT NULL PRIMARY KEY,
    priority INTEGER NOT NULL,
    definition BLOB NOT NULL
);

-- Limits: so many slots.
CREATE TABLE limits (
    name TEXT NOT NULL PRIMARY KEY,
    slots INTEGER NOT NULL
);

-- Slots that blocks of code have taken, under a lease. Not made by events: they are worth nothing after their lease.
CREATE TABLE taken_slots (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    n INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (name, holder)
) WITHOUT ROWID;

-- Workers. `seen_at` and `lease_until` are set by each poll, without an event.
CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    info BLOB NOT NULL,
    joined_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    left_at INTEGER,
    message TEXT NOT NULL
);
CREATE INDEX workers_by_lease ON workers (lease_until) WHERE left_at IS NULL;

-- Runs made by a command with an idempotency key.
CREATE TABLE run_keys (
    key TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX run_keys_by_run ON run_keys (run_id);

-- What runs waited for, and what they were given.
CREATE TABLE run_inputs (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    schema BLOB NOT NULL,
    given_at INTEGER,
    value BLOB,
    actor TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- Users.
CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- API keys, by the hash of their secret. `used_at` is set by the way, without an event.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    "user" TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    revoked_at INTEGER
);
CREATE INDEX api_keys_by_user ON api_keys ("user");

-- Secrets, encrypted; one that was unset stays as a row without value.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB,
    actor TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);

-- Who did what.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_age ON audit (at);

-- Facts of the servers of this home, such as when one was last alive.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);

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

-- Versions of data that tracking runs used; `details` is JSON.
CREATE TABLE tracking_inputs (
    run_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    context TEXT NOT NULL,
    at INTEGER NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, digest, context)
) WITHOUT ROWID;
CREATE INDEX tracking_inputs_by_digest ON tracking_inputs (digest);

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

-- Logged models that tracking runs used and made.
CREATE TABLE logged_model_links (
    run_id TEXT NOT NULL,
    role TEXT NOT NULL,
    model_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, role, model_id, step)
) WITHOUT ROWID;

-- Versions of data, named by the hash of their content; `fields` is JSON, `profile` msgpack.
CREATE TABLE datasets (
    digest TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    fields TEXT NOT NULL,
    n_rows INTEGER,
    n_bytes INTEGER NOT NULL,
    profile BLOB,
    created_at INTEGER NOT NULL
);
CREATE INDEX datasets_by_instant ON datasets (created_at, digest);

-- What versions of data are called, and when each was last called so.
CREATE TABLE dataset_names (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (name, digest)
) WITHOUT ROWID;
CREATE INDEX dataset_names_by_instant ON dataset_names (name, at, digest);

-- Versions of data that flow runs (no = 0) and task runs read; what tracking runs used is in tracking_inputs.
CREATE TABLE dataset_links (
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    context TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (digest, run_id, no, context)
) WITHOUT ROWID;
CREATE INDEX dataset_links_by_run ON dataset_links (run_id, no);

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

-- The newest values of metrics in their order.
CREATE INDEX tracking_metrics_by_value ON tracking_metrics (key, value);

-- Tracking runs of all experiments by their begin.
CREATE INDEX tracking_runs_by_start ON tracking_runs (state, started_at, id);

-- Parameters and tags of tracking runs by the beginning of their values: PostgreSQL takes no long ones into an index.
CREATE INDEX tracking_params_by_value ON tracking_params (key, substr(value, 1, 100));
CREATE INDEX tracking_tags_by_value ON tracking_tags (key, substr(value, 1, 100));

-- Who used a version of data, the newest first.
CREATE INDEX dataset_links_by_time ON dataset_links (digest, no, at);
CREATE INDEX tracking_inputs_by_time ON tracking_inputs (digest, at);
