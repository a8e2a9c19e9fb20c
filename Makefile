# The environments are built from pyproject.toml and constraints.txt, and again when one changes.
PYTHON ?= python3
PYTEST_ARGS ?=
DEMO_DIR ?= demo
BUNDLE_RUN ?= runs/neu-strip-small

LEAN := .venv
DEV := .venv-dev
DOCS := .venv-docs
READY := .installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs bundle bench clean distclean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(LEAN)/$(READY) ## Inspect a simulated coil of 120 m and write its report
	$(LEAN)/bin/stripscan demo --out $(DEMO_DIR)

test: lint ## Lint, types, architecture, then all tests
	@tests/install_peers.sh $(DEV)/bin/python
	$(DEV)/bin/pytest $(PYTEST_ARGS)

lint: $(DEV)/$(READY) ## Style, types and layers
	$(DEV)/bin/ruff check
	$(DEV)/bin/ruff format --check
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-logo

format: $(DEV)/$(READY) ## Apply the style
	$(DEV)/bin/ruff check --fix
	$(DEV)/bin/ruff format

docs: $(DOCS)/$(READY) ## Build the documentation into site/
	$(DOCS)/bin/mkdocs build --strict

bench: $(LEAN)/$(READY) ## Measure the chain, the engines, the conditioning and the gate on this machine
	$(LEAN)/bin/python benchmarks/chain.py
	$(LEAN)/bin/python benchmarks/engines.py
	$(LEAN)/bin/python benchmarks/conditioning.py
	$(LEAN)/bin/python benchmarks/gate.py

bundle: $(DEV)/$(READY) ## Train the default bundle again: make bundle DATA=/path/to/neu
	@test -n "$(DATA)" || { \
	    echo "Name the folder with neu-det, neu-seg and sd-saliency-900:" \
	        "make bundle DATA=/path/to/neu" >&2; exit 2; }
	mkdir -p $(dir $(BUNDLE_RUN))
	$(DEV)/bin/stripscan data split "$(DATA)" --seed 7 --out $(BUNDLE_RUN)-split.json
	$(DEV)/bin/stripscan train strip-small --data "$(DATA)" --split $(BUNDLE_RUN)-split.json \
	    --out $(BUNDLE_RUN)-defects
	$(DEV)/bin/stripscan train strip-small --data "$(DATA)" --split $(BUNDLE_RUN)-split.json \
	    --start $(BUNDLE_RUN)-defects/checkpoint.safetensors --epochs 12 --seed 8 \
	    --set optimiser.peak_lr=8e-4 --set optimiser.ema_decay=0.995 \
	    --set data.simulated=1.0 --set data.clean=0.7 --set clean_m2=10 \
	    --set false_alarms_per_m2=1.4 --out $(BUNDLE_RUN)
	$(DEV)/bin/stripscan export $(BUNDLE_RUN)/checkpoint.safetensors --data "$(DATA)" \
	    --split $(BUNDLE_RUN)-split.json --name neu-strip-small --precision fp32,fp16,int8 \
	    --out $(BUNDLE_RUN).zip
	$(DEV)/bin/stripscan train-gate $(BUNDLE_RUN)/checkpoint.safetensors --data "$(DATA)" \
	    --split $(BUNDLE_RUN)-split.json --out $(BUNDLE_RUN)-gate
	$(DEV)/bin/stripscan bundle add-gate $(BUNDLE_RUN).zip $(BUNDLE_RUN)-gate/gate.safetensors \
	    --out runtime/stripscan/models/neu-strip-small.zip

clean: ## Remove what the other targets wrote, but not the environments
	rm -rf $(DEMO_DIR) dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	    .import_linter_cache
	find runtime train export tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environments as well
	rm -rf $(LEAN) $(DEV) $(DOCS)

$(LEAN)/$(READY): EXTRAS :=
$(DEV)/$(READY): EXTRAS := [dev]
$(DOCS)/$(READY): EXTRAS := [docs]

%/$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	    echo "There is no '$(PYTHON)'. Install it: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "stripscan needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)." \
	        "Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' cannot make environments. Install what is missing:" \
	        "apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $*, once; this downloads packages and can take minutes."
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.$(EXTRAS)'
	@touch $@
