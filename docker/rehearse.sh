#!/bin/sh
# Proves that a backup can be restored, beside what runs and without touching it: docker/rehearse.sh FOLDER. It restores into a project of
# its own, starts Temporal on it, has it count the runs, and compares all that receipts name with the store. Then it removes all of that.
. "$(dirname "$0")/common.sh"
from=$(cd "${1:?docker/rehearse.sh FOLDER}" && pwd)
# Volumes, networks and ports of its own; nothing that trains, serves or tells anyone.
export COMPOSE_PROJECT_NAME=epochal-rehearsal COMPOSE_PROFILES='' EPOCHAL_STORE_FOLDER=epochal-store TEMPORAL_PORT=0 TEMPORAL_BIND=127.0.0.1
remove() { compose down --volumes --remove-orphans; }
trap 'remove >/dev/null 2>&1' EXIT
remove >/dev/null 2>&1
sh docker/restore.sh "$from"
compose up --detach temporal
tools() { compose run --rm --no-deps -T --entrypoint temporal temporal-set-up "$@"; }
until_done 120 tools operator cluster health || fail 'Temporal does not start on the restored databases'
tools workflow count --namespace "$(setting TEMPORAL_NAMESPACE default)"
[ ! -e "$from/store.tar" ] || files epochal store verify /store
echo 'The backup can be restored.'
