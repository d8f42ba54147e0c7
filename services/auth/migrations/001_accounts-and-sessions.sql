-- Up Migration
CREATE TABLE users (
  id                 uuid        PRIMARY KEY,
  email              text        NOT NULL,
  password_hash      text        NOT NULL,            -- argon2id, PHC string
  password_version   integer     NOT NULL DEFAULT 0,  -- changes with the password, not with a new hash of the same password
  scope              text        NOT NULL,            -- space-separated, as in the token
  roles              text[]      NOT NULL DEFAULT '{}',
  tokens_not_before  bigint      NOT NULL DEFAULT 0,  -- tokens with a smaller `iat` are revoked, seconds
  registered_from    inet        NOT NULL,            -- network; the limits for strangers do not apply to it
  disabled_at        timestamptz,
  created_at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);                             -- refreshes lock the row, role changes update it
CREATE UNIQUE INDEX users_email_idx ON users (lower(email));

CREATE TABLE sessions (
  id           uuid        PRIMARY KEY,
  user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  generation   integer     NOT NULL DEFAULT 0,   -- which refresh token of this session is current
  network      inet        NOT NULL,             -- of the login: IPv4 address or IPv6 /64
  user_agent   text,                             -- helps the user recognize the session; cut to 200 characters
  created_at   timestamptz NOT NULL DEFAULT now(),
  refreshed_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,             -- refreshing does not extend it
  revoked_at   timestamptz                       -- set once; serialises logout with refresh
) WITH (fillfactor = 70);                        -- refreshes stay heap-only updates
CREATE INDEX sessions_user_id_idx ON sessions (user_id, network);  -- lists a user's sessions; finds known networks
CREATE INDEX sessions_open_idx ON sessions (user_id, created_at) WHERE revoked_at IS NULL;  -- counts open sessions
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);     -- housekeeping

-- Down Migration
DROP TABLE sessions;
DROP TABLE users;
