.PHONY: setup run demo test faults lint bench gpu-check

setup: ; @scripts/setup.sh
run: setup ; @exec .venv/bin/python run.py
demo: setup ; @exec .venv/bin/python -m scripts.demo $(ARGS)
test: setup ; @exec .venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)
faults: setup ; @exec .venv/bin/python -m pytest tests/faults --times 1 $(ARGS)
lint: setup ; @scripts/lint.sh
bench: setup ; @exec .venv/bin/python -m scripts.bench $(ARGS)
gpu-check: setup ; @exec .venv/bin/python scripts/gpu $(ARGS)
