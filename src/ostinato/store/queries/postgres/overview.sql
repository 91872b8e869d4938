-- counts_of_flows --
-- How many runs of some flows made since an hour are in each of some states (both are JSON arrays).
SELECT f.flow, s.state, c.n
FROM json_each(?1) AS f (flow), json_each(?3) AS s (state), LATERAL (
    SELECT sum(n::integer) AS n FROM flow_counts WHERE flow = f.flow AND state = s.state AND hour >= ?2
) AS c
WHERE c.n > 0;
