-- Search of tracking runs by the values of their metrics.
-- Compatible with 6.
CREATE INDEX tracking_metrics_by_value ON tracking_metrics (key, value);
