-- Lists of the tracking runs of all experiments, the newest first.
-- Compatible with 6.
CREATE INDEX tracking_runs_by_start ON tracking_runs (state, started_at, id);
