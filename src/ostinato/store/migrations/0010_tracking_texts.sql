-- Parameters and tags of tracking runs by the beginning of their values: PostgreSQL takes no long ones into an index.
-- Compatible with 6.
CREATE INDEX tracking_params_by_value ON tracking_params (key, substr(value, 1, 100));
CREATE INDEX tracking_tags_by_value ON tracking_tags (key, substr(value, 1, 100));
