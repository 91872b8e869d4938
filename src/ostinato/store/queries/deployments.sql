-- deployments_after --
-- Deployments by flow and name, after one of them.
SELECT definition FROM deployments WHERE (flow, name) > (?, ?) ORDER BY flow, name LIMIT ?;

-- newest_runs --
-- The newest runs of a deployment that have begun, or should have.
SELECT * FROM flow_runs WHERE deployment = ? AND deployment <> '' AND state <> 'Scheduled' ORDER BY id DESC LIMIT ?;
