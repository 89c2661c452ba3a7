# What the scripts of this folder share; they are run from anywhere, and work on the compose file beside it.
set -eu
cd "$(dirname "$0")/.."

# In COMPOSE: another command, or options for all calls.
compose() { ${COMPOSE:-docker compose} "$@"; }

# What .env or the environment says, else what the compose file takes.
setting() {
  eval "given=\${$1:-}"
  [ -n "$given" ] || given=$(sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1)
  printf '%s' "${given:-$2}"
}

fail() {
  echo "$1" >&2
  exit 1
}

# Asks every second, at most $1 times, until a command succeeds.
until_done() {
  tries=$1
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 1
  done
}

database_answers() { compose exec -T postgresql pg_isready --quiet --username temporal --host 127.0.0.1; }
sql() { compose exec -T postgresql psql --username temporal --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
# A program with the server's and the store's volumes, at /data and /store.
files() {
  program=$1
  shift
  compose run --rm --no-deps -T --entrypoint "$program" files "$@"
}
