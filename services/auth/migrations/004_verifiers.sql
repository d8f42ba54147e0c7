-- Up Migration
-- Who verifies tokens, and with which keys: reported with every poll of the revocation feed. Unlogged, as
-- the next poll says it again.
CREATE UNLOGGED TABLE verifiers (
  instance text        NOT NULL,
  service  text        NOT NULL,
  kids     text[]      NOT NULL,       -- in the order of its keyring: the first is the one that signs
  seen_at  timestamptz NOT NULL,
  PRIMARY KEY (service, instance)
) WITH (fillfactor = 50);

-- Until when tokens may live that were signed with a key: what `latchkey keys retire` waits for.
CREATE TABLE signing_keys (
  kid        text        PRIMARY KEY,
  live_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Down Migration
DROP TABLE signing_keys;
DROP TABLE verifiers;
