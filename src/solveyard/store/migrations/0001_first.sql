-- The first schema. `body` is always JSON.

PRAGMA application_id = 0x536F6C76;  -- "Solv": tells our files from other programs' databases

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO meta VALUES
    ('uuid', lower(hex(randomblob(16)))),
    ('created', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

CREATE TABLE event (
    number INTEGER PRIMARY KEY,  -- from 1, without gaps, in the order of the commits
    job    INTEGER,              -- NULL: about no job
    at     REAL NOT NULL,        -- s since 1970
    body   BLOB NOT NULL
);
CREATE INDEX event_job ON event (job) WHERE job IS NOT NULL;

-- A job's record but for its spec, which is written once and may be large.
CREATE TABLE job (
    id           INTEGER PRIMARY KEY,
    state        TEXT NOT NULL,
    name         TEXT NOT NULL,
    owner        TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    submitted_at REAL NOT NULL,
    ended_at     REAL,
    body         BLOB NOT NULL
);
CREATE INDEX job_state ON job (state);
CREATE UNIQUE INDEX job_name ON job (name) WHERE name <> '';

CREATE TABLE spec (
    job  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
