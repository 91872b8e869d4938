-- What clients say of the data that tracking runs used, as JSON; and the logged models that tracking runs used and made.
ALTER TABLE tracking_inputs ADD COLUMN details TEXT NOT NULL DEFAULT '{}';
CREATE TABLE logged_model_links (
    run_id TEXT NOT NULL,
    role TEXT NOT NULL,
    model_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, role, model_id, step)
) WITHOUT ROWID;
