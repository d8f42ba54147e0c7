-- Up Migration
-- Behind a long transaction the changes below would queue every request; they are tried again.
SET LOCAL lock_timeout = '5s';

-- When the generations before the previous one were replaced, the latest first, within the grace
-- period. `refreshed_at` is when the previous one was.
ALTER TABLE sessions ADD COLUMN replaced_at timestamptz[] NOT NULL DEFAULT '{}';

CREATE INDEX users_admins_idx ON users (id) WHERE 'admin' = ANY (roles);  -- a change by an admin locks the admins

-- Every session that ends is revoked, also one that is deleted, alone or with its user. An AFTER
-- trigger runs when its statement has all its row locks, so the lock of `revocations_number` comes
-- last. 3,720 seconds: `revocationRetentionSeconds` in src/revocation/store.ts.
CREATE FUNCTION sessions_revoke() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO revocations (kind, id, expires_at)
  VALUES ('session', OLD.id, clock_timestamp() + interval '3720 seconds');
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_revoke_ended AFTER UPDATE OF revoked_at ON sessions FOR EACH ROW
  WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION sessions_revoke();
-- The tokens of a session that expired earlier have expired too.
CREATE TRIGGER sessions_revoke_deleted AFTER DELETE ON sessions FOR EACH ROW
  WHEN (OLD.revoked_at IS NULL AND OLD.expires_at > now() - interval '3720 seconds')
  EXECUTE FUNCTION sessions_revoke();

CREATE FUNCTION users_revoke_tokens() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO revocations (kind, id, not_before, expires_at)
  VALUES ('subject', NEW.id, NEW.tokens_not_before, clock_timestamp() + interval '3720 seconds');
  RETURN NULL;
END $$;
CREATE TRIGGER users_revoke_tokens AFTER UPDATE OF tokens_not_before ON users FOR EACH ROW
  WHEN (NEW.tokens_not_before > OLD.tokens_not_before) EXECUTE FUNCTION users_revoke_tokens();

-- Whatever the search_path of the session that fires a trigger, it writes to this schema.
ALTER FUNCTION revocations_number SET search_path FROM CURRENT;

-- TRUNCATE fires no trigger for its rows: the tokens of the sessions would stay valid.
CREATE FUNCTION sessions_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE would not revoke the sessions; use DELETE FROM sessions or DELETE FROM users';
END $$;
CREATE TRIGGER sessions_refuse_truncate BEFORE TRUNCATE ON sessions
  EXECUTE FUNCTION sessions_refuse_truncate();

-- Down Migration
ALTER FUNCTION revocations_number RESET search_path;
DROP TRIGGER sessions_refuse_truncate ON sessions;
DROP FUNCTION sessions_refuse_truncate;
DROP TRIGGER users_revoke_tokens ON users;
DROP FUNCTION users_revoke_tokens;
DROP TRIGGER sessions_revoke_deleted ON sessions;
DROP TRIGGER sessions_revoke_ended ON sessions;
DROP FUNCTION sessions_revoke;
DROP INDEX users_admins_idx;
ALTER TABLE sessions DROP COLUMN replaced_at;
