# The two commands a newcomer needs are `make up` and `make test`. CI, the hooks and the README call these targets and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
RATCHET := .venv/bin/ratchet
PY := .venv/bin/python

.PHONY: compose-test env doctor install-test install-iac coverage image push-image train-report publish-report help up status logs restart down clean traffic test check bench-deciding format lock install sample bench-serving faults fuzz

help:  ## What can be made
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | column -t -s "$$(printf '\t')"

install:  ## What is missing on this machine: uv, the locked environment, nginx, Prometheus, Alertmanager
	@tools/install run

up: install  ## Start the whole loop on this machine
	@$(RATCHET) up

status:  ## What runs where
	@$(RATCHET) status

logs:  ## A service's log: make logs S=router
	@$(RATCHET) logs "$(S)"

restart:  ## Restart one service: make restart S=router
	@$(RATCHET) restart "$(S)"

down:  ## Stop; data stays
	@$(RATCHET) down

clean:  ## Stop and forget everything, after asking
	@$(RATCHET) clean

traffic:  ## Realistic users for two and a half minutes, then a verdict
	@$(RATCHET) traffic

test:  ## Install what is needed and run everything: checks, unit, contract, DAG and end-to-end tests
	@tools/install test
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -q

bench-serving:  ## What serving can do beside a bare Flask no-op: ratios, medians (about three minutes; PARTS="hot log router")
	@PYTHONPATH=src:.:tests:tests/bench/serving $(PY) tests/bench/serving/run.py $(PARTS)

compose-test:  ## Build the images and run the loop's tests against the composed stack, overlays included (needs a container engine)
	@tools/compose-test

env:  ## A .env with secrets of your own, for containers
	@$(RATCHET) env

doctor:  ## Check every setting, port, credential and version, and say what to do
	@$(RATCHET) doctor

install-test:  ## That, and what `make test` and `make check` need
	@tools/install test

install-iac:  ## The locked environment that Pulumi programs run in
	@tools/install test

coverage:  ## Which lines the unit tests run: .ci-artifacts/coverage
	@tools/install test
	@mkdir -p .ci-artifacts/coverage
	@$(PY) -m pytest -q --cov=ratchet --cov=inference --cov-report=html:.ci-artifacts/coverage --cov-report=term:skip-covered tests/unit | tail -n 60

image:  ## Build one image: make image IMAGE=inference (router, loop, mlflow, dashboard)
	@tools/image build "$(IMAGE)"

push-image:  ## Push it as latest, by its commit and, on a tag, by its version
	@tools/image push "$(IMAGE)"

train-report:  ## Ingest, train, and leave the release's card, plots and a summary in .ci-artifacts/train
	@tools/train-report

publish-report:  ## That summary on the workflow's run and, if there is one, on the pull request
	@tools/train-report publish

faults:  ## Everything around serving fails for a minute, under load: no forecast fails, none is missing from the log
	@FAULT_SECONDS=60 FAULT_KILLS=20 FAULT_SWAPS=50 FAULT_SWAP_EVERY=6 $(PY) -m pytest -q tests/faults --durations=0

fuzz:  ## Thousands of generated requests against what /openapi.json promises: make fuzz N=500 (examples per operation)
	FUZZ_EXAMPLES=$(or $(N),500) $(PY) -m pytest -q --timeout 3600 tests/unit/inference/test_schema_holds.py

check:  ## What hooks and CI run before any test: style, types, import rules, configuration
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache | tail -n 12; exit $${PIPESTATUS[0]}
	cd monitoring/prometheus && promtool check rules rules.yml && promtool test rules rules_test.yml
	amtool check-config monitoring/alertmanager/alertmanager.yml
	$(PY) -m ratchet.stack.check_router
	@tools/check-configuration

bench-deciding:  ## The numbers the policy has to reach, 1,000 experiments a cell (at most 45 minutes, continues where it was stopped)
	timeout 2700 $(PY) tests/bench/deciding/bench_deciding.py --keep .ratchet/bench-deciding

format:  ## Let ruff put the code in order
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

lock:  ## Resolve dependencies anew
	uv lock --upgrade

sample:  ## Make the synthetic sample anew
	$(PY) -m ratchet.workloads.github_activity.sample_generator
