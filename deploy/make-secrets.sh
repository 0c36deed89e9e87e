#!/bin/sh
# Makes the secrets that compose.yaml names, once: what is there stays as it is. Those of the outside, which only you know,
# are made empty.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
for name in database_admin_password database_owner_password database_app_password signing_secret; do
  [ -s "secrets/$name" ] || random > "secrets/$name"
done
address() { printf 'postgresql://%s:%s@database:5432/airtime' "$1" "$(cat "secrets/$2")"; }
[ -s secrets/database_url ] || address airtime_app database_app_password > secrets/database_url
[ -s secrets/migration_database_url ] || address airtime_owner database_owner_password > secrets/migration_database_url
outside="stripe_secret_key stripe_webhook_secret network_token smtp_url model_key sandbox_secret"
for name in $outside; do
  [ -e "secrets/$name" ] || : > "secrets/$name"
done
# The folder is closed to everybody else; in it the containers' users must be able to read what is mounted to them.
chmod 700 secrets
chmod 444 secrets/*
for name in $outside; do chmod 644 "secrets/$name"; done
