-- logs_after --
-- Log lines of flow runs (a JSON array of ids) after an id, in commit order; of each run no more than may be given.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM json_each(?1) AS j
JOIN logs AS l ON l.id IN (
    SELECT o.id FROM logs AS o WHERE o.run_id = j.value AND o.id > ?2 AND o.level >= ?3 ORDER BY o.id LIMIT ?4
)
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
ORDER BY l.id LIMIT ?4;

-- newest_logs --
-- The newest log lines of flow runs (a JSON array of ids) after an id, the newest first.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM json_each(?1) AS j
JOIN logs AS l ON l.id IN (
    SELECT o.id FROM logs AS o WHERE o.run_id = j.value AND o.id > ?2 AND o.level >= ?3 ORDER BY o.id DESC LIMIT ?4
)
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
ORDER BY l.id DESC LIMIT ?4;

-- lines_after --
-- Log lines of a flow run after an id and up to another one, of a level at least, of one task run unless that is -1.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM logs AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
WHERE l.run_id = ?1 AND l.id > ?2 AND l.id <= ?3 AND l.level >= ?4 AND (?5 < 0 OR l.no = ?5)
ORDER BY l.id LIMIT ?6;

-- lines_before --
-- Log lines of a flow run before an id and from another one on, chosen in the same way, the newest first.
SELECT l.id, l.run_id, l.no, coalesce(t.name, ''), l.at, l.level, l.logger, l.text
FROM logs AS l
LEFT JOIN task_runs AS t ON t.run_id = l.run_id AND t.no = l.no
WHERE l.run_id = ?1 AND l.id < ?2 AND l.id >= ?3 AND l.level >= ?4 AND (?5 < 0 OR l.no = ?5)
ORDER BY l.id DESC LIMIT ?6;

-- hits_before --
-- Ids of log lines before an id and from another one on whose text is like a pattern, chosen as above, the newest first.
SELECT id FROM logs
WHERE run_id = ?1 AND id < ?2 AND id >= ?3 AND level >= ?4 AND (?5 < 0 OR no = ?5) AND text LIKE ?6 ESCAPE '\'
ORDER BY id DESC LIMIT ?7;

-- hits_of_letters_before --
-- The same for a text in lower case with letters that LIKE does not know.
SELECT id FROM logs
WHERE run_id = ?1 AND id < ?2 AND id >= ?3 AND level >= ?4 AND (?5 < 0 OR no = ?5) AND instr(lower(text), ?6) > 0
ORDER BY id DESC LIMIT ?7;

-- look_ahead --
-- How many log lines follow an id, but for so many at most, and the last of them.
SELECT count(*), max(id) FROM (
    SELECT id FROM logs WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?
) AS q;

-- look_back --
-- How many log lines come before an id, but for so many at most, and the first of them.
SELECT count(*), min(id) FROM (
    SELECT id FROM logs WHERE run_id = ? AND id < ? ORDER BY id DESC LIMIT ?
) AS q;

-- span --
-- The first and the last log line of a flow run.
SELECT (SELECT min(id) FROM logs WHERE run_id = ?1), (SELECT max(id) FROM logs WHERE run_id = ?1);
