-- variable --
-- One variable.
SELECT name, value, tags, updated_at FROM variables WHERE name = ? AND value IS NOT NULL;

-- variables --
-- All variables by name.
SELECT name, value, tags, updated_at FROM variables WHERE value IS NOT NULL ORDER BY name;

-- variables_after --
-- Variables by name, after one of them.
SELECT name, value, tags, updated_at FROM variables WHERE value IS NOT NULL AND name > ? ORDER BY name LIMIT ?;
