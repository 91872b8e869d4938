-- logs_after --
-- Log lines of flow runs (a JSON array of ids) after an id, in commit order.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM logs AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
WHERE l.run_id IN (SELECT value FROM json_each(?)) AND l.id > ? AND l.level >= ?
ORDER BY l.id LIMIT ?;

-- newest_logs --
-- The newest log lines of flow runs (a JSON array of ids) after an id, the newest first.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM logs AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
WHERE l.run_id IN (SELECT value FROM json_each(?)) AND l.id > ? AND l.level >= ?
ORDER BY l.id DESC LIMIT ?;
