#!/bin/sh
# Creates a database for each service, owned by a role that cannot connect to any other. Safe to run
# again, also after the password in the URL of a service has changed.
set -eu
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD

for file in /run/secrets/*_database_url; do
  NAME=latchkey_$(basename "$file" _database_url)
  PASSWORD=$(sed -n 's,^postgres://[^:]*:\([^@]*\)@.*$,\1,p' "$file")
  export NAME PASSWORD
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --host postgres --username postgres <<'SQL'
\getenv name NAME
\getenv password PASSWORD
SELECT format('CREATE ROLE %I LOGIN', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name", postgres, template1 FROM PUBLIC;
SQL
  echo "$NAME: ready"
done
