#!/bin/sh
# Fills in the router's configuration and becomes nginx. The addresses of the tracks are looked up now and followed from then on.
set -eu
: "${SALT:?SALT is not set: the split would move at every start}"
if [ "$SALT" = changeme ]; then echo 'router: SPLIT_SALT is still changeme: run make env' >&2; exit 1; fi
mkdir -p "$RUN"
mkdir -p "$RUN/more"
printf 'server { listen %s; access_log off; location = /nginx_status { stub_status; } }\n' "${STATUS_PORT:-7001}" >"$RUN/more/status.conf"
. /router/follow.sh
render
follow "$$" &
exec "$@"
