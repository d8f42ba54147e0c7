-- Up Migration
CREATE TABLE orders (
  id               uuid        PRIMARY KEY,                   -- ordered by time, so it serves as the page cursor
  sub              text        NOT NULL,                      -- owner: the subject of the token
  item             text        NOT NULL,
  quantity         integer     NOT NULL CHECK (quantity > 0),
  unit_price_cents integer     NOT NULL CHECK (unit_price_cents >= 0),
  created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_sub_id_idx ON orders (sub, id);           -- a user's orders, newest first

-- Down Migration
DROP TABLE orders;
