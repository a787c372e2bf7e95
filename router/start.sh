#!/bin/sh
# Fills in the router's configuration and becomes nginx. The addresses of the tracks are looked up now and followed from then on.
set -eu
: "${SALT:?SALT is not set: the split would move at every start}"
if [ "$SALT" = changeme ]; then echo 'router: SPLIT_SALT is still changeme: run make env' >&2; exit 1; fi
# As the tracks read it: 0 is no limit, which nginx says as more than it can answer.
PER_ADDRESS=${RATE_LIMIT_PER_ADDRESS:-30000}
if [ "$PER_ADDRESS" -eq 0 ] || [ "$PER_ADDRESS" -gt 10000000 ]; then PER_ADDRESS=10000000; fi
# `ratchet` refuses more of what is wrong here (the service `check`), and nginx names the rest.
TRUSTED=
for one in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
    case $one in
        *[!0-9A-Fa-f.:/]* | */0)
            echo "router: TRUSTED_PROXIES: $one is not the address of a proxy, nor a network of proxies such as 10.0.0.0/8" >&2
            exit 1
            ;;
    esac
    TRUSTED="$TRUSTED set_real_ip_from $one;"
done
export PER_ADDRESS TRUSTED
mkdir -p "$RUN"
mkdir -p "$RUN/more"
printf 'server { listen %s; access_log off; location = /nginx_status { stub_status; } }\n' "${STATUS_PORT:-7001}" >"$RUN/more/status.conf"
. /router/follow.sh
render
follow "$$" &
exec "$@"
