#!/usr/bin/env bash
# What the product is made of, as CycloneDX: sbom-output/python.cdx.json of requirements.lock, with hashes, and
# sbom-output/browser.cdx.json of the libraries in app/static/vendor.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
mkdir -p sbom-output
python3 -m venv "$tool" && "$tool/bin/pip" install --quiet --disable-pip-version-check 'cyclonedx-bom>=7.5,<8'
# The warning says that a lock file has no order of dependencies.
PYTHONWARNINGS=ignore "$tool/bin/cyclonedx-py" requirements requirements.lock --pyproject pyproject.toml \
    --output-reproducible --of JSON -o "$tool/python.cdx.json"
npm sbom --sbom-format cyclonedx --omit dev --package-lock-only >"$tool/browser.cdx.json"
mv "$tool"/*.cdx.json sbom-output/
ls sbom-output/*.cdx.json
