# The commands of the project. Everything they install goes into the folder VENV, which PYTHON makes.
.DEFAULT_GOAL := help
.PHONY: help run test check bench lock same-python

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NEEDED := Python 3.11 or newer is needed; set PYTHON=/path/to/python3.
VERSION_OF = $(1) -c 'import sys; print(*sys.version_info[:3], sep=".")'
# Dozens of processes start during the suite: what one has compiled, the next need not.
export PYTHONDONTWRITEBYTECODE :=

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY)  ## set everything up and serve the demo; PORT=8000 EMULATOR_PORT=4566 say where
	@exec $(BIN)/python manage.py demo

test: $(READY)  ## set everything up and run the whole suite; ARGS="-k name" narrows it, AWS=1 asks AWS itself
	@$(BIN)/python -m pytest $(if $(AWS),-m aws --force-enable-socket tests/contract,-n auto --dist loadfile --no-loadscope-reorder) $(ARGS)

check: $(READY)  ## style, types, imports, template, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	set -a; . .ci/deploy.env; set +a; $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/cfn-lint infra/*.yaml
	set -a; . .ci/deploy.env; set +a; export DATABASE_URL=sqlite://:memory:; $(BIN)/python manage.py makemigrations --check --dry-run
	set -a; . .ci/deploy.env; set +a; $(BIN)/python manage.py check --deploy --fail-level WARNING

bench: $(READY)  ## the benchmarks, each against its own baseline in one run
	@for question in benchmarks/[a-z]*.py; do echo "== $$question"; $(BIN)/python $$question || exit 1; done

lock: $(READY)  ## resolve requirements*.in again and write the hashes
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" requirements-dev.in -o requirements-dev.txt

# uv installs the lock in seconds; where it cannot be had, pip installs the same lock.
$(READY): requirements-dev.txt | same-python
	@command -v $(PYTHON) >/dev/null || { echo "$(NEEDED)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(NEEDED)"; exit 1; }
	@echo "Setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@grep -A 40 '^uv==' requirements-dev.txt | awk 'NR > 1 && !/^ /{exit} {print}' > $(VENV)/uv.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt && \
	  $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.txt || \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $(READY)

# Who asks for a Python by name must not get another one, only because the folder is there already.
same-python:
ifneq ($(origin PYTHON),file)
	@[ ! -e $(BIN)/python ] || [ "$$($(call VERSION_OF,$(BIN)/python))" = "$$($(call VERSION_OF,$(PYTHON)))" ] || \
	  { echo "$(VENV) was made by another Python than $(PYTHON); give it its own folder: VENV=.venv-other"; exit 1; }
endif
