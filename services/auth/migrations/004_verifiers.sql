-- Up Migration
-- The processes that verify tokens, and their keys, reported with every poll of the revocation
-- feed. Unlogged, because the next poll repeats the report.
CREATE UNLOGGED TABLE verifiers (
  instance text        NOT NULL,
  service  text        NOT NULL,
  kids     text[]      NOT NULL,       -- in the order of its keyring: the first key signs
  seen_at  timestamptz NOT NULL,
  PRIMARY KEY (service, instance)
) WITH (fillfactor = 50);

-- When the last token signed with a key expires: `latchkey keys retire` waits for it.
CREATE TABLE signing_keys (
  kid        text        PRIMARY KEY,
  live_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Down Migration
DROP TABLE signing_keys;
DROP TABLE verifiers;
