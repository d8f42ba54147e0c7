-- Up Migration
CREATE TABLE invoices (
  id           uuid        PRIMARY KEY,               -- ordered by time, so it serves as the page cursor
  order_id     uuid        NOT NULL UNIQUE,               -- at most one invoice per order
  sub          text        NOT NULL,                      -- owner: the subject of the order
  amount_cents integer     NOT NULL CHECK (amount_cents >= 0),
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX invoices_sub_id_idx ON invoices (sub, id);   -- a user's invoices, newest first

-- Down Migration
DROP TABLE invoices;
