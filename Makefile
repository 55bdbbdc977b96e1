# Everything a developer or an operator runs from a checkout. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
RUN := $(UV) run --no-sync

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; set PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv .uv || { echo "python3-venv is missing: apt-get install python3-venv"; exit 2; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: $(UV) pyproject.toml uv.lock
	@echo "installing rollguard and its tools into .venv"
	@$(UV) sync --frozen --all-extras --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

.PHONY: setup
setup: .venv/.ready ## install the project and its tools into .venv

.PHONY: demo
demo: setup ## a bad blue-green switch is caught and taken back, in a simulation, in under a minute (ARGS="--scenario ...")
	@$(RUN) rollguard demo $(ARGS)

.PHONY: test
test: setup test-programs check ## all checks and tests, on a real control plane
	@$(RUN) python -m pytest -n 3 --dist loadgroup $(ARGS)

.PHONY: check
check: setup ## style, types, import contracts
	@$(RUN) ruff format --check --quiet . && $(RUN) ruff check --quiet .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-logo 2>/dev/null || $(RUN) lint-imports

.PHONY: unit
unit: setup ## only the tests that need no cluster
	@$(RUN) python -m pytest -q tests/unit $(ARGS)

.PHONY: testbed
testbed: setup ## build or fetch the API server, etcd and Prometheus for the lab
	@$(RUN) python -m lab.programs

.PHONY: test-programs
test-programs: setup ## the same, Helm, Alertmanager and the check of dashboards, for the tests
	@$(RUN) python -m lab.programs helm alertmanager amtool dashboard-check

.PHONY: lab
lab: testbed ## bring up a real control plane with a model service, and say how to break it (ARGS=--no-guard: to install the guard yourself)
	@$(RUN) python -m lab up $(ARGS)

.PHONY: lab-scenario
lab-scenario: testbed ## play one story of the lab: make lab-scenario NAME=errors (without NAME: list them)
	@$(RUN) python -m lab $(if $(NAME),scenario $(NAME),scenarios)

.PHONY: docs-check
docs-check: testbed ## run the commands of the guides in a lab; fails where they print something else (ARGS=--write)
	@$(RUN) python -m lab.guide docs/first-day.md $(ARGS)

.PHONY: pictures
pictures: testbed ## draw the pictures of the command line, of the dashboards and of a mail for the docs anew
	@$(RUN) python -m lab.layouts
	@$(RUN) python -m lab.pictures
	@$(RUN) python -m lab.mailed

.PHONY: prove-alerts
prove-alerts: testbed ## which alerts fire in which scenario, expected and seen; fails where they differ
	@$(RUN) python -m tests.contract.prove_alerts

.PHONY: bench
bench: setup ## how fast the simulator plays, by room
	@$(RUN) python -m bench.simulation $(ARGS)

.PHONY: bench-help
bench-help: setup ## how long the command line takes to say its help (held to 0.25 s)
	@$(RUN) python -m bench.help

.PHONY: bench-render
bench-render: setup ## how long a policy with 1,000 watched workloads takes to become files
	@$(RUN) python -m bench.rendering

.PHONY: seeds
seeds: setup ## play many more seeds than the tests do: make seeds ARGS="0 100000" (or "0 15000 sets")
	@$(RUN) python -m tests.simulation.many $(ARGS)

.PHONY: fuzz
fuzz: setup ## check that no broken policy ends in a traceback: make fuzz ARGS="0 10000"
	@$(RUN) python -m tests.unit.policy.fuzz $(or $(ARGS),0 10000)

.PHONY: format
format: setup ## format the code
	@$(RUN) ruff format --quiet . && $(RUN) ruff check --fix --quiet .

.PHONY: golden
golden: setup ## renew the golden files (read the diff)
	@$(RUN) python -m pytest -q tests --renew-golden -m golden

.PHONY: clean
clean: ## remove what was installed and cached in the checkout
	@rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis
