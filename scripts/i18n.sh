#!/usr/bin/env bash
# Texts of the code → app/translations/pt_BR: extract, update, take in app/translations/_pending/*.json, compile.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
"$python" scripts/i18n.py
"$python" -m babel.messages.frontend compile --statistics -d app/translations
