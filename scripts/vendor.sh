#!/usr/bin/env bash
# Copy the front-end libraries that package.json pins to app/static/vendor. Give a node_modules folder to use that one.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=${1:-}
if [ -z "$modules" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp package.json package-lock.json "$work"
    npm ci --ignore-scripts --no-audit --no-fund --prefix "$work"
    modules=$work/node_modules
fi
to=app/static/vendor
rm -rf "$to"
copy() { # PACKAGE FOLDER FILE...
    local package=$1 folder=$2
    shift 2
    mkdir -p "$to/$folder"
    for file in "$@"; do
        cp "$modules/$package/$file" "$to/$folder/$(basename "$file")"
        sed -i '/sourceMappingURL=/s|[/*#@ ]*sourceMappingURL=[^ *]*\( \*/\)\?||' "$to/$folder/$(basename "$file")"
    done
    cp "$modules/$package"/LICENSE* "$to/$folder/" 2>/dev/null || true
}
copy bootstrap bootstrap dist/css/bootstrap.min.css dist/js/bootstrap.bundle.min.js
copy bootstrap-icons bootstrap-icons font/bootstrap-icons.min.css
mkdir -p "$to/bootstrap-icons/fonts"
cp "$modules"/bootstrap-icons/font/fonts/*.woff "$to/bootstrap-icons/fonts/"  # pages load what scripts/icons.py makes of it
copy chart.js chartjs dist/chart.umd.min.js
copy chartjs-plugin-zoom chartjs-plugin-zoom dist/chartjs-plugin-zoom.min.js
copy hammerjs hammerjs hammer.min.js
copy socket.io-client socket.io-client dist/socket.io.min.js
copy tus-js-client tus-js-client dist/tus.min.js
copy swagger-ui-dist swagger-ui swagger-ui.css swagger-ui-bundle.js swagger-ui-standalone-preset.js
cp "$modules/swagger-ui-dist/favicon-32x32.png" "$to/swagger-ui/"
