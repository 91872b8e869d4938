-- newest_root_run --
-- The newest flow run that no other one called and that has begun or is due: of those made last the one due last.
-- An id begins with the millisecond in which it was made.
SELECT * FROM flow_runs WHERE id = (
    SELECT id FROM (
        SELECT id, due_at FROM flow_runs
        WHERE parent_id = '' AND NOT (state = 'Scheduled' AND due_at > ?) ORDER BY id DESC LIMIT 200
    ) AS newest
    ORDER BY greatest(id, lpad(to_hex(due_at / 1000), 12, '0') COLLATE "C") DESC LIMIT 1
);
