-- artifacts --
-- The artifacts of a flow run and of the runs below it, the oldest first.
WITH RECURSIVE below (id) AS (
    SELECT id FROM flow_runs WHERE id = ?
    UNION
    SELECT r.id FROM below JOIN flow_runs AS r ON r.parent_id = below.id AND r.parent_id <> ''
)
SELECT a.id, a.run_id, a.no, a.key, a.kind, a.description, a.at, a.data, a.blob, a.media_type
FROM artifacts AS a
WHERE a.run_id IN (SELECT id FROM below)
ORDER BY a.id;
