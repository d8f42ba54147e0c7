-- Up Migration
CREATE TABLE users (
  id                 uuid        PRIMARY KEY DEFAULT uuidv7(),
  email              text        NOT NULL,
  password_hash      text        NOT NULL,            -- argon2id, PHC string
  password_version   integer     NOT NULL DEFAULT 0,  -- moves when the user changes it, not when we hash it anew
  scope              text        NOT NULL,            -- space-separated, as in the token
  roles              text[]      NOT NULL DEFAULT '{}',
  tokens_not_before  bigint      NOT NULL DEFAULT 0,  -- tokens with a smaller `iat` are revoked, seconds
  registered_from    inet        NOT NULL,            -- network; it is spared the limits for strangers
  disabled_at        timestamptz,
  created_at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);                             -- refreshes lock the row, role changes update it
CREATE UNIQUE INDEX users_email_idx ON users (lower(email));

CREATE TABLE sessions (
  id           uuid        PRIMARY KEY DEFAULT uuidv7(),
  user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation   integer     NOT NULL DEFAULT 0,   -- which refresh token of this session is the live one
  network      inet        NOT NULL,             -- where the login came from: IPv4 address or IPv6 /64
  user_agent   text,                             -- to tell the user's sessions apart, cut to 200 characters
  created_at   timestamptz NOT NULL DEFAULT now(),
  refreshed_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,             -- absolute end, whatever is refreshed
  revoked_at   timestamptz                       -- set once; serialises logout against refresh
) WITH (fillfactor = 70);                        -- refreshes stay heap-only updates
CREATE INDEX sessions_user_id_idx ON sessions (user_id, network);  -- a user's sessions; is a network known?
CREATE INDEX sessions_open_idx ON sessions (user_id, created_at) WHERE revoked_at IS NULL;  -- how many are open?
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);     -- housekeeping

-- Down Migration
DROP TABLE sessions;
DROP TABLE users;
