-- Up Migration
CREATE TABLE invoices (
  id           uuid        PRIMARY KEY DEFAULT uuidv7(),  -- ordered by time, so it pages as well
  order_id     uuid        NOT NULL UNIQUE,               -- one invoice an order, whoever asks how often
  sub          text        NOT NULL,                      -- whose invoice: whose the order is
  amount_cents integer     NOT NULL CHECK (amount_cents >= 0),
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX invoices_sub_id_idx ON invoices (sub, id);   -- a user's invoices, newest first

-- Down Migration
DROP TABLE invoices;
