-- Up Migration
CREATE SEQUENCE revocations_seq;
CREATE TABLE revocations (
  seq        bigint      PRIMARY KEY,   -- given by the trigger below, in the order of the commits
  kind       text        NOT NULL CHECK (kind IN ('session', 'subject')),
  id         text        NOT NULL,      -- `sid` or `sub`
  not_before bigint,                    -- subject: tokens with a smaller `iat` are revoked, seconds
  revoked_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,      -- no token it concerns lives longer
  CHECK ((kind = 'subject') = (not_before IS NOT NULL))
);
CREATE INDEX revocations_expires_at_idx ON revocations (expires_at);  -- housekeeping

-- A reader asks for everything after the highest number it knows. So numbers have to become visible in
-- order: who takes one holds this lock until its commit, and the next number is drawn after that.
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
