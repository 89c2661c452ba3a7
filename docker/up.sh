#!/bin/sh
# Starts everything, and upgrades what has changed: builds the image, makes the secrets that are missing, waits until the server
# answers, and prints the address that signs a browser in. Stop with `docker compose down`.
. "$(dirname "$0")/common.sh"
sh docker/make-secrets.sh
[ "${EPOCHAL_BUILD:-yes}" = no ] || compose build server
compose up --detach

signed_in() { compose exec -T server epochal sign-in; }
until_done 180 signed_in || fail 'the server does not answer: see docker compose ps, and docker compose logs server'
signed_in | sed "s/:8266/:$(setting EPOCHAL_SERVER_PORT 8266)/"
