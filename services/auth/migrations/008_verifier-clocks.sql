-- Up Migration
-- Reported with the keys, for `latchkey doctor` and `latchkey recover`.
ALTER TABLE verifiers
  ADD COLUMN clock_ahead_seconds real,         -- against this server's clock; null: not known
  ADD COLUMN started_at          timestamptz;  -- of the process; known of auth's instances alone

-- Down Migration
ALTER TABLE verifiers DROP COLUMN clock_ahead_seconds, DROP COLUMN started_at;
