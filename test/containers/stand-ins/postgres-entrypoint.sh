#!/bin/sh
# What the image's own does with these variables: takes the folder over as root, goes on as postgres, and makes the cluster at the first start.
set -eu
if [ "$(id -u)" = 0 ]; then
  chown postgres:postgres "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  password=$(cat "$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD="$password"
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username "$POSTGRES_USER" --pwfile /tmp/password --encoding UTF8 --locale C.UTF-8 --auth-local trust --auth-host trust
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-c listen_addresses=''" start
  [ "$POSTGRES_USER" = postgres ] || createdb --username "$POSTGRES_USER" "$POSTGRES_USER"
  pg_ctl --wait --mode fast stop
fi
unset POSTGRES_PASSWORD
exec "$@" -c listen_addresses='*'
