#!/usr/bin/env bash
# Style, types, and the syntax of scripts and pages. Runs all of it, fails when any failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0

check() { # check NAME COMMAND...: quiet when it passes
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok    $name"
    else
        failed=1
        printf 'FAIL  %s\n%s\n' "$name" "$output"
    fi
}

# mypy takes about as long as all the others together, and one core: it runs beside them.
types=$(mktemp)
.venv/bin/mypy >"$types" 2>&1 &
mypy=$!
trap 'kill "$mypy" 2>/dev/null; rm -f "$types"' EXIT # Ctrl-C does not reach what runs in the background

finished_mypy() { # finished_mypy STATUS: what it wrote
    cat "$types"
    return "$1"
}

shell_scripts=(scripts/*.sh .ci/run)

check_bash() {
    local file
    for file in "${shell_scripts[@]}"; do bash -n "$file" || return 1; done
}

check_compose() { # what the schema does not know: names that lead nowhere, files that do not fit together
    local files
    for files in compose.yaml "compose.yaml -f deploy/compose.nginx.yaml" compose.cluster.yaml \
        "compose.cluster.yaml -f deploy/compose.object-store.yaml"; do
        # shellcheck disable=SC2086 # several words
        POSTGRES_PASSWORD=x STORAGE_URL=s3://a/b docker compose -f deploy/$files --profile cpu --profile gpu config --quiet || return 1
    done
}

check "ruff check" .venv/bin/ruff check .
check "ruff format" .venv/bin/ruff format --check .
check "icons" .venv/bin/python -m scripts.icons --check
check "bash -n" check_bash
check "compose files" .venv/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose*.yaml
check "kubernetes files" .venv/bin/python -m scripts.manifests
if docker compose version >/dev/null 2>&1; then check "docker compose config" check_compose; fi
if command -v shellcheck >/dev/null; then check "shellcheck" shellcheck --severity=warning "${shell_scripts[@]}"; fi
if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then
    check "node_modules" scripts/node_modules.sh
    check "eslint" node_modules/.bin/eslint .
    check "prettier" node_modules/.bin/prettier --check --log-level warn .
    check "tsc" node_modules/.bin/tsc --project .
    check "tsc, strict" node_modules/.bin/tsc --project tsconfig.strict.json
else
    echo "skip  eslint, prettier, tsc: they need Node.js 18 or newer, and npm"
fi
wait "$mypy"
check "mypy" finished_mypy $?
exit "$failed"
