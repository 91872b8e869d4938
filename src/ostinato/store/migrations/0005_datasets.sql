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

-- What versions of data are called, and when each was last called so.
CREATE TABLE dataset_names (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (name, digest)
) WITHOUT ROWID;
CREATE INDEX dataset_names_by_instant ON dataset_names (name, at, digest);

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
