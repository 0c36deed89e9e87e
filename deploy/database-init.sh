#!/bin/sh
# Run once by the postgres image, on an empty database: the two roles that Airtime signs in with, and its database. The
# owner runs migrations; the other serves, owns nothing and may not empty a table. The third role has no password and is
# what the server works as.
set -eu
secrets=${SECRETS_DIRECTORY:-/run/secrets}
# By environment, which psql reads itself: an argument would be seen in the list of processes.
OWNER_PASSWORD=$(cat "$secrets/database_owner_password")
APP_PASSWORD=$(cat "$secrets/database_app_password")
export OWNER_PASSWORD APP_PASSWORD
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner_password `printenv OWNER_PASSWORD`
\set app_password `printenv APP_PASSWORD`
CREATE ROLE airtime_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE airtime_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE ROLE airtime_server NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
GRANT airtime_server TO airtime_app;
CREATE DATABASE airtime OWNER airtime_owner;
REVOKE CONNECT ON DATABASE airtime FROM PUBLIC;
GRANT CONNECT ON DATABASE airtime TO airtime_owner, airtime_app;
\connect airtime
ALTER SCHEMA public OWNER TO airtime_owner;
SQL
