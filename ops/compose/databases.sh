#!/bin/sh
# Makes one database a service, each owned by a role that may enter no other. Safe to run again,
# and to be run after the password in a service's URL was changed.
set -eu
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD

for service in auth orders billing; do
  NAME=latchkey_$service
  PASSWORD=$(sed -n 's,^postgres://[^:]*:\([^@]*\)@.*$,\1,p' "/run/secrets/${service}_database_url")
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
  echo "$NAME: there"
done
