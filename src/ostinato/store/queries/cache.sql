-- cached --
-- The result under a cache key that is fresh at an instant.
SELECT result FROM cache WHERE cache_key = ? AND (expires_at = 0 OR expires_at > ?);

-- claim_cached --
-- The right to compute a cache entry, for a number of milliseconds of the database's clock, unless another holds it.
INSERT INTO cache_claims (cache_key, stream, until)
VALUES (?1, ?2, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) + ?3)
ON CONFLICT (cache_key) DO UPDATE SET stream = excluded.stream, until = excluded.until
WHERE cache_claims.until <= CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER);
