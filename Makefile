# Everything that a person or a CI does with Roster; `make help` lists it.
# Needed: Python 3.11 or newer, and make. The first target that needs the environment makes it, from the hashed lock files, wheels only.

PYTHON ?= python3
VENV ?= .venv
ROSTER_VAR ?= var
ROSTER_PORT_BASE ?= 8000
N ?= 10000
SEED ?= 1
OUT ?= $(ROSTER_VAR)/synthetic
ROSTER_SECRETS ?= $(ROSTER_VAR)/secrets
TESTS ?=
MINUTES ?= 5
# Tests wait more than they work.
WORKERS ?= $(shell echo $$((1 + $$(getconf _NPROCESSORS_ONLN))))
ARGS ?=
SERVICE ?=
HEAD ?=

bin := $(VENV)/bin
packages := shared services/employees services/teams services/gateway
code := $(packages) tools tests bench
pip := $(bin)/python -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: --require-hashes
lock := $(bin)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock" $(patsubst %,--no-emit-package %,$(notdir $(packages)))
own := $(packages:%=%/pyproject.toml)

.PHONY: help run restart import synthetic secrets employees teams gateway reset-admin test compose-test check fix contracts fuzz contract-score pacts openapi openapi-diff release independence skew bench bench-peers faults lock verify-audit audit-head clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk 'BEGIN {FS = ":[^#]*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.run ## Start the three services here: data in ROSTER_VAR=var, ports from ROSTER_PORT_BASE=8000, Ctrl-C stops them
	@exec $(bin)/python -m tools.run --var "$(ROSTER_VAR)" --port-base "$(ROSTER_PORT_BASE)" $(ARGS)

restart: $(VENV)/.run ## Restart the services of a running `make run`, or SERVICE=name only, without refusing anybody
	@exec $(bin)/python -m tools.restart --var "$(ROSTER_VAR)" $(SERVICE)

import: $(VENV)/.run ## Load DIR/employees.csv, teams.csv and memberships.csv through the running gateway
	@exec $(bin)/python -m tools.import_directory --var "$(ROSTER_VAR)" --port-base "$(ROSTER_PORT_BASE)" $(ARGS) "$(DIR)"

synthetic: $(VENV)/.run ## Write an invented organisation of N=10000 people to OUT=var/synthetic, the same one for the same SEED=1
	@exec $(bin)/python -m tools.synthetic --people "$(N)" --seed "$(SEED)" "$(OUT)"

secrets: $(VENV)/.run ## Write the keys and passwords of a deployment to ROSTER_SECRETS=var/secrets, where they are missing
	@exec $(bin)/python -m tools.secrets "$(ROSTER_SECRETS)" $(ARGS)

# Open to everybody on this machine, so never on what `make run` keeps.
employees: $(VENV)/.run ## Start the employees service alone, on port 8001, open to this machine, on data of its own in ROSTER_VAR/alone
	@EMPLOYEES_OPEN=true EMPLOYEES_DATABASE_URL="sqlite:///$(ROSTER_VAR)/alone/employees.db" \
		EMPLOYEES_PORT=$$(($(ROSTER_PORT_BASE) + 1)) exec $(bin)/python -m employees serve

teams: $(VENV)/.run ## Start the teams service alone, on port 8002, in the same way
	@TEAMS_OPEN=true TEAMS_DATABASE_URL="sqlite:///$(ROSTER_VAR)/alone/teams.db" \
		TEAMS_PORT=$$(($(ROSTER_PORT_BASE) + 2)) exec $(bin)/python -m teams serve

gateway: $(VENV)/.run ## Start the gateway alone, on port 8000, in front of services that run already
	@exec $(bin)/python -m tools.run --only-gateway --var "$(ROSTER_VAR)" --port-base "$(ROSTER_PORT_BASE)"

reset-admin: $(VENV)/.run ## Give the account admin another password, printed and kept in ROSTER_VAR=var (ARGS=--help: other accounts); Roster may run or not
	@exec $(bin)/python -m tools.reset_admin --var "$(ROSTER_VAR)" $(ARGS)

verify-audit: $(VENV)/.run ## Look whether the logs of what make run keeps are as they were written; HEAD=file: also what audit-head said
	@exec $(bin)/python -m tools.audit verify --var "$(ROSTER_VAR)" $(if $(HEAD),--head "$(HEAD)")

audit-head: $(VENV)/.run ## Print where each log ends, to be kept elsewhere
	@exec $(bin)/python -m tools.audit head --var "$(ROSTER_VAR)"

test: $(VENV)/.dev ## Run the tests, or TESTS=path only; those that need PostgreSQL are skipped where none answers
	@exec $(bin)/python -m pytest -q -n $(WORKERS) $(ARGS) $(TESTS)

compose-test: $(VENV)/.dev ## Bring docker-compose.yml up with Docker, load an organisation, restart everything, compare, take it down: minutes
	@ROSTER_COMPOSE_TEST=1 exec $(bin)/python -m pytest -v $(ARGS) tests/deploy/test_stack.py

check: $(VENV)/.dev ## Lint, format, types and imports: reports, changes nothing
	$(bin)/ruff check $(code)
	$(bin)/ruff format --check $(code)
	$(bin)/mypy $(code)
	$(bin)/lint-imports --no-logo

fix: $(VENV)/.dev ## Apply the formatter and the safe fixes of the linter
	$(bin)/ruff check --fix $(code)
	$(bin)/ruff format $(code)

contracts: $(VENV)/.dev ## Run the tests of what the services owe each other (docs/contracts.md)
	@exec $(bin)/python -m pytest -q -n $(WORKERS) $(ARGS) tests/contract

fuzz: $(VENV)/.dev ## Try other requests each time for MINUTES=5, or those of SEED again: Schemathesis on each service and the gateway
	@exec $(bin)/python -m tools.contracts.exercise $(MINUTES) $(if $(filter command line environment,$(origin SEED)),$(SEED))

contract-score: $(VENV)/.dev ## Count how many faults of the providers' answers the contract tests catch: some minutes
	@exec $(bin)/python -m tools.contracts.score

pacts: $(VENV)/.dev ## Write contracts/pacts anew, from what the consumers ask
	@exec $(bin)/python -m tools.contracts pacts

openapi-diff: $(VENV)/.dev ## Tell in words what has changed since the last release, and whom it breaks
	@exec $(bin)/python -m tools.contracts diff

release: $(VENV)/.dev ## Freeze the contracts as VERSION=1.2.3, once and for all
	@exec $(bin)/python -m tools.contracts release "$(VERSION)"

independence: $(VENV)/.dev ## Build every package, install each alone, start it and run its tests there: minutes
	@exec $(bin)/python -m tools.independence $(ARGS)

skew: $(VENV)/.dev ## Mix services of the last release with today's
	@exec $(bin)/python -m tools.skew $(ARGS)

bench: $(VENV)/.dev ## Run the benchmarks against the usual way of writing the same service
	@exec $(bin)/python -m bench $(ARGS)

bench-peers: $(VENV)/.dev ## Install the proxies that the benchmarks measure beside: Envoy, Traefik, fastify (npm), nginx and wrk (Debian, as root)
	@$(pip) -r bench/proxies/requirements.txt
	@npm ci --silent --no-audit --no-fund --prefix bench/proxies/fastify
	@command -v wrk >/dev/null && test -x /usr/sbin/nginx || { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light wrk; } >/dev/null

faults: $(VENV)/.dev ## Break things on purpose, and tell in a line each what became of the rest (docs/operations.md)
	@exec $(bin)/python -m tools.faults $(ARGS)

lock: $(VENV)/.dev ## Write the requirement files anew from the pyproject.toml files (ARGS=--upgrade takes newer releases)
	$(lock) $(ARGS) --output-file requirements.txt $(own)
	$(lock) $(ARGS) --output-file requirements-dev.txt --constraint requirements.txt --group pyproject.toml:dev $(own)
	$(lock) $(ARGS) --output-file bench/proxies/requirements.txt bench/proxies/requirements.in

openapi: $(VENV)/.dev ## Take over into the gateway's OpenAPI document what its services' documents say of what is forwarded
	@$(bin)/python -m tools.openapi

clean: ## Remove the environment and the caches, never the data in var
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A stamp is written when its step is whole, so that an interrupted one runs again. The developers' packages hold the others.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Roster needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo "not there"). Name another: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) has no venv module that works (Debian: the package python3-venv)" >&2; exit 1; }
	@$(bin)/python -c 'import pathlib, sys, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "roster.pth").write_text("".join(str(pathlib.Path(p, "src").absolute()) + "\n" for p in sys.argv[1:]))' $(packages)
	@touch $@

$(VENV)/.run: requirements.txt $(VENV)/.made
	@echo "installing requirements.txt into $(VENV)"
	@$(pip) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.made
	@echo "installing requirements-dev.txt into $(VENV)"
	@$(pip) -r requirements-dev.txt
	@touch $(VENV)/.run $@
