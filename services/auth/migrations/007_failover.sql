-- Up Migration
-- Behind a long transaction the changes below would queue every request; they are tried again.
SET LOCAL lock_timeout = '5s';

-- 64 random bits. After a failover that lost commits, or a restore, another row may have the same
-- number; a reader that names number and tag is told that its row is missing.
ALTER TABLE revocations ADD COLUMN tag bigint NOT NULL DEFAULT
  ('x' || encode(substr(sha256(uuid_send(gen_random_uuid())), 1, 8), 'hex'))::bit(64)::bigint;

CREATE INDEX revocations_id_idx ON revocations USING hash (id);  -- recovery: which ones are missing

-- A revocation is acknowledged when it is on disk, and on a synchronous standby if there is one,
-- whatever the server's default is. A copy by logical replication lacks the value of the sequence.
-- Not in a trigger of the statement: it would lock before the rows that the statement ends, and for
-- no row at all, as in every refresh of the previous release.
CREATE OR REPLACE FUNCTION revocations_number() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  -- Once per transaction: max(seq) would read the rows of a long INSERT again for each of them.
  IF coalesce(current_setting('latchkey.numbering', true), '') = '' THEN
    PERFORM set_config('latchkey.numbering', 'on', true), set_config('synchronous_commit', 'on', true);
    PERFORM pg_advisory_xact_lock(7235419);
    PERFORM setval('revocations_seq', max(seq)) FROM revocations
     HAVING max(seq) > (SELECT last_value FROM revocations_seq);
  END IF;
  NEW.seq := nextval('revocations_seq');
  RETURN NEW;
END $$;

-- A deleted user is also named by its subject, so that a recovery can tell that it is back.
CREATE FUNCTION users_revoke_deleted() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO revocations (kind, id, not_before, expires_at)
  VALUES ('subject', OLD.id, 1 + floor(extract(epoch FROM clock_timestamp())),
          clock_timestamp() + interval '3720 seconds');
  RETURN NULL;
END $$;
CREATE TRIGGER users_revoke_deleted AFTER DELETE ON users FOR EACH ROW
  EXECUTE FUNCTION users_revoke_deleted();

-- What instances have restored after a failover or a restore, for `latchkey recover`.
CREATE TABLE recoveries (
  id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recovered_at     timestamptz NOT NULL DEFAULT now(),
  instance         text        NOT NULL,
  sessions         integer     NOT NULL,             -- ended again
  missing_sessions integer     NOT NULL,             -- revoked, although their row is lost
  subjects         integer     NOT NULL,             -- whose tokens are revoked again
  user_ids         uuid[]      NOT NULL              -- these subjects: password, roles, ban or deletion may be lost
);

-- Down Migration
DROP TABLE recoveries;
DROP TRIGGER users_revoke_deleted ON users;
DROP FUNCTION users_revoke_deleted;
DROP INDEX revocations_id_idx;
CREATE OR REPLACE FUNCTION revocations_number() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7235419);
  NEW.seq := nextval('revocations_seq');
  RETURN NEW;
END $$;
ALTER TABLE revocations DROP COLUMN tag;
