#!/bin/sh
# Goes on with another version of Epochal or Temporal, as .env now has it, without a moment in which nobody can serve the open runs: the
# new server is started beside the old one, and takes over only if it can go on with all of them. Back up before you upgrade Temporal.
. "$(dirname "$0")/common.sh"
sh docker/make-secrets.sh
[ "${EPOCHAL_BUILD:-yes}" = no ] || compose build server
next=$(compose run --detach --no-deps -e EPOCHAL_DATA_DIR=/tmp/epochal server | tail -n 1)
# It goes in any case: the old server, or the one of the same version that follows, serves.
trap 'docker rm --force "$next" >/dev/null' EXIT
serves() { docker logs "$next" 2>&1 | grep -q 'workflows are served'; }
ended() { [ "$(docker inspect --format '{{.State.Running}}' "$next")" = false ]; }
serves_or_ended() { serves || ended; }
until_done 180 serves_or_ended || true
serves || {
  docker logs --tail 20 "$next" >&2
  fail 'the new server does not serve the open runs: the old one goes on, nothing was changed'
}
compose up --detach --remove-orphans
