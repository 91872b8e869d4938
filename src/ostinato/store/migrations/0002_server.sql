-- Server: deployments, schedules, queues, workers, access.
ALTER TABLE flow_runs ADD COLUMN deployment_id TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN deployment TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_runs ADD COLUMN schedule TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_runs ADD COLUMN worker TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_runs ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE flow_runs ADD COLUMN n_crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_runs ADD COLUMN actor TEXT NOT NULL DEFAULT '';
DROP INDEX flow_runs_by_parent;
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
