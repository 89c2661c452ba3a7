#!/bin/sh
# Brings both databases of the Temporal server to the schema of this version of the tools: makes them when they are
# missing, upgrades them in place otherwise. Safe to run again. Host and user are in SQL_*, the password is a secret.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres-password)
export SQL_PASSWORD

schema=/etc/temporal/schema/postgresql/v12

set_up() {
  database=$1
  folder=$2
  temporal-sql-tool --database "$database" create-database
  # The version table alone: what follows brings the schema itself, from whatever version is there.
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-dir "$schema/$folder/versioned"
}

set_up temporal temporal
set_up temporal_visibility visibility
