#!/bin/sh
# Puts a backup into a set-up that has no databases and no stored files yet: docker/restore.sh FOLDER. Then docker/up.sh. Runs that were open go
# on from what the store has; hosts that are gone are told from those that are slow by the usual deadlines.
. "$(dirname "$0")/common.sh"
from=${1:?docker/restore.sh FOLDER}
from=$(cd "$from" && pwd)
(cd "$from" && sha256sum --check --quiet SHA256SUMS) || fail "$from is not what docker/backup.sh made"
sh docker/make-secrets.sh

compose up --detach postgresql
until_done 60 database_answers || fail 'the database does not answer: see docker compose logs postgresql'
is_empty() { [ -z "$(sql --dbname temporal --command "SELECT to_regclass('executions')")" ]; }
is_empty || fail 'there is a Temporal database already: a restore overwrites nothing'
if [ -e "$from/store.tar" ]; then
  [ -z "$(files ls -A /store)" ] || fail 'the store has files already: a restore overwrites nothing'
fi

sql --dbname temporal --command 'CREATE DATABASE temporal_visibility' >/dev/null
for database in temporal temporal_visibility; do
  compose exec -T postgresql pg_restore --username temporal --dbname "$database" --no-owner --exit-on-error <"$from/$database.dump"
done
files tar --extract --gzip --directory /data <"$from/server.tar.gz"
[ ! -e "$from/store.tar" ] || files tar --extract --directory /store <"$from/store.tar"
cat "$from/backup.txt"
