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

shell_scripts=(scripts/*.sh .ci/run)

check_bash() {
    local file
    for file in "${shell_scripts[@]}"; do bash -n "$file" || return 1; done
}

check_scripts_of_pages() { # they are modules, which node knows only by --input-type
    local file result=0
    while IFS= read -r file; do
        node --input-type=module --check <"$file" || { echo "in $file" && result=1; }
    done < <(find app/static -name '*.js' -not -path '*/vendor/*' 2>/dev/null)
    return "$result"
}

check "ruff check" .venv/bin/ruff check .
check "ruff format" .venv/bin/ruff format --check .
check "mypy" .venv/bin/mypy
check "bash -n" check_bash
if command -v shellcheck >/dev/null; then check "shellcheck" shellcheck --severity=warning "${shell_scripts[@]}"; fi
if command -v node >/dev/null; then check "node --check" check_scripts_of_pages; fi
exit "$failed"
