-- What is told of jobs' ends, and how far the log was read for it (`meta`, 'notices').

CREATE TABLE notice (
    event    INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    state    TEXT NOT NULL,
    next_at  REAL NOT NULL,  -- or when it was settled; s since 1970
    why      TEXT NOT NULL,  -- the last try failed; empty: it didn't
    body     BLOB NOT NULL,
    PRIMARY KEY (event, receiver)
) WITHOUT ROWID;
CREATE INDEX notice_due ON notice (receiver, next_at, event) WHERE state = 'pending';
CREATE INDEX notice_state ON notice (state, next_at);
CREATE INDEX notice_receiver ON notice (receiver, state, event);
CREATE INDEX notice_failed ON notice (receiver, event) WHERE why <> '';
