-- Up Migration
-- Unlogged: counters need no durability, and after a crash an empty table is correct.
CREATE UNLOGGED TABLE rate_limits (
  key       text        PRIMARY KEY,
  count     integer     NOT NULL,
  resets_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX rate_limits_resets_at_idx ON rate_limits (resets_at);

CREATE UNLOGGED TABLE login_failures (
  key       text        PRIMARY KEY,   -- account:…, network:… or familiar:… (see passwords/store.ts)
  failures  integer     NOT NULL,
  allowed   integer     NOT NULL,      -- failures without a delay
  retry_at  timestamptz NOT NULL,      -- attempts before this time are refused
  forget_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX login_failures_forget_at_idx ON login_failures (forget_at);

-- Down Migration
DROP TABLE login_failures;
DROP TABLE rate_limits;
