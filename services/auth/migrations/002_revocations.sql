-- Up Migration
CREATE SEQUENCE revocations_seq;
CREATE TABLE revocations (
  seq        bigint      PRIMARY KEY,   -- set by the trigger below, in commit order
  kind       text        NOT NULL CHECK (kind IN ('session', 'subject')),
  id         text        NOT NULL,      -- `sid` or `sub`
  not_before bigint,                    -- subject: tokens with a smaller `iat` are revoked, seconds
  revoked_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,      -- all tokens it affects have expired by then
  CHECK ((kind = 'subject') = (not_before IS NOT NULL))
);
CREATE INDEX revocations_expires_at_idx ON revocations (expires_at);  -- housekeeping

-- A reader asks for everything after the highest number it knows, so numbers must become visible in
-- order. A transaction that draws a number keeps this lock until it commits; only then is the next
-- one drawn.
CREATE FUNCTION revocations_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7235419);
  NEW.seq := nextval('revocations_seq');
  RETURN NEW;
END $$;
CREATE TRIGGER revocations_number BEFORE INSERT ON revocations
  FOR EACH ROW EXECUTE FUNCTION revocations_number();

-- Down Migration
DROP TABLE revocations;
DROP FUNCTION revocations_number;
DROP SEQUENCE revocations_seq;
