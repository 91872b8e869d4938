-- Versions of data.

-- Versions of data, named by the hash of their content; `fields` is JSON, `profile` msgpack.
CREATE TABLE datasets (
    digest TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    fields TEXT NOT NULL,
    n_rows INTEGER,
    n_bytes INTEGER NOT NULL,
    profile BLOB,
    created_at INTEGER NOT NULL
);
CREATE INDEX datasets_by_instant ON datasets (created_at, digest);
CREATE INDEX datasets_by_name ON datasets (name, created_at, digest);

-- Versions of data that flow runs (no = 0) and task runs read; what tracking runs used is in tracking_inputs.
CREATE TABLE dataset_links (
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    no INTEGER NOT NULL,
    context TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (digest, run_id, no, context)
) WITHOUT ROWID;
CREATE INDEX dataset_links_by_run ON dataset_links (run_id, no);
