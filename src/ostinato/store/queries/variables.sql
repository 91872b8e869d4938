-- variable --
-- One variable.
SELECT name, value, tags, updated_at FROM variables WHERE name = ? AND value IS NOT NULL;

-- variables --
-- All variables by name.
SELECT name, value, tags, updated_at FROM variables WHERE value IS NOT NULL ORDER BY name;
