# Two commands do everything: `make demo` and `make test`. The rest is for those who change the code.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := LACUNA_DEMO=1 LACUNA_DATA_DIR=$(CURDIR)/data/demo

PYTEST := $(BIN)/python -m pytest -q
# What fails beside others on a busy machine is run once more, alone: what fails twice, fails.
AGAIN := $(PYTEST) --last-failed --last-failed-no-failures none
# A PostgreSQL cluster of the command's own, gone with it.
ON_POSTGRES := $(BIN)/python -m tests.postgres
# Each run has a directory for what it reports at its end and for what has failed, so that several go on at once.
REPORT := -rfE -o cache_dir=$$LACUNA_TEST_REPORT/cache

# What a killed process wrote is there for the next one, on a disk or in memory: only where the power fails does
# the disk count, and tests/patients/vault/test_powerloss.py has that. Memory spares thousands of waits for it.
SCRATCH := $(shell test -w /dev/shm && [ "$$(df --output=avail -m /dev/shm | tail -1)" -gt 300 ] && mktemp -u /dev/shm/lacuna-XXXXXX)
TORTURE := $(PYTEST) -n auto --dist worksteal -m torture $(if $(SCRATCH),--basetemp=$(SCRATCH)) $(ARGS) tests/torture; \
	status=$$?; rm -rf $(SCRATCH); exit $$status

.PHONY: help demo test torture lint bench format messages

help: ## Say what there is to run
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/runtime: requirements.txt
	@echo "Installing what Lacuna needs (once) ..."
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed, as $(PYTHON)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/development: requirements-dev.txt | $(VENV)/runtime
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/runtime ## Load the demonstration clinic and open it: watch memories fade
	@$(DEMO) $(BIN)/python manage.py demo

test: $(VENV)/development ## Run every test, on SQLite and on PostgreSQL
	@$(BIN)/python -m tests.packages
	@export LACUNA_TEST_REPORT=$$(mktemp -d) && trap 'rm -rf "$$LACUNA_TEST_REPORT"' EXIT && status=0; \
	 { $(PYTEST) $(REPORT) -n auto --dist worksteal $(ARGS) || $(AGAIN) $(REPORT); } && \
	 { $(ON_POSTGRES) $(PYTEST) $(REPORT) -n auto --dist worksteal -m "django_db and not browser and not torture" \
	   $(ARGS) || $(ON_POSTGRES) $(AGAIN) $(REPORT); } || status=$$?; \
	 $(BIN)/python -m tests.report "$$LACUNA_TEST_REPORT"; exit $$status

torture: $(VENV)/development ## Fail and kill a night at its every write, on both databases (a quarter of an hour)
	@$(BIN)/python -m tests.packages
	@$(TORTURE)
	@$(ON_POSTGRES) $(TORTURE)

lint: $(VENV)/development ## Check style, types, templates and the order of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/djlint templates --lint --quiet

bench: $(VENV)/development ## Measure what is claimed about speed, side by side
	@$(BIN)/python -m tests.bench

format: $(VENV)/development ## Bring all files into the house's style
	@$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format --quiet .

messages: $(VENV)/development ## Collect the texts to translate and compile the translations
	@$(BIN)/python manage.py makemessages --all --no-location --no-obsolete
	@$(BIN)/python manage.py compilemessages --ignore=$(VENV) --ignore=data
