#!/bin/sh
# Makes the secrets that are missing. Only root enters the folder; a container that is handed a file reads it, whatever its user.
. "$(dirname "$0")/common.sh"
secrets=$(setting EPOCHAL_SECRETS_FOLDER ./secrets)
umask 077
mkdir -p "$secrets"
chmod 700 "$secrets"
umask 022
mkdir -p "$secrets/server" "$secrets/worker"

make() {
  [ -s "$secrets/$1" ] && return
  head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_' >"$secrets/$1.new"
  mv "$secrets/$1.new" "$secrets/$1"
}

make postgres-password
make server/EPOCHAL_TOKEN
