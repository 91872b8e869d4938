-- extend_leases --
-- After a time without a server no worker could renew its lease: each gets a whole one, and a second to find the server.
UPDATE workers
SET lease_until = greatest(lease_until, ?1 + 1000000
    + ((convert_from(info, 'UTF8')::json ->> 'lease_s')::float8 * 1000000)::bigint)
WHERE left_at IS NULL;

-- renew_leases --
-- The clock was set: each worker has a whole lease by what it shows now.
UPDATE workers
SET lease_until = ?1 + ((convert_from(info, 'UTF8')::json ->> 'lease_s')::float8 * 1000000)::bigint
WHERE left_at IS NULL;
