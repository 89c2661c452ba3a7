#!/bin/sh
# Backs up Temporal's databases, the server's volume, and the artifact store where that is a volume of this machine, while everything
# runs: docker/backup.sh FOLDER [--without-store]. The folder appears when it is whole. Secrets are not in it.
. "$(dirname "$0")/common.sh"
into=${1:?docker/backup.sh FOLDER [--without-store]}
case $into in /*) ;; *) into=$PWD/$into ;; esac
[ ! -e "$into" ] || fail "$into exists: a backup never overwrites another"
part=$into.part
rm -rf "$part"
umask 077
mkdir -p "$part"

# First what runs stand in, then what they stored: a store only grows, so all that the databases name is in the copy.
for database in temporal temporal_visibility; do
  compose exec -T postgresql pg_dump --username temporal --format custom "$database" >"$part/$database.dump"
done
files tar --create --gzip --directory /data . >"$part/server.tar.gz" || fail "the server's volume could not be read"
if [ "${2:-}" != --without-store ]; then
  files tar --create --directory /store . >"$part/store.tar" || fail 'the store could not be read'
fi
{
  echo "made=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  echo "temporal=$(setting TEMPORAL_VERSION 1.32.0)"
  echo "schema=$(sql --dbname temporal --command 'SELECT curr_version FROM schema_version')"
} >"$part/backup.txt"
(cd "$part" && sha256sum -- * >SHA256SUMS)
mv "$part" "$into"
du -sh "$into"
