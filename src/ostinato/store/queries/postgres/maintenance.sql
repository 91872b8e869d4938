-- unused_blobs --
-- Of these blobs (a JSON array of digests) those that nothing refers to.
SELECT j.value FROM json_each(?) AS j
WHERE NOT EXISTS (SELECT 1 FROM blob_refs AS b WHERE b.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM cache AS c WHERE c.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM artifacts AS a WHERE a.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM checkpoints AS k WHERE k.blob = j.value)
  AND NOT EXISTS (SELECT 1 FROM tracking_files AS f WHERE f.blob = j.value)
  AND j.value NOT IN (
      SELECT convert_from(d.definition, 'UTF8')::json #>> '{code,revision}' FROM deployments AS d
      WHERE convert_from(d.definition, 'UTF8')::json #>> '{code,kind}' = 'snapshot'
  );

-- used_blobs --
-- All blobs that something refers to.
SELECT blob FROM blob_refs
UNION SELECT blob FROM cache WHERE blob <> ''
UNION SELECT blob FROM artifacts WHERE blob <> ''
UNION SELECT blob FROM checkpoints WHERE blob <> ''
UNION SELECT blob FROM tracking_files
UNION SELECT convert_from(definition, 'UTF8')::json #>> '{code,revision}' FROM deployments
WHERE convert_from(definition, 'UTF8')::json #>> '{code,kind}' = 'snapshot'
  AND convert_from(definition, 'UTF8')::json #>> '{code,location}' = '';

-- delete_old_blocks --
-- Some raw blocks older than an instant; the newest one stays, as it tells how far the feed is.
DELETE FROM blocks WHERE id = ANY (ARRAY(
    SELECT id FROM blocks WHERE at < ? AND id < (SELECT max(id) FROM blocks) ORDER BY at LIMIT ?
));

-- old_root_runs --
-- Some root runs that ended before an instant and are not pinned, as one JSON array, and their number.
SELECT coalesce(json_agg(id), '[]')::text, count(*) FROM (
    SELECT r.id FROM flow_runs AS r
    WHERE r.ended_at < ? AND r.root_id = r.id AND NOT EXISTS (SELECT 1 FROM pins AS p WHERE p.run_id = r.id)
    ORDER BY r.ended_at LIMIT ?
) AS old;

-- runs_below --
-- These root runs (a JSON array of ids) and all runs below them, as one JSON array.
SELECT coalesce(json_agg(id), '[]')::text FROM flow_runs WHERE root_id IN (SELECT value FROM json_each(?));

-- delete_expired_claims --
-- Claims whose lease is over.
DELETE FROM cache_claims WHERE until <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- count_old_blocks --
-- How many raw blocks are older than an instant, but for the newest one, which stays.
SELECT count(*) FROM blocks WHERE at < ? AND id < (SELECT max(id) FROM blocks);
