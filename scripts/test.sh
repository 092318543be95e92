#!/usr/bin/env bash
# All tests, or those of the arguments, in three processes. A few that failed are run once more, alone: one that passes
# then fails only beside others. It is named at the end, and does not fail the run (as CPython's regrtest does).
set -uo pipefail
cd "$(dirname "$0")/.." || exit
pytest=(.venv/bin/python -m pytest)
most=5 # more than these is no accident

# Files of tests lie in memory where there is room for them: hundreds of servers and thousands of small databases wait for
# the disk at each commit, and nothing that a test says depends on what outlasts a power cut. TMPDIR says another place.
memory=/dev/shm/tests-$UID
room=$((8 * 1024 * 1024)) # kB
has_room() {
    [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -ge "$room" ] 2>/dev/null &&
        [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -ge $((room + room / 2)) ]
}
runs_programs() { # tests write some; /dev/shm of a container may not let them
    mkdir -p -m 755 "$memory" && [ -O "$memory" ] && install -m 755 /bin/true "$memory/true" && "$memory/true"
}
if [ -z "${TMPDIR:-}" ] && has_room && runs_programs; then export TMPDIR=$memory; fi

cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT

# Hundreds of processes import the application. Each would compile it where the environment keeps what was compiled from
# being stored, as images of containers do. Three processes share the cores, and models this small gain nothing from more
# threads than one, which only wait for each other; what depends on the number of threads is tested with its own.
export PYTHONDONTWRITEBYTECODE='' OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# A worker that crashes ends the run: xdist would give its files to another one, and wait for ever.
parallel=(-n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0)
"${pytest[@]}" "${parallel[@]}" -o cache_dir="$cache" "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status"

failed=$(.venv/bin/python -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$cache/v/cache/lastfailed") || exit 1
count=$(wc -l <<<"$failed")
if [ "$count" -gt "$most" ]; then
    echo "$count tests failed: too many to try again."
    exit 1
fi
printf '== Once more, alone:\n%s\n' "$failed"
mapfile -t failed <<<"$failed"
"${pytest[@]}" -n 0 "${failed[@]}" || exit
printf 'UNSTEADY: failed beside other tests, passed alone: %s\n' "${failed[@]}"
