-- deployment_by_id --
-- One deployment.
SELECT definition FROM deployments WHERE id = ?;

-- deployment_by_name --
-- One deployment by the name of its flow and its own.
SELECT definition FROM deployments WHERE flow = ? AND name = ?;

-- deployments_named --
-- Deployments of this name, of whatever flow.
SELECT definition FROM deployments WHERE name = ? ORDER BY flow;

-- deployments --
-- All deployments.
SELECT definition FROM deployments ORDER BY flow, name;

-- queues --
-- All queues, in the order in which workers look at them.
SELECT definition FROM queues ORDER BY priority DESC, name;

-- queue --
-- One queue.
SELECT definition FROM queues WHERE name = ?;

-- limits --
-- All limits, with the slots that are taken at an instant.
SELECT l.name, l.slots,
    (SELECT coalesce(sum(t.n), 0) FROM taken_slots AS t WHERE t.name = l.name AND t.until > ?)
FROM limits AS l ORDER BY l.name;

-- workers --
-- All workers, the newest first, and how many runs each has under way: an ended one is held until that is reported.
SELECT id, info, joined_at, seen_at, lease_until, left_at, message, (
    SELECT count(*) FROM flow_runs AS r
    WHERE r.worker = workers.id AND r.held = 1
        AND r.state IN ('Pending', 'Running', 'Retrying', 'AwaitingRetry', 'Paused', 'Cancelling')
)
FROM workers ORDER BY left_at IS NOT NULL, joined_at DESC LIMIT ?;

-- waiting --
-- Runs of a queue that are due until an instant, the most urgent first, but for those of some deployments and those
-- with some tags (JSON arrays).
-- Each priority that occurs is looked at by itself, so that runs which are due later are never read.
WITH RECURSIVE priorities (priority) AS (
    SELECT max(priority) FROM flow_runs INDEXED BY flow_runs_waiting
    WHERE state IN ('Scheduled', 'Late') AND queue <> '' AND queue = ?1
    UNION ALL
    SELECT (
        SELECT max(n.priority) FROM flow_runs AS n INDEXED BY flow_runs_waiting
        WHERE n.state IN ('Scheduled', 'Late') AND n.queue <> '' AND n.queue = ?1 AND n.priority < p.priority
    )
    FROM priorities AS p WHERE p.priority IS NOT NULL
)
SELECT r.id, r.queue, r.deployment_id, r.tags, r.due_at, r.n_crashes, r.epoch, r.state
FROM priorities AS p JOIN flow_runs AS r ON r.id IN (
    SELECT w.id FROM flow_runs AS w INDEXED BY flow_runs_waiting
    WHERE w.state IN ('Scheduled', 'Late') AND w.queue <> '' AND w.queue = ?1 AND w.priority = p.priority
        AND w.due_at <= ?2 AND w.deployment_id NOT IN (SELECT value FROM json_each(?3))
        AND NOT EXISTS (
            SELECT 1 FROM flow_run_tags AS t WHERE t.run_id = w.id AND t.tag IN (SELECT value FROM json_each(?4))
        )
    ORDER BY w.due_at, w.id LIMIT ?5 + ?6
)
ORDER BY r.priority DESC, r.due_at, r.id LIMIT ?5 OFFSET ?6;

-- next_due --
-- When the next run of these queues (a JSON array) is due after an instant.
SELECT due_at FROM (
    SELECT min((
        SELECT r.due_at FROM flow_runs AS r INDEXED BY flow_runs_coming
        WHERE r.state IN ('Scheduled', 'Late') AND r.queue <> '' AND r.queue = q.value AND r.due_at > ?1
        ORDER BY r.due_at LIMIT 1
    )) AS due_at
    FROM json_each(?2) AS q
) AS soonest
WHERE due_at IS NOT NULL;

-- busy --
-- All runs in the hands of workers.
SELECT id, name, queue, deployment_id, tags FROM flow_runs INDEXED BY flow_runs_held WHERE held = 1 ORDER BY id;

-- held --
-- The runs in the hands of a worker.
SELECT id, epoch, state, asked, message, deployment_id, root_id, n_crashes
FROM flow_runs WHERE worker = ? AND held = 1 ORDER BY id;

-- run_work --
-- What the end of a process has to know of its run.
SELECT id, epoch, state, asked, message, deployment_id, root_id, n_crashes, worker, held
FROM flow_runs WHERE id = ?;

-- renew_lease --
-- A worker that the server knows lives.
UPDATE workers SET seen_at = ?1, lease_until = ?2 WHERE id = ?3 AND left_at IS NULL;

-- lost_workers --
-- Workers whose lease is over.
SELECT id, name, info FROM workers WHERE left_at IS NULL AND lease_until < ?;

-- extend_leases --
-- After a time without a server no worker could renew its lease: each gets a whole one, and a second to find the server.
UPDATE workers
SET lease_until = max(lease_until, ?1 + 1000000
    + CAST(json_extract(CAST(info AS TEXT), '$.lease_s') * 1000000 AS INTEGER))
WHERE left_at IS NULL;

-- renew_leases --
-- The clock was set: each worker has a whole lease by what it shows now.
UPDATE workers
SET lease_until = ?1 + CAST(json_extract(CAST(info AS TEXT), '$.lease_s') * 1000000 AS INTEGER)
WHERE left_at IS NULL;

-- move_slots --
-- The clock was set: taken slots stay taken for as long as before.
UPDATE taken_slots SET until = until + ?;

-- late --
-- Runs that should have begun before an instant.
SELECT id, epoch FROM flow_runs INDEXED BY flow_runs_due
WHERE state = 'Scheduled' AND queue <> '' AND due_at < ? AND held = 0 LIMIT 1000;

-- future_runs_of_schedule --
-- Runs that a schedule has made and that have not begun.
SELECT r.id FROM ticks AS t JOIN flow_runs AS r ON r.id = t.run_id
WHERE t.deployment_id = ? AND t.slug = ? AND t.due_at > ? AND r.state IN ('Scheduled', 'Late') AND r.held = 0;

-- waiting_runs_of_deployment --
-- Runs of a deployment that have not begun.
SELECT id FROM flow_runs
WHERE deployment_id = ? AND deployment_id <> '' AND state IN ('Scheduled', 'Late') AND held = 0;

-- waiting_in_queue --
-- How many runs wait in a queue.
SELECT count(*) FROM flow_runs INDEXED BY flow_runs_coming
WHERE state IN ('Scheduled', 'Late') AND queue <> '' AND queue = ?;

-- preview --
-- Runs that wait in a queue and are due until an instant, in that order.
SELECT * FROM flow_runs INDEXED BY flow_runs_coming
WHERE state IN ('Scheduled', 'Late') AND queue <> '' AND queue = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?;

-- run_of_key --
-- The run that was made with an idempotency key.
SELECT run_id FROM run_keys WHERE key = ?;

-- put_run_key --
-- A run was made with an idempotency key.
INSERT INTO run_keys (key, run_id, at) VALUES (?, ?, ?);

-- known_tick --
-- The run that a schedule has made for a due time.
SELECT run_id FROM ticks WHERE deployment_id = ? AND slug = ? AND due_at = ?;

-- planned_until --
-- How far a schedule is planned.
SELECT until FROM schedules WHERE deployment_id = ? AND slug = ?;

-- n_planned_ahead --
-- How many runs of a schedule have not begun.
SELECT count(*) FROM ticks AS t JOIN flow_runs AS r ON r.id = t.run_id
WHERE t.deployment_id = ? AND t.slug = ? AND t.due_at > ? AND r.state = 'Scheduled';

-- forget_schedule --
-- A schedule is planned anew.
DELETE FROM schedules WHERE deployment_id = ? AND slug = ?;

-- fact --
-- A fact of the servers of this home.
SELECT value FROM facts WHERE name = ?;

-- put_fact --
-- A fact of the servers of this home.
INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- slots_of --
-- The slots of a limit.
SELECT slots FROM limits WHERE name = ?;

-- slots_taken --
-- Slots of a limit that others have taken.
SELECT coalesce(sum(n), 0) FROM taken_slots WHERE name = ? AND holder <> ? AND until > ?;

-- holders --
-- Who has slots of limits at an instant, with the flow run that it belongs to.
SELECT name, n, until,
    coalesce((SELECT r.id FROM flow_runs AS r WHERE r.id = substr(holder, 1, 32)), ''),
    coalesce((SELECT r.name FROM flow_runs AS r WHERE r.id = substr(holder, 1, 32)), holder)
FROM taken_slots WHERE until > ? ORDER BY name, until, holder LIMIT ?;

-- take_slots --
-- Slots are taken, or their lease is renewed.
INSERT INTO taken_slots (name, holder, n, until) VALUES (?, ?, ?, ?)
ON CONFLICT (name, holder) DO UPDATE SET n = excluded.n, until = excluded.until;

-- give_slots --
-- Slots are given back.
DELETE FROM taken_slots WHERE name = ? AND holder = ?;

-- give_slots_of_run --
-- The process of a run has ended: what it has taken is free.
DELETE FROM taken_slots WHERE holder >= ?1 || '/' AND holder < ?1 || '0';

-- inputs --
-- What a run waited for.
SELECT key, asked_at, until, schema, given_at, value, actor FROM run_inputs WHERE run_id = ? ORDER BY asked_at, key;

-- worker_info --
-- What a worker told of itself, whether it is there or has left.
SELECT info FROM workers WHERE id = ?;

-- worker --
-- A worker that is there.
SELECT info FROM workers WHERE id = ? AND left_at IS NULL;

-- missed --
-- Runs of a schedule that came due between two instants and have not begun.
SELECT t.due_at, r.id, r.epoch, r.state
FROM ticks AS t JOIN flow_runs AS r ON r.id = t.run_id
WHERE t.deployment_id = ? AND t.slug = ? AND t.due_at > ? AND t.due_at <= ?
    AND r.state IN ('Scheduled', 'Late') AND r.held = 0
ORDER BY t.due_at;

-- tick_runs --
-- Runs of a deployment that were told an instant of a schedule, the earliest instant first.
SELECT * FROM flow_runs
WHERE deployment_id <> '' AND deployment_id = ? AND schedule = ? AND expected_at >= ? AND expected_at <= ?
ORDER BY expected_at, id LIMIT ?;

-- newest_tick_runs --
-- Runs of a deployment that were told an instant of a schedule, the latest instant first.
SELECT * FROM flow_runs
WHERE deployment_id <> '' AND deployment_id = ? AND schedule = ? AND expected_at >= ? AND expected_at <= ?
ORDER BY expected_at DESC, id DESC LIMIT ?;

-- waiting_counts --
-- Runs of each queue that wait for a worker: due at an instant, late, due later.
SELECT queue, count(*) FILTER (WHERE due_at <= ?1), count(*) FILTER (WHERE state = 'Late'),
    count(*) FILTER (WHERE due_at > ?1)
FROM flow_runs INDEXED BY flow_runs_coming WHERE state IN ('Scheduled', 'Late') AND queue <> '' GROUP BY queue;

-- running_counts --
-- Runs of each queue in the hands of workers.
SELECT queue, count(*) FROM flow_runs INDEXED BY flow_runs_held WHERE held = 1 GROUP BY queue;

-- given_early --
-- Runs of a deployment (and of one of its schedules) that a worker has and that are not due yet.
SELECT id, epoch, attempt FROM flow_runs INDEXED BY flow_runs_held
WHERE held = 1 AND deployment_id = ? AND state = 'Pending' AND due_at > ? AND (? = '' OR schedule = ?);

-- first_lease --
-- When the first lease of a worker will be over.
SELECT min(lease_until) FROM workers WHERE left_at IS NULL;
