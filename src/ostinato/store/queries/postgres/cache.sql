-- claim_cached --
-- The right to compute a cache entry, for a number of milliseconds of the database's clock, unless another holds it.
INSERT INTO cache_claims (cache_key, stream, until)
VALUES (?1, ?2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + ?3)
ON CONFLICT (cache_key) DO UPDATE SET stream = excluded.stream, until = excluded.until
WHERE cache_claims.until <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
