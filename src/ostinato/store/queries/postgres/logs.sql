-- logs_after --
-- Log lines of flow runs (a JSON array of ids) after an id, in commit order; of each run no more than may be given.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM json_each(?1) AS j, LATERAL (
    SELECT * FROM logs AS o WHERE o.run_id = j.value AND o.id > ?2 AND o.level >= ?3 ORDER BY o.id LIMIT ?4
) AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
ORDER BY l.id LIMIT ?4;

-- newest_logs --
-- The newest log lines of flow runs (a JSON array of ids) after an id, the newest first.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM json_each(?1) AS j, LATERAL (
    SELECT * FROM logs AS o WHERE o.run_id = j.value AND o.id > ?2 AND o.level >= ?3 ORDER BY o.id DESC LIMIT ?4
) AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
ORDER BY l.id DESC LIMIT ?4;
