-- Parameters and tags of tracking runs by the beginning of their values: PostgreSQL takes no long ones into an index.
-- Compatible with 6.
CREATE INDEX tracking_params_by_value ON tracking_params (key, substr(value, 1, 100));
CREATE INDEX tracking_tags_by_value ON tracking_tags (key, substr(value, 1, 100));
-- Who used a version of data, the newest first.
CREATE INDEX dataset_links_by_time ON dataset_links (digest, no, at);
CREATE INDEX tracking_inputs_by_time ON tracking_inputs (digest, at);
