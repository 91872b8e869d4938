-- user --
-- One user.
SELECT name, role, disabled, created_at, updated_at FROM users WHERE name = ?;

-- users --
-- Users by name, after a name.
SELECT name, role, disabled, created_at, updated_at FROM users WHERE name > ? ORDER BY name LIMIT ?;

-- key --
-- One API key, without its hash.
SELECT id, "user", name, role, scopes, created_at, expires_at, coalesce(used_at, 0), revoked_at IS NOT NULL
FROM api_keys WHERE id = ?;

-- keys --
-- API keys by id, after an id.
SELECT id, "user", name, role, scopes, created_at, expires_at, coalesce(used_at, 0), revoked_at IS NOT NULL
FROM api_keys WHERE id > ? ORDER BY id LIMIT ?;

-- keys_of_user --
-- The API keys of a user by id, after an id.
SELECT id, "user", name, role, scopes, created_at, expires_at, coalesce(used_at, 0), revoked_at IS NOT NULL
FROM api_keys WHERE "user" = ? AND id > ? ORDER BY id LIMIT ?;

-- any_key --
-- Whether there is a key that may hold at this instant.
SELECT EXISTS (
    SELECT 1 FROM api_keys AS k JOIN users AS u ON u.name = k."user"
    WHERE k.revoked_at IS NULL AND (k.expires_at = 0 OR k.expires_at > ?) AND u.disabled = 0
);

-- hash_of_key --
-- What an event about a key that changes must repeat.
SELECT hash FROM api_keys WHERE id = ?;

-- known_key --
-- What the check of a key needs: the key with its user.
SELECT k.id, k."user", k.role, k.scopes, k.hash, k.expires_at, k.revoked_at IS NOT NULL, u.role, u.disabled
FROM api_keys AS k JOIN users AS u ON u.name = k."user" WHERE k.id = ?;

-- note_use --
-- A key was used; written when the last noted use is older than an instant.
UPDATE api_keys SET used_at = ? WHERE id = ? AND (used_at IS NULL OR used_at <= ?);

-- sealed --
-- The sealed value of a secret.
SELECT sealed FROM secrets WHERE name = ? AND sealed IS NOT NULL;

-- secrets --
-- What is told of secrets, by name, after a name.
SELECT name, updated_at, actor FROM secrets WHERE sealed IS NOT NULL AND name > ? ORDER BY name LIMIT ?;

-- audit --
-- Who did what, newest first, before an id.
SELECT id, at, actor, action, subject, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?;

-- run_ended_at --
-- When a flow run ended.
SELECT ended_at FROM flow_runs WHERE id = ?;
