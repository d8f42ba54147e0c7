-- Up Migration
-- Behind a long transaction the changes below would queue every request; they are tried again.
SET LOCAL lock_timeout = '5s';

-- Apps that people sign in to. Confidential ones authenticate with a key that is derived from their
-- ID, so nothing secret is stored.
CREATE TABLE clients (
  id               text        PRIMARY KEY,          -- also the name that its key is derived from
  kind             text        NOT NULL CHECK (kind IN ('confidential', 'public')),
  redirect_uris    text[]      NOT NULL,             -- compared as text; a loopback address with any port
  post_logout_uris text[]      NOT NULL DEFAULT '{}',
  audiences        text[]      NOT NULL,             -- `aud` of its access tokens, at most
  scope            text        NOT NULL,             -- space-separated; what it may ask for
  created_at       timestamptz NOT NULL DEFAULT now(),
  disabled_at      timestamptz
);

-- A browser's session at auth has the sessions of the apps that were opened with it below it. A
-- session by POST /v1/login has neither parent nor client.
ALTER TABLE sessions
  ADD COLUMN parent_id uuid REFERENCES sessions ON DELETE CASCADE,
  ADD COLUMN client_id text,                         -- of clients, which are disabled and never deleted
  ADD COLUMN audiences text[],                       -- `aud`, where a client has its own
  ADD COLUMN scope     text,                         -- what was granted; null: all that the user has
  ADD COLUMN auth_time timestamptz;                  -- when the user proved the password, in an app's session
CREATE INDEX sessions_parent_id_idx ON sessions (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE authorization_codes (
  code_hash      bytea       PRIMARY KEY,            -- SHA-256
  session_id     uuid        NOT NULL REFERENCES sessions ON DELETE CASCADE,  -- the browser's
  client_id      text        NOT NULL,
  redirect_uri   text        NOT NULL,
  code_challenge text        NOT NULL,               -- S256 (RFC 7636)
  nonce          text,                               -- for the ID token
  audiences      text[]      NOT NULL,
  scope          text        NOT NULL,
  expires_at     timestamptz NOT NULL,
  redeemed_as    uuid                                -- the session that it opened
);
CREATE INDEX authorization_codes_session_id_idx ON authorization_codes (session_id);
CREATE INDEX authorization_codes_expires_at_idx ON authorization_codes (expires_at);

-- Ends sessions with those below them, and returns the IDs of those that were open. The caller has
-- locked the user, as whatever opens a session below another one does; each statement of a function
-- sees what was committed before it began. The rows are locked in one order.
CREATE FUNCTION end_sessions(ids uuid[]) RETURNS uuid[] LANGUAGE plpgsql
  SET search_path FROM CURRENT AS $$
DECLARE ended uuid[];
BEGIN
  SELECT array_agg(id) INTO ended FROM (
    SELECT id, revoked_at FROM sessions WHERE id = ANY (ids) OR parent_id = ANY (ids)
     ORDER BY id FOR NO KEY UPDATE) AS s
   WHERE revoked_at IS NULL;
  UPDATE sessions SET revoked_at = now() WHERE id = ANY (ended);
  RETURN coalesce(ended, '{}');
END $$;

-- Down Migration
DROP FUNCTION end_sessions;
DROP TABLE authorization_codes;
ALTER TABLE sessions
  DROP COLUMN parent_id, DROP COLUMN client_id, DROP COLUMN audiences, DROP COLUMN scope,
  DROP COLUMN auth_time;
DROP TABLE clients;
