# Two commands do everything: `make demo` and `make test`. The rest is for those who change the code.
# Works with GNU Make 3.81 and bash 3.2, which macOS has.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The interpreter, else .ci/interpreter takes the newest supported one on the PATH: make demo PYTHON=python3.12
export PYTHON
# DJANGO=newest puts the newest Django over the lock, unpinned, in an environment of its own.
export DJANGO
VENV ?= .venv$(if $(DJANGO),-django-$(DJANGO))
BIN := $(VENV)/bin
DEMO := LACUNA_DEMO=1 LACUNA_DATA_DIR=$(CURDIR)/data/demo
# Hundreds of processes start in a run; without compiled modules each takes a fifth longer, and collecting tests three
# times as long.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest -q
# A PostgreSQL cluster of the command's own, gone with it.
ON_POSTGRES := $(BIN)/python -m tests.postgres

# Run the tests that $(2) selects, by the command $(1). What fails beside others on a busy machine is run once more,
# alone: what fails twice, fails. pytest ends with 1 where tests failed; anything else no second run may hide.
TESTS = { $(1) $(PYTEST) $(REPORT) -n auto --dist worksteal $(2) $(ARGS) || \
	{ test $$? = 1 && $(1) $(PYTEST) $(REPORT) --last-failed --last-failed-no-failures none $(2) $(ARGS); }; }
# Run $(1), then say how long its runs took and what they skipped. Each `make` has a directory for that and for what
# has failed, so that several can go on at once.
REPORT := -rfE -o cache_dir=$$LACUNA_TEST_REPORT/cache
REPORTED = export LACUNA_TEST_REPORT=$$(mktemp -d) && trap 'rm -rf "$$LACUNA_TEST_REPORT"' EXIT && status=0; \
	{ $(1); } || status=$$?; $(BIN)/python -m tests.report "$$LACUNA_TEST_REPORT"; exit $$status

TORTURE = $(1) $(PYTEST) -n auto --dist worksteal -m torture $(ARGS) tests/torture

UV = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet $(ARGS)

.PHONY: help demo test quick torture guards lint lock bench format messages always

help: ## Say what there is to run
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Nothing happens where the environment is built already, with this interpreter and these locks.
$(VENV)/runtime $(VENV)/development: always
	@.ci/environment $(VENV) $(@F)

demo: $(VENV)/runtime ## Load the demonstration clinic and open it: watch memories fade
	@$(DEMO) $(BIN)/python manage.py demo $(ARGS)

test: $(VENV)/development ## Run every test, on SQLite and on PostgreSQL
	@$(BIN)/python -m tests.packages
	@$(call REPORTED,$(call TESTS) && $(call TESTS,$(ON_POSTGRES),-m "both_databases and not browser and not torture"))

quick: $(VENV)/development ## Run the short tests that need no browser, on SQLite, without killing processes
	@$(BIN)/python -m tests.packages --quick
	@$(call REPORTED,$(call TESTS,,-m "not browser and not processes and not torture and not migrations and not long"))

torture: $(VENV)/development ## Fail and kill a night at its every write, on both databases (a third of an hour)
	@$(BIN)/python -m tests.packages
	@$(call TORTURE)
	@$(if $(filter sqlite,$(ON)),,$(call TORTURE,$(ON_POSTGRES)))

guards: $(VENV)/development ## Remove one guard at a time and list those that no test misses (hours)
	@$(BIN)/python -m tests.guards $(ARGS)

lint: $(VENV)/development ## Check style, types, templates and the order of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/djlint templates --lint --quiet

lock: $(VENV)/development ## Pin what pyproject.toml asks for, for every supported Python (ARGS=--upgrade: the newest)
	@$(UV) pyproject.toml -o requirements.txt
	@$(UV) --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

bench: $(VENV)/development ## Measure what is claimed about speed, side by side
	@$(BIN)/python -m tests.bench

format: $(VENV)/development ## Bring all files into the house's style
	@$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format --quiet .

messages: $(VENV)/development ## Collect the texts to translate and compile the translations
	@$(BIN)/python manage.py makemessages --all --no-location --no-obsolete
	@$(BIN)/python manage.py compilemessages --ignore='.venv*' --ignore=data
