-- Up Migration
-- The client assertions of operators, each accepted once (RFC 7523 section 3, point 7).
CREATE TABLE used_assertions (
  client     text        NOT NULL,
  jti        text        NOT NULL,
  expires_at timestamptz NOT NULL,  -- no verifier accepts it later: the row can be deleted
  PRIMARY KEY (client, jti)
);
CREATE INDEX used_assertions_expires_at_idx ON used_assertions (expires_at);

-- Down Migration
DROP TABLE used_assertions;
