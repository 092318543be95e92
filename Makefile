.PHONY: setup run cluster link demo test fuzz faults lint bench gpu-check sbom backup verify-backup restore migrate-to-postgres

setup: ; @scripts/setup.sh
run: setup ; @exec .venv/bin/python run.py
cluster: setup ; @exec .venv/bin/python -m scripts.cluster $(ARGS)
link: setup ; @.venv/bin/python -m app.link
demo: setup ; @exec .venv/bin/python -m scripts.demo $(ARGS)
test: setup ; @exec scripts/test.sh $(ARGS)
fuzz: setup ; @exec .venv/bin/python -m scripts.fuzz $(ARGS)
faults: setup ; @exec .venv/bin/python -m pytest tests/faults --times 1 $(ARGS)
lint: setup ; @scripts/lint.sh
bench: setup ; @exec .venv/bin/python -m scripts.bench $(ARGS)
sbom: ; @scripts/sbom.sh
gpu-check: setup ; @exec .venv/bin/python scripts/gpu $(ARGS)
backup: setup ; @exec .venv/bin/python -m scripts.snapshot make $(TO)
verify-backup: setup ; @exec .venv/bin/python -m scripts.snapshot verify $(FROM)
restore: setup ; @exec .venv/bin/python -m scripts.snapshot restore $(FROM)
migrate-to-postgres: setup ; @exec .venv/bin/python -m scripts.migrate_to_postgres $(TO)
