#!/usr/bin/env bash
# What every other target needs: .venv from requirements-dev.lock, translations, folders, database. Twice changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if fits "$name"; then # a shim may stand in the path for a Python that is not there: run it
            echo "$name"
            return
        fi
    done
    stop "Python 3.11 or newer is needed and was not found." "Install it, or name it: make setup PYTHON=/path/to/python"
}

stamp() { # what .venv was made from
    .venv/bin/python -c 'import hashlib, sys
print(hashlib.sha256(open("requirements-dev.lock", "rb").read()).hexdigest(), sys.version)'
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        stop "$python has no venv module. On Debian and Ubuntu: sudo apt-get install python3-venv"
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

install() {
    local quiet=(--quiet)
    [ -t 1 ] && quiet=() # a person sees what is downloaded; a log has no use for it
    echo "Installing requirements-dev.lock into .venv (the first time this takes some minutes and about 8 GB of disk)"
    rm -f .venv/setup-stamp
    # The lock names every package. --no-deps: pip before 23.3 looks up "pydantic[email]" beside the pinned pydantic,
    # and refuses it as soon as a newer one is released.
    .venv/bin/python -m pip install "${quiet[@]}" --disable-pip-version-check --require-hashes --no-deps \
        -r requirements-dev.lock
    stamp >.venv/setup-stamp
}

compile_translations() {
    local po
    for po in app/translations/*/LC_MESSAGES/*.po; do
        if [ -e "$po" ] && [ ! "${po%.po}.mo" -nt "$po" ]; then
            .venv/bin/pybabel --quiet compile --directory app/translations
            return
        fi
    done
}

fits .venv/bin/python || make_venv
[ "$(cat .venv/setup-stamp 2>/dev/null)" = "$(stamp)" ] || install
compile_translations
.venv/bin/python -m scripts.prepare
