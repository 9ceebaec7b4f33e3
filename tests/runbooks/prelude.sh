# What docs/runbooks/README.md defines for real machines, on loopback: every node has a directory below $STAGE.
set -u
on()    { shift; "$@"; }
url()   { cat "$STAGE/$1/url"; }
peer()  { cat "$STAGE/$1/peer"; }
conf()  { printf '%s\n' "$STAGE/$1/node.toml"; }
data()  { cat "$STAGE/$1/data-dir"; }
why()   { tail -n 1 "$STAGE/$1/log"; }
ready() { until curl -fs -o /dev/null "$(url "$1")/readyz"; do runs "$1" || return 1; sleep 0.2; done; }
# One that ended counts as gone before whoever started it has looked.
runs()  { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(cat "$STAGE/$1/pid")/status"; }
start() {
    nohup eureka-raft serve --config "$(conf "$1")" >>"$STAGE/$1/log" 2>&1 3>&- </dev/null &
    printf '%s\n' "$!" >"$STAGE/$1/pid"
    disown
}
stop() {
    runs "$1" || return 0
    kill -TERM "$(cat "$STAGE/$1/pid")"
    while runs "$1"; do sleep 0.1; done
}
