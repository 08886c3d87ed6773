-- Tasks that have ended are not read when a manager starts, but for their states.

CREATE INDEX task_ended ON job (id, state)
    WHERE array IS NOT NULL AND state IN ('completed', 'failed', 'cancelled');
CREATE INDEX task_open ON job (id)
    WHERE array IS NOT NULL AND state IN ('held', 'queued', 'submitted', 'running');
