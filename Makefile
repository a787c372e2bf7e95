# The two commands a newcomer needs are `make up` and `make test`. CI, the hooks and the README call these targets and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
RATCHET := .venv/bin/ratchet
PY := .venv/bin/python
# Where the environment forbids bytecode, each of the many processes that are started would compile all that it imports again.
PYTHONDONTWRITEBYTECODE :=
# tools/install leaves uv there on a machine that has none.
PATH := $(PATH):$(CURDIR)/.tools/uv/bin
export PYTHONDONTWRITEBYTECODE PATH
# Tests that break things under a constant load: beside other tests they would measure those.
ALONE := tests/faults tests/router
# One process each, for minutes: whoever begins last with these ends last. Much of what they do is waiting, so two cores have room for four.
LONGEST := tests/e2e tests/dags tests/unit/ingest tests/contract/register
OTHERS := $(filter-out $(LONGEST) $(ALONE) tests/unit tests/contract %/__pycache__,$(patsubst %/,%,$(wildcard tests/*/ tests/unit/*/ tests/contract/*/)) $(wildcard tests/unit/test_*.py tests/contract/test_*.py))

.PHONY: help up status logs restart down clean traffic test test-alone check check-types check-rules bench-deciding bench-look bench-forecasting format lock install sample bench-serving bench-landing bench-ingest peers load faults fuzz kills warehouse-test docs screenshots compose-test compose-test-bucket env doctor install-test install-iac coverage image push-image train-report publish-report

help:  ## What can be made
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | column -t -s "$$(printf '\t')"

install:  ## What is missing on this machine: uv, the locked environment, nginx, Prometheus, Alertmanager
	@tools/install run

up: install  ## Start the whole loop on this machine
	@$(RATCHET) up

# What looks, asks or stops installs nothing.
$(RATCHET):
	@echo 'ratchet: nothing is installed here yet: `make up` installs and starts all of it, `make install` only installs' >&2; exit 1

status: | $(RATCHET)  ## What runs where
	@$(RATCHET) status

logs: | $(RATCHET)  ## A service's log: make logs S=router
	@$(RATCHET) logs "$(S)"

restart: | $(RATCHET)  ## Restart one service: make restart S=router
	@$(RATCHET) restart "$(S)"

down: | $(RATCHET)  ## Stop; data stays
	@$(RATCHET) down

clean: | $(RATCHET)  ## Stop and forget everything, after asking
	@$(RATCHET) clean

traffic: | $(RATCHET)  ## Realistic users for two and a half minutes, then a verdict
	@$(RATCHET) traffic

test:  ## Install what is needed and run everything: checks, unit, contract, DAG and end-to-end tests
	@tools/install test
	@$(MAKE) --no-print-directory -j 2 check test-alone
	@$(PY) -m pytest -q --durations=30 -n 4 --dist loadfile --no-loadscope-reorder $(LONGEST) $(OTHERS)

test-alone:  ## The tests that watch the clock: faults and the router, one after the other
	@$(PY) -m pytest -q $(ALONE)

bench-serving: peers  ## What serving can do beside others: ratios, medians; PARTS="hot peers log router open batch start soak"
	@PYTHONPATH=src:.:tests:tests/bench/serving $(PY) tests/bench/serving/run.py $(PARTS)

compose-test: install-test  ## Build the images and run the loop's tests against the composed stack, overlays included (needs a container engine)
	@tools/compose-test

compose-test-bucket: install-test  ## The same with releases, raw files, gold and silver in S3, with the images that are there
	@tools/compose-test --bucket --no-build

env:  ## A .env with secrets of your own, for containers
	@PYTHONPATH=src $(or $(wildcard $(PY)),python3) -m ratchet.stack.env_file

doctor: | $(RATCHET)  ## Check every setting, port, credential and version, and say what to do
	@$(RATCHET) doctor

install-test:  ## That, and what `make test` and `make check` need
	@tools/install test

install-iac: install-test  ## The locked environment that Pulumi programs run in

coverage: install-test  ## Which lines the unit tests run: .ci-artifacts/coverage
	@mkdir -p .ci-artifacts/coverage
	@$(PY) -m pytest -q --cov=ratchet --cov=inference --cov-report=html:.ci-artifacts/coverage --cov-report=term:skip-covered tests/unit | tail -n 60

image:  ## Build one image: make image IMAGE=inference (router, loop, mlflow, dashboard)
	@tools/image build "$(IMAGE)"

push-image:  ## Push it as latest, by its commit and, on a tag, by its version
	@tools/image push "$(IMAGE)"

train-report: | $(RATCHET)  ## Ingest, train, and leave the release's card, plots and a summary in .ci-artifacts/train
	@tools/train-report

publish-report:  ## That summary on the workflow's run and, if there is one, on the pull request
	@tools/train-report publish

screenshots: install-test  ## The README's pictures of the dashboard, from the stack that runs here (make up; make traffic)
	@$(PY) -m monitoring.screenshots

bench-landing: install-test  ## What landing an hour file costs, beside gzip -t of the same file (half a minute)
	@$(PY) tests/bench/landing/bench_landing.py

peers: install-test  ## An environment of its own for what serving is compared with and for locust
	@test -x .ratchet/peers/bin/bentoml || { uv venv -q --clear -p $(PY) .ratchet/peers && uv pip install -q -p .ratchet/peers \
		"bentoml~=1.4.0" "locust~=2.47.0"; }

load: peers  ## Realistic users against a running `make up`, bounded: make load USERS=50 SECONDS=60 (at most 200 and 600)
	@.ratchet/peers/bin/locust -f tests/load/locustfile.py --headless --only-summary -H http://127.0.0.1:$(or $(ROUTER_PORT),7000) \
		-u $$(( $(or $(USERS),50) > 200 ? 200 : $(or $(USERS),50) )) -r 10 -t $$(( $(or $(SECONDS),60) > 600 ? 600 : $(or $(SECONDS),60) ))s

faults: install-test  ## Everything around serving fails for a minute, under load: no forecast fails, none is missing from the log (15 minutes)
	@FAULT_SECONDS=60 FAULT_KILLS=20 FAULT_SWAPS=50 FAULT_SWAP_EVERY=6 $(PY) -m pytest -q --timeout 1200 --durations=0 \
		tests/faults tests/e2e/test_faults_of_the_stack.py

fuzz: install-test  ## Thousands of generated requests against what /openapi.json promises: make fuzz N=500 (examples per operation)
	FUZZ_EXAMPLES=$(or $(N),500) $(PY) -m pytest -q --timeout 3600 tests/unit/inference/test_schema_holds.py

bench-ingest: install-test  ## Bronze to gold beside the decompression limit and beside pandas, memory, one more hour: PARTS="throughput linear one_more"
	PYTHONPATH=src $(PY) tests/bench/ingest/bench_ingest.py $(PARTS)

warehouse-test: install-test  ## The same dbt models on Snowflake's dialect (fakesnow's server, dbt-snowflake, an environment of their own): the same rows
	@test -x .ratchet-snowflake/bin/dbt || (uv venv -q --python $(PY) .ratchet-snowflake && uv pip install -q --python .ratchet-snowflake/bin/python 		"fakesnow[server]~=0.12.0" "dbt-snowflake~=1.11.0" "dbt-core~=1.11.0")
	@PYTHONPATH=src:. PYTHONUNBUFFERED=1 $(PY) tests/warehouse/run.py --python .ratchet-snowflake/bin/python

docs: | $(RATCHET)  ## dbt's documentation of silver and gold, with lineage, as one page (after an ingest)
	@$(RATCHET) docs

kills: install-test  ## Kill a build of gold at each of its steps and run it again: the same bytes (about five minutes)
	@KILLS=all $(PY) -m pytest -q tests/unit/ingest/test_killed_builds.py

check: install-test  ## What hooks and CI run before any test: style, types, import rules, configuration
	@$(MAKE) --no-print-directory -j 2 check-types check-rules

check-types:  ## The types alone
	.venv/bin/mypy

check-rules:  ## Everything of `make check` but the types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports --no-cache | tail -n 12; exit $${PIPESTATUS[0]}
	cd monitoring/prometheus && promtool check rules rules.yml && promtool test rules rules_test.yml
	amtool check-config monitoring/alertmanager/alertmanager.yml
	$(PY) -m ratchet.stack.check_router
	@tools/check-configuration

bench-deciding: install-test  ## The numbers the policy has to reach, 1,000 experiments a cell (at most 45 minutes, continues where it was stopped)
	timeout 2700 $(PY) tests/bench/deciding/bench_deciding.py --keep .ratchet/bench-deciding

bench-look: install-test  ## How long a look takes over a million logged forecasts, young and old (two minutes)
	@PYTHONPATH=src $(PY) tests/bench/deciding/bench_look.py

bench-forecasting: install-test  ## A release beside every family it could have been, on real activity, and what training costs (CSV=… TARGET=…)
	@$(PY) -W ignore tests/bench/forecasting/accuracy.py --keep .ratchet/bench-forecasting $(if $(CSV),--csv "$(CSV)") $(if $(TARGET),--target "$(TARGET)")
	@$(PY) -W ignore tests/bench/forecasting/m4.py
	@$(PY) -W ignore tests/bench/forecasting/cost.py --prophet

format: install-test  ## Let ruff put the code in order
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

lock:  ## Resolve dependencies anew
	uv lock --upgrade

sample: | $(RATCHET)  ## Make the synthetic sample anew
	$(PY) -m ratchet.workloads.github_activity.sample_generator
