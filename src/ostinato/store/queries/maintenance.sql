-- unused_blobs --
-- Of these blobs (a JSON array of digests) those that nothing refers to.
SELECT j.value FROM json_each(?) AS j
WHERE NOT EXISTS (SELECT 1 FROM blob_refs AS b WHERE b.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM cache AS c WHERE c.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM artifacts AS a WHERE a.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM checkpoints AS k WHERE k.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM tracking_files AS f WHERE f.blob = j.value)
  AND j.value NOT IN (
      SELECT json_extract(CAST(d.definition AS TEXT), '$.code.revision') FROM deployments AS d
      WHERE json_extract(CAST(d.definition AS TEXT), '$.code.kind') = 'snapshot'
  );

-- used_blobs --
-- All blobs that something refers to.
SELECT blob FROM blob_refs
UNION SELECT blob FROM cache WHERE blob <> ''
UNION SELECT blob FROM artifacts WHERE blob <> ''
UNION SELECT blob FROM checkpoints WHERE blob <> ''
UNION SELECT blob FROM tracking_files
UNION SELECT json_extract(CAST(definition AS TEXT), '$.code.revision') FROM deployments
WHERE json_extract(CAST(definition AS TEXT), '$.code.kind') = 'snapshot'
  AND json_extract(CAST(definition AS TEXT), '$.code.location') = '';

-- count_old_blocks --
-- How many raw blocks are older than an instant.
SELECT count(*) FROM blocks WHERE at < ?;

-- delete_old_blocks --
-- Some raw blocks older than an instant.
DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE at < ? ORDER BY at LIMIT ?);

-- old_root_runs --
-- Some root runs that ended before an instant and are not pinned, as one JSON array, and their number.
SELECT json_group_array(id), count(*) FROM (
    SELECT r.id FROM flow_runs AS r
    WHERE r.ended_at < ? AND r.root_id = r.id AND NOT EXISTS (SELECT 1 FROM pins AS p WHERE p.run_id = r.id)
    ORDER BY r.ended_at LIMIT ?
) AS old;

-- runs_below --
-- These root runs (a JSON array of ids) and all runs below them, as one JSON array.
SELECT json_group_array(id) FROM flow_runs WHERE root_id IN (SELECT value FROM json_each(?));

-- uncount_runs --
-- Counters of flow runs (a JSON array of ids) that are deleted next.
WITH going (flow, state, hour) AS (
    SELECT flow, state, created_at / 3600000000 * 3600000000
    FROM flow_runs
    WHERE id IN (SELECT value FROM json_each(?))
)
INSERT INTO flow_counts (flow, state, hour, n)
SELECT flow, state, hour, -count(*) FROM going GROUP BY flow, state, hour
UNION ALL
SELECT '', state, 0, -count(*) FROM going WHERE true GROUP BY state
ON CONFLICT (flow, state, hour) DO UPDATE SET n = flow_counts.n + excluded.n;

-- delete_flow_runs --
-- Flow runs (a JSON array of ids).
DELETE FROM flow_runs WHERE id IN (SELECT value FROM json_each(?));

-- delete_run_tags --
-- Tags of flow runs (a JSON array of ids).
DELETE FROM flow_run_tags WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_run_states --
-- History of flow runs (a JSON array of ids).
DELETE FROM run_states WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_task_runs --
-- Task runs of flow runs (a JSON array of ids).
DELETE FROM task_runs WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_task_counts --
-- Counters of task runs of flow runs (a JSON array of ids).
DELETE FROM task_counts WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_logs --
-- Log lines of flow runs (a JSON array of ids).
DELETE FROM logs WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_artifacts --
-- Artifacts of flow runs (a JSON array of ids).
DELETE FROM artifacts WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_checkpoints --
-- Checkpoints of flow runs (a JSON array of ids).
DELETE FROM checkpoints WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_blob_refs --
-- What flow runs (a JSON array of ids) need of stored values.
DELETE FROM blob_refs WHERE run_id IN (SELECT value FROM json_each(?));

-- drop_refs_of_ended --
-- Stored values of ad-hoc root runs that ended well and are not pinned, since late events may have brought some back.
DELETE FROM blob_refs WHERE EXISTS (
    SELECT 1 FROM flow_runs AS r JOIN flow_runs AS root ON root.id = r.root_id
    WHERE r.id = blob_refs.run_id AND root.state = 'Completed'
      AND root.queue = '' AND NOT EXISTS (SELECT 1 FROM pins AS p WHERE p.run_id = root.id)
);

-- delete_expired_cache --
-- Cache entries that expired before an instant.
DELETE FROM cache WHERE expires_at > 0 AND expires_at < ?;

-- delete_expired_claims --
-- Claims whose lease is over.
DELETE FROM cache_claims WHERE until <= CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER);

-- delete_unset_variables --
-- Variables that were unset before an instant.
DELETE FROM variables WHERE value IS NULL AND updated_at < ?;

-- delete_streams --
-- Streams that nothing in the database came from any more and that have no journal (a JSON array of those that have).
DELETE FROM streams
WHERE started_at < ? AND stream NOT IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM blocks AS b WHERE b.stream = streams.stream)
  AND NOT EXISTS (SELECT 1 FROM flow_runs AS r WHERE r.stream = streams.stream);

-- wrong_task_counts --
-- Counters of task runs that differ from what is counted: run, task, group, state, counter, counted.
SELECT run_id, task, map_group, state, sum(counter), sum(counted) FROM (
    SELECT run_id, task, map_group, state, n AS counter, 0 AS counted FROM task_counts
    UNION ALL
    SELECT run_id, task, map_group, state, 0, count(*) FROM task_runs GROUP BY run_id, task, map_group, state
) AS sides
GROUP BY run_id, task, map_group, state
HAVING sum(counter) <> sum(counted)
LIMIT ?;

-- wrong_flow_counts --
-- Counters of flow runs that differ from what is counted: flow, state, hour, counter, counted.
SELECT flow, state, hour, sum(counter), sum(counted) FROM (
    SELECT flow, state, hour, n AS counter, 0 AS counted FROM flow_counts
    UNION ALL
    SELECT flow, state, created_at / 3600000000 * 3600000000, 0, count(*) FROM flow_runs GROUP BY 1, 2, 3
    UNION ALL
    SELECT '', state, 0, 0, count(*) FROM flow_runs GROUP BY state
) AS sides
GROUP BY flow, state, hour
HAVING sum(counter) <> sum(counted)
LIMIT ?;

-- broken_streams --
-- Streams whose blocks overlap, leave a gap, or do not end where the stream does: stream, seq before, next seq.
SELECT stream, last_seq, next_seq FROM (
    SELECT stream, last_seq, lead(first_seq) OVER (PARTITION BY stream ORDER BY first_seq) AS next_seq FROM blocks
) AS pairs
WHERE next_seq IS NOT NULL AND next_seq <> last_seq + 1
UNION ALL
SELECT s.stream, s.acked_seq, max(b.last_seq)
FROM streams AS s JOIN blocks AS b ON b.stream = s.stream
GROUP BY s.stream, s.acked_seq
HAVING max(b.last_seq) <> s.acked_seq
LIMIT ?;

-- table_counts --
-- How much the database holds: flow runs, task runs, blocks, the newest block.
SELECT
    (SELECT coalesce(sum(n), 0) FROM flow_counts WHERE flow = '' AND hour = 0),
    (SELECT coalesce(sum(n), 0) FROM task_counts),
    (SELECT count(*) FROM blocks);

-- acked_seqs --
-- How far each stream has been written.
SELECT stream, acked_seq FROM streams WHERE stream IN (SELECT value FROM json_each(?));

-- delete_run_datasets --
-- That flow runs (a JSON array of ids) read versions of data.
DELETE FROM dataset_links WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_run_inputs --
-- What flow runs (a JSON array of ids) waited for.
DELETE FROM run_inputs WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_run_keys --
-- Idempotency keys of flow runs (a JSON array of ids).
DELETE FROM run_keys WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_run_ticks --
-- Due times of flow runs (a JSON array of ids).
DELETE FROM ticks WHERE run_id IN (SELECT value FROM json_each(?));

-- delete_old_audit --
-- What was noted of who did what before an instant.
DELETE FROM audit WHERE at < ?;

-- delete_left_workers --
-- Workers that left before an instant and hold nothing.
DELETE FROM workers
WHERE left_at < ? AND NOT EXISTS (SELECT 1 FROM flow_runs AS r WHERE r.worker = workers.id AND r.held = 1);

-- delete_expired_slots --
-- Slots whose lease was over before an instant.
DELETE FROM taken_slots WHERE until < ?;

-- delete_empty_flow_counts --
-- Counters of flow runs that are back at nothing.
DELETE FROM flow_counts WHERE n = 0;
