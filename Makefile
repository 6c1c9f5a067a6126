# The front door. `make help` tells what there is; CONTRIBUTING.md tells how to work here.
# Needs: make, Python >= 3.11 with venv or pip, the Python and npm registries. No root, no Node.

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=

# The one place that says which uv builds the environments.
UV_VERSION := 0.13.9
UV ?= .cache/uv-$(UV_VERSION)/bin/uv

MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH
# Behind a proxy that signs for itself only the system's certificates know the registry.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS := 1
endif
# Caches stand below HOME; where there is none, or none to write to, they stand here.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo usable),usable)
export HOME := $(CURDIR)/.cache/home
endif

# Environments are built by one make at a time; where flock is missing, one runs at a time by habit.
LOCKED := $(if $(shell command -v flock 2>/dev/null),flock .cache/make.lock,)

BIN := .venv/bin
TESTED := .venv-test/bin
PLACES := $(wildcard src tests tools bench) hatch_build.py
QUICK := $(wildcard $(addprefix tests/,house core services contracts http config cli docs lab))

.DEFAULT_GOAL := help
.PHONY: help run lint check test wheel bench scoreboard reference format lock clean uv chromium proxies

help: ## This list
	@echo "Tidegate. What you can do here:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: .venv/.ready-run ## Start the service (ARGS="--port 9000 --status-port 9001 --operator-port 9002")
	exec $(BIN)/tidegate serve $(ARGS)

lint: .venv/.ready-check .cache/web-checked ## Format, lint and types, of the web chat too
	$(BIN)/ruff format --check $(PLACES)
	$(BIN)/ruff check $(PLACES)
	$(BIN)/mypy $(PLACES)

check: lint ## What `make lint` does, and the quick tests: about a minute, no services
	$(BIN)/pytest $(QUICK) -m "not integration and not slow and not browser" $(PYTEST_ARGS)

test: .venv-test/.ready chromium proxies ## Everything, against the wheel: all tests, coverage and its ratchet
	@mkdir -p .cache/coverage && rm -f .cache/coverage/data*
	@$(TESTED)/python tools/tested_wheel.py
	$(TESTED)/python tools/lanes.py $(PYTEST_ARGS)
	@$(TESTED)/coverage combine --quiet
	@rm -f .cache/coverage/data.* # what processes killed in mid-write left; it is told once
	@$(TESTED)/coverage report --skip-covered --show-missing > .cache/coverage/report.txt
	@$(TESTED)/coverage json --quiet -o .cache/coverage/report.json
	$(TESTED)/python tools/coverage_ratchet.py .cache/coverage/report.json

wheel: $(UV) ## Build the wheel into dist/
	@rm -rf dist
	$(UV) build --wheel --python $(PYTHON)

bench: .venv/.ready-check ## Measure: every script in bench/
	@set -e; for script in $(filter-out $(addprefix bench/,service.py accounts.py attackers.py load.py peers.py worlds.py gating.py proxies.py upstreams.py streams.py turns.py floor.py solving.py newcomers.py arrivals.py chromium.py garbage.py lab_responder.py lab_staging.py),$(sort $(wildcard bench/*.py))); do echo "== $$script"; $(BIN)/python $$script; done

scoreboard: .venv/.ready-check ## Play every scenario with the gate and without: renews docs/scoreboard.md
	$(BIN)/python -m tools.scoreboard $(ARGS)

reference: .venv/.ready-check ## Renew docs/reference/ from the code
	$(BIN)/python -m tools.reference

format: .venv/.ready-check ## Format and fix what can be fixed by itself
	$(BIN)/ruff check --fix-only --quiet $(PLACES)
	$(BIN)/ruff format $(PLACES)

lock: $(UV) ## Resolve the dependencies of pyproject.toml anew into uv.lock
	$(UV) lock --python $(PYTHON)

clean: ## Remove environments, caches and builds; data stays
	rm -rf .venv .venv-test .cache dist build .hypothesis .coverage web/node_modules src/tidegate/http/web/dist src/tidegate/lab/report/dist

uv: $(UV)

chromium:
	@sh tools/get_chromium.sh

proxies:
	@sh tools/get_proxies.sh

# ---------------------------------------------------------------- environments
# A stamp lies in its environment and is newer than what that was made from, so nothing is installed
# twice. When another make held the lock and did the same work, uv finds it done and answers at once.

# The web chat is built by hatch_build.py, with a Node of its own, whenever its sources changed.
WEB := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/build/*' 2>/dev/null) src/tidegate/http/pages/tokens.css
INGREDIENTS := uv.lock pyproject.toml Makefile hatch_build.py $(WEB)
SHIPPED := $(shell find src -type f -not -path '*/__pycache__/*' -not -path '*/dist/*' 2>/dev/null)

# --inexact: what `make check` has put into .venv stays when `make run` comes by.
.venv/.ready-run: $(INGREDIENTS) | $(UV)
	@mkdir -p .cache
	$(LOCKED) $(UV) sync --frozen --inexact --python $(PYTHON)
	@touch $@

.venv/.ready-check: $(INGREDIENTS) | $(UV)
	@mkdir -p .cache
	$(LOCKED) $(UV) sync --frozen --inexact --group dev --python $(PYTHON)
	@touch $@ .venv/.ready-run

# Node beside it for this once, as in the build of the package.
.cache/web-checked: $(WEB) hatch_build.py tools/check_web.py | $(UV)
	@mkdir -p .cache
	$(LOCKED) $(UV) run --quiet --no-project --isolated --python $(PYTHON) --with hatchling \
	  --with "$$(sed -n 's/^NODE = "\(.*\)"/\1/p' hatch_build.py)" python tools/check_web.py
	@touch $@

# The lock's packages and the wheel, and nothing of the tree: what is tested is what is shipped. Compiled, as pip
# does: tests start the program hundreds of times, and where nothing may write bytecode each start would compile anew.
.venv-test/.ready: $(INGREDIENTS) $(SHIPPED) | $(UV)
	@mkdir -p .cache
	UV_PROJECT_ENVIRONMENT=.venv-test UV_COMPILE_BYTECODE=1 $(LOCKED) sh -ec '\
	  rm -rf dist; \
	  $(UV) build --wheel --python $(PYTHON); \
	  $(UV) sync --frozen --group dev --no-install-project --python $(PYTHON); \
	  $(UV) pip install --python $(TESTED)/python --no-deps --reinstall dist/*.whl'
	@touch $@

.cache/uv-$(UV_VERSION)/bin/uv:
	@mkdir -p .cache $(HOME)
	$(LOCKED) sh tools/get_uv.sh "$(PYTHON)" "$(UV_VERSION)"
