# nginx looks a name up when it starts and never again, and does not start at all while a name is unknown. A container that is
# made anew has another address, and a track that is down has none: both are everyday here. Sourced by start.sh.

production_at= candidate_at=
nowhere=127.0.0.1:9 # refuses at once, so the other track answers

# where HOST:PORT: the same if the name is known now, else nowhere.
where() {
    if getent hosts "${1%:*}" >/dev/null 2>&1; then echo "$1"; else echo "$nowhere"; fi
}

# look: notes what both names stand for now in $production_at and $candidate_at. A track that is down keeps its last address: nginx
# finds it closed and asks the other one, while reading the configuration anew would hang up on clients that keep their connections.
look() {
    found=$(getent ahostsv4 "${PRODUCTION%:*}" | cut -d' ' -f1 | sort -u) && [ -n "$found" ] && production_at=$found
    found=$(getent ahostsv4 "${CANDIDATE%:*}" | cut -d' ' -f1 | sort -u) && [ -n "$found" ] && candidate_at=$found
    :
}

render() {
    PRODUCTION=$(where "$PRODUCTION") CANDIDATE=$(where "$CANDIDATE") \
        envsubst '${BIND} ${ROUTER_PORT} ${PRODUCTION} ${CANDIDATE} ${SALT} ${PER_ADDRESS} ${TRUSTED} ${WEIGHTS} ${PAGES} ${RUN}' \
        </router/nginx.conf.template >"$RUN/nginx.conf.next"
    mv "$RUN/nginx.conf.next" "$RUN/nginx.conf"
}

# follow PID: has that nginx read its configuration again whenever a track has come up at another address.
follow() {
    look
    known=$production_at/$candidate_at
    while sleep "${FOLLOW_SECONDS:-2}"; do
        look
        [ "$production_at/$candidate_at" = "$known" ] && continue
        known=$production_at/$candidate_at
        render
        kill -HUP "$1" || exit 0
    done
}
