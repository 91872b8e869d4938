-- put_tick --
-- A schedule has made its run for a due time.
INSERT INTO ticks (deployment_id, slug, due_at, run_id) VALUES (?, ?, ?, ?)
ON CONFLICT (deployment_id, slug, due_at) DO NOTHING;

-- put_schedule --
-- How far a schedule is planned.
INSERT INTO schedules (deployment_id, slug, until) VALUES (?, ?, ?)
ON CONFLICT (deployment_id, slug) DO UPDATE SET until = excluded.until;

-- put_deployment --
-- A deployment, new or changed.
INSERT INTO deployments (id, flow, name, definition, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    flow = excluded.flow, name = excluded.name, definition = excluded.definition, updated_at = excluded.updated_at;

-- delete_deployment --
-- A deployment is gone.
DELETE FROM deployments WHERE id = ?;

-- delete_schedules --
-- How far the schedules of a deployment are planned.
DELETE FROM schedules WHERE deployment_id = ?;

-- delete_ticks --
-- Due times of a deployment for which runs were made.
DELETE FROM ticks WHERE deployment_id = ?;

-- put_queue --
-- A queue, new or changed.
INSERT INTO queues (name, priority, definition) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET priority = excluded.priority, definition = excluded.definition;

-- delete_queue --
-- A queue is gone.
DELETE FROM queues WHERE name = ?;

-- put_limit --
-- A limit, new or changed.
INSERT INTO limits (name, slots) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET slots = excluded.slots;

-- delete_limit --
-- A limit is gone.
DELETE FROM limits WHERE name = ?;

-- put_worker --
-- A worker is there.
INSERT INTO workers (id, name, info, joined_at, seen_at, lease_until, left_at, message)
VALUES (?, ?, ?, ?, ?, ?, NULL, '')
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, info = excluded.info, seen_at = excluded.seen_at, lease_until = excluded.lease_until,
    left_at = NULL, message = '';

-- end_worker --
-- A worker is gone.
UPDATE workers SET left_at = ?, message = ? WHERE id = ? AND left_at IS NULL;

-- put_user --
-- A user, new or changed.
INSERT INTO users (name, role, disabled, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    role = excluded.role, disabled = excluded.disabled, updated_at = excluded.updated_at;

-- put_key --
-- An API key, made or revoked.
INSERT INTO api_keys (id, "user", name, role, scopes, hash, created_at, expires_at, used_at, revoked_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)
ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at;

-- put_secret --
-- A secret, set or unset.
INSERT INTO secrets (name, sealed, actor, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    sealed = excluded.sealed, actor = excluded.actor, updated_at = excluded.updated_at
WHERE excluded.updated_at >= secrets.updated_at;

-- add_audit --
-- Somebody did something.
INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?);

-- put_input --
-- A run waits for something; asked again in a later epoch, what was given stays.
INSERT INTO run_inputs (run_id, key, asked_at, until, schema, given_at, value, actor)
VALUES (?, ?, ?, ?, ?, NULL, NULL, '')
ON CONFLICT (run_id, key) DO UPDATE SET until = excluded.until, schema = excluded.schema;

-- give_input --
-- What a run waited for is there; the first answer stands.
UPDATE run_inputs SET given_at = ?, value = ?, actor = ? WHERE run_id = ? AND key = ? AND given_at IS NULL;
