-- Up Migration
-- Behind a long transaction the changes below would queue every request; they are tried again.
SET LOCAL lock_timeout = '5s';

-- Lists users in the order of their addresses, and searches by prefix, which needs the order of bytes.
-- First: only writes wait while it is built. The next statement lets reads wait too.
CREATE INDEX users_email_order_idx ON users ((lower(email) COLLATE "C"));

ALTER TABLE users
  ADD COLUMN display_name      text,
  ADD COLUMN locale            text,         -- BCP 47
  ADD COLUMN email_verified_at timestamptz;  -- when the user has typed a code mailed to this address

-- An address that asked for an account. The database never has the ID, which the code is hashed
-- with, so a thief of the database cannot guess the code.
CREATE TABLE pending_registrations (
  id_hash    bytea       PRIMARY KEY,  -- SHA-256 of the ID
  code_hash  bytea       NOT NULL,     -- SHA-256 of ID and code
  email      text        NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX pending_registrations_expires_at_idx ON pending_registrations (expires_at);

-- Codes mailed to users. A request for an unknown address stores one too, without a user, so that
-- it takes as long. No foreign key: checking it takes time for a known address alone.
CREATE TABLE mailed_codes (
  id_hash    bytea       PRIMARY KEY,  -- as above
  code_hash  bytea       NOT NULL,
  kind       text        NOT NULL CHECK (kind IN ('password-reset', 'email-change', 'email-undo')),
  user_id    uuid,
  email      text        NOT NULL,     -- email-change: the new address; email-undo: the old one; else the recipient
  expires_at timestamptz NOT NULL
);
-- A new request replaces the code of the one before; that for a password by address, because an
-- unknown one has no user. Addresses that can be restored are not replaced: a thief could change the
-- address twice.
CREATE UNIQUE INDEX mailed_codes_reset_idx ON mailed_codes (lower(email)) WHERE kind = 'password-reset';
CREATE UNIQUE INDEX mailed_codes_change_idx ON mailed_codes (user_id) WHERE kind = 'email-change';
CREATE INDEX mailed_codes_undo_idx ON mailed_codes (lower(email)) WHERE kind = 'email-undo';
CREATE INDEX mailed_codes_user_idx ON mailed_codes (user_id);  -- a trigger deletes them with the user
CREATE INDEX mailed_codes_expires_at_idx ON mailed_codes (expires_at);

-- Nobody else gets an address that its former owner can restore. A trigger sees what was committed
-- while its statement waited: the condition of a statement would miss the change of the address.
CREATE FUNCTION users_respect_undo() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM mailed_codes
              WHERE kind = 'email-undo' AND lower(email) = lower(NEW.email)
                AND user_id <> NEW.id AND expires_at > now()) THEN
    RAISE EXCEPTION 'another user can restore this address' USING ERRCODE = 'unique_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER users_respect_undo AFTER INSERT OR UPDATE OF email ON users FOR EACH ROW
  EXECUTE FUNCTION users_respect_undo();

-- Mail to send, written in the transaction that causes it.
CREATE TABLE outbox (
  id              uuid        PRIMARY KEY,
  kind            text        NOT NULL,   -- the name of its template
  recipient       text        NOT NULL,
  sealed          bytea       NOT NULL,   -- codes and links: AES-256-GCM (src/mail/seal.ts)
  created_at      timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,   -- then it is not sent any more
  attempts        integer     NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  dead_at         timestamptz             -- given up: expired or refused
) WITH (fillfactor = 70);
CREATE INDEX outbox_next_attempt_at_idx ON outbox (next_attempt_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead_at_idx ON outbox (dead_at) WHERE dead_at IS NOT NULL;  -- housekeeping

-- Adds mail in the statement that causes it: SELECT …, enqueue_mail($6, 'password-changed'). Without
-- mail, which is null where none is configured, it does nothing.
CREATE FUNCTION enqueue_mail(mail jsonb, kind text) RETURNS void LANGUAGE sql
  SET search_path FROM CURRENT AS $$
  INSERT INTO outbox (id, kind, recipient, sealed, expires_at)
  SELECT (mail->>'id')::uuid, kind, mail->>'recipient', decode(mail->>'sealed', 'base64'),
         now() + make_interval(secs => (mail->>'ttl_seconds')::float8)
   WHERE mail IS NOT NULL
$$;

-- Who did what. Rows are only added; see the triggers below. No secrets and no addresses of mail.
CREATE TABLE audit_events (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  occurred_at timestamptz NOT NULL DEFAULT now(),
  action      text        NOT NULL,
  result      text        NOT NULL CHECK (result IN ('ok', 'refused')),
  actor       text        NOT NULL CHECK (actor IN ('anonymous', 'user', 'admin', 'operator', 'auth')),
  actor_id    uuid,                       -- of a user or an admin
  subject_id  uuid,                       -- the user concerned; it may be deleted
  client      text,                       -- User-Agent, cut to 200 characters
  network     inet,
  request_id  text,
  detail      jsonb
);
CREATE INDEX audit_events_subject_idx ON audit_events (subject_id, id);
CREATE INDEX audit_events_actor_idx ON audit_events (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_action_idx ON audit_events (action, id);
CREATE INDEX audit_events_occurred_at_idx ON audit_events (occurred_at);  -- filters; housekeeping

-- Adds an event, unless it is null, in the statement that causes it: SELECT …, record_event($7, user_id).
CREATE FUNCTION record_event(event jsonb, subject uuid) RETURNS void LANGUAGE sql
  SET search_path FROM CURRENT AS $$
  INSERT INTO audit_events (action, result, actor, actor_id, subject_id, client, network, request_id, detail)
  SELECT event->>'action', coalesce(event->>'result', 'ok'), event->>'actor',
         CASE event->>'actor' WHEN 'user' THEN subject ELSE (event->>'actor_id')::uuid END, subject,
         event->>'client', (event->>'network')::inet, event->>'request_id', event->'detail'
   WHERE event IS NOT NULL
$$;

-- The network and the client are personal data: they may be removed. Nothing else may change, and
-- nothing younger than 30 days may be deleted, whatever the configured retention is. ENABLE ALWAYS:
-- also where `session_replication_role` turns other triggers off.
CREATE FUNCTION audit_events_protect() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog AS $$  -- else a schema with a now() of its own could be put first
BEGIN
  IF TG_OP = 'DELETE' AND OLD.occurred_at < now() - interval '30 days' THEN
    RETURN OLD;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.network IS NULL AND NEW.client IS NULL THEN
    OLD.network := NULL;
    OLD.client := NULL;
    IF NEW IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only; rows can be deleted after 30 days'
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_events_protect BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW
  EXECUTE FUNCTION audit_events_protect();
CREATE TRIGGER audit_events_refuse_truncate BEFORE TRUNCATE ON audit_events
  EXECUTE FUNCTION audit_events_protect();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_protect;
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_refuse_truncate;

-- Users whose personal data is still to be removed from the audit log, which may take many batches.
CREATE TABLE erased_users (
  id        uuid        PRIMARY KEY,
  erased_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION users_erase_deleted() RETURNS trigger LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO erased_users (id) VALUES (OLD.id) ON CONFLICT DO NOTHING;
  DELETE FROM mailed_codes WHERE user_id = OLD.id;
  RETURN NULL;
END $$;
CREATE TRIGGER users_erase_deleted AFTER DELETE ON users FOR EACH ROW
  EXECUTE FUNCTION users_erase_deleted();

-- Down Migration
DROP TRIGGER users_erase_deleted ON users;
DROP FUNCTION users_erase_deleted;
DROP TABLE erased_users;
DROP TABLE audit_events;
DROP FUNCTION audit_events_protect;
DROP FUNCTION record_event;
DROP FUNCTION enqueue_mail;
DROP TABLE outbox;
DROP TRIGGER users_respect_undo ON users;
DROP FUNCTION users_respect_undo;
DROP TABLE mailed_codes;
DROP TABLE pending_registrations;
DROP INDEX users_email_order_idx;
ALTER TABLE users DROP COLUMN display_name, DROP COLUMN locale, DROP COLUMN email_verified_at;
