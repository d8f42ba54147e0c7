-- Up Migration
-- The service makes the ids (UUIDv7). The previous release, which may still run, leaves them to the
-- server, and its default needed PostgreSQL 18. The next release drops this one.
ALTER TABLE users ALTER COLUMN id SET DEFAULT gen_random_uuid();
ALTER TABLE sessions ALTER COLUMN id SET DEFAULT gen_random_uuid();

-- Down Migration
ALTER TABLE users ALTER COLUMN id DROP DEFAULT;
ALTER TABLE sessions ALTER COLUMN id DROP DEFAULT;
