-- Tasks of arrays are rows of their own; the array's specification is theirs, too.

ALTER TABLE job ADD COLUMN array INTEGER;  -- NULL: it's no task
CREATE INDEX job_array ON job (array, id) WHERE array IS NOT NULL;
CREATE INDEX job_whole ON job (state, id) WHERE array IS NULL;
DROP INDEX job_state;
