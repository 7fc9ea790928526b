# Everything is installed into .venv, from requirements.lock. `make` alone lists the targets.
#
#   make demo OUT=elsewhere          another folder for what it makes
#   make demo OVERWRITE=true         replaces what an earlier demo made
#   make test ARGS="-k masks"        any option of pytest
#   make setup PYTHON=/path/python   instead of the first suitable one on PATH
#   make label-demo PORT=8001        another port for the server
#   make release URL=https://...     with large_files.yml: where the weights will lie

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --no-compile -q
READY := $(VENV)/.ready
LABEL := .venv-label
LABEL_READY := $(LABEL)/.ready
LABEL_PIP := $(LABEL)/bin/python -m pip install --disable-pip-version-check --no-compile -q
RUN := $(PY) -m monai.bundle run
# only when asked: the command line reads no word but True and False as such, and "false" is a word
REPLACE = $(if $(filter true,$(OVERWRITE)), --overwrite True)
OUT ?= outputs/demo
OVERWRITE ?= false
PYTHON ?= python3.11 python3.12 python3.13 python3 python
ARGS ?=
URL ?=
PORT ?= 8000

# MONAI warns before each run that configs are code; these are the bundle's own
export PYTHONWARNINGS := ignore:parsing config_file
# where the caller keeps Python from storing what it compiles, each process would compile torch and MONAI anew: 6 s
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run-demo check test quick benchmark release label-demo label-test

help:
	@echo "make setup      make .venv, and nothing else"
	@echo "make demo       train, evaluate and reconstruct, on data made by code; figures in $(OUT)/figures"
	@echo "make check      format, lint and types, as CI asks for them"
	@echo "make test       all tests but those of times"
	@echo "make quick      the tests that take seconds"
	@echo "make benchmark  the tests of times, on a machine without other work"
	@echo "make release    the Model Zoo's zip and unit tests, in dist"
	@echo "make label-demo serve demo studies to Slicer, by MONAI Label in $(LABEL); make label-test tests the server"

setup: $(READY)

define make-venv
@for python in $(PYTHON); do \
    "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
        2>/dev/null && exec "$$python" -m venv $(1); \
done; \
echo "Python 3.11, 3.12 or 3.13 with venv (Debian: python3-venv) is needed, and not among: $(PYTHON);" \
    "install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1
endef

# torch first and by itself: what comes after it finds it in place, and draws in no other build of it
# --no-compile: Python compiles what it imports, once; pip would compile all, in minutes
$(READY): requirements.lock
	$(call make-venv,$(VENV))
	@echo "Installing into $(VENV): 3 GB, a minute or more ..."
	@$(PIP) "$$(grep '^torch==' requirements.lock)"
	@$(PIP) -r requirements.lock
	@touch $@

# each step refuses to replace outputs; asked first, so that the answer is in make's own words
demo: $(READY)
	@if [ "$(OVERWRITE)" = true ] || [ -z "$$(ls -A "$(OUT)" 2>/dev/null)" ]; then \
	    $(MAKE) --no-print-directory run-demo; \
	elif ls "$(OUT)"/*_recon.nii.gz >/dev/null 2>&1; then \
	    echo "The demo is there: see $(OUT)/figures; make demo OVERWRITE=true runs it anew."; \
	else \
	    echo "$(OUT) holds something else, or a demo that did not end; make demo OVERWRITE=true replaces it," \
	        "make demo OUT=... takes another folder." >&2; exit 1; \
	fi

run-demo:
	$(RUN) training --config_file "['configs/train.yaml','configs/demo.yaml']" \
	    --output_dir "$(OUT)"$(REPLACE)
	$(RUN) evaluating --config_file "['configs/train.yaml','configs/evaluate.yaml','configs/demo.yaml']" \
	    --output_dir "$(OUT)"$(REPLACE)
	pair=$$($(PY) -c "import json; test = json.load(open('demo_data/datalist.json'))['test'][0]; \
	    print(test['t1'], test['t2'])") && set -- $$pair && \
	$(RUN) inference --config_file configs/inference.yaml --t1 "demo_data/$$1" --t2 "demo_data/$$2" --image_size 128 \
	    --checkpoint "$(OUT)/model.pt" --output_dir "$(OUT)"$(REPLACE)
	@echo "Figures: $(OUT)/figures, metrics: $(OUT)/metrics.csv, reconstruction: $$(ls "$(OUT)"/*_recon.nii.gz)"

check: $(READY)
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

test: $(READY)
	$(PY) -m pytest -q --durations=10 -m "not benchmark" $(ARGS)

quick: $(READY)
	$(PY) -m pytest -q -m "not slow and not benchmark" $(ARGS)

benchmark: $(READY)
	$(PY) -m pytest -q -m benchmark $(ARGS)

release: $(READY)
	@$(PY) -m release.build$(if $(URL), --large_files "$(URL)")

# MONAI Label in an environment of its own, as its pins clash with ours; --no-deps, as one of them brings torch again
$(LABEL_READY): requirements-label.lock tests/label/torchvision_operators.py
	$(call make-venv,$(LABEL))
	@echo "Installing into $(LABEL): 2 GB, minutes ..."
	@$(LABEL_PIP) $$(grep -E '^torch(vision)?==' requirements-label.lock)
	@$(LABEL_PIP) --no-deps -r requirements-label.lock
	@$(LABEL)/bin/python -c 'import torchvision' 2>/dev/null || { \
	    site=$$($(LABEL)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	    cp tests/label/torchvision_operators.py "$$site" && \
	    echo import torchvision_operators > "$$site/torchvision_operators.pth"; }
	@touch $@

label-demo: $(LABEL_READY)
	$(LABEL)/bin/python -m bundle label outputs/label-demo --demo --port $(PORT)

label-test: $(LABEL_READY)
	$(LABEL)/bin/python -m pytest -q tests/label $(ARGS)
