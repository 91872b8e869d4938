-- runs_below --
-- A flow run and runs below it, so many at most.
WITH RECURSIVE below (id) AS (
    SELECT id FROM flow_runs WHERE id = ?1
    UNION
    SELECT r.id FROM below JOIN flow_runs AS r ON r.parent_id = below.id AND r.parent_id <> ''
)
SELECT id FROM below LIMIT ?2;
