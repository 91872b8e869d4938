-- counts_of_flow --
-- How many runs of a flow made since an hour are in each of some states (a JSON array).
SELECT c.state, sum(c.n) FROM flow_counts AS c
WHERE c.flow = ?1 AND c.hour >= ?2 AND c.state IN (SELECT value FROM json_each(?3))
GROUP BY c.state HAVING sum(c.n) > 0;
