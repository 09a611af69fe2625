# `make` or `make help` says what there is. Needs make, Python 3.11+ with venv and pip; everything else is installed by hash
# from the locks into environments of its own: .venv to run, .venv-dev to develop, .venv-peers for what is benchmarked beside us and
# for pictures.

PYTHON ?= python3
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
SEEDS ?= 5
SEED ?=
CHAOS_ARGS ?=
MINUTES ?= 30
SOAK_ARGS ?=
FUZZ_MINUTES ?= 5
FUZZ_ARGS ?=

RUN := .venv
DEV := .venv-dev
PEERS := .venv-peers

# numpy's BLAS would start a thread a core; workers are one thread each, and sums that decide use no BLAS.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test fuzz lint format bench bench-learning chaos soak lock docs causes ci clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUN)/installed ## Broker, Redis, worker and a year of customers on this machine (DEMO_ARGS=--once ends by itself)
	@$(RUN)/bin/churnwatch demo $(DEMO_ARGS)

test: $(DEV)/installed ## Run the tests (TEST_ARGS="-k settings"); real Kafka and Redis where they are to be had
	@$(DEV)/bin/python -m pytest $(TEST_ARGS)

fuzz: $(DEV)/installed ## Mangled input for every reader of what comes from outside (FUZZ_MINUTES=5, FUZZ_ARGS="--seed N")
	@$(DEV)/bin/python -m tests.fuzz --minutes $(FUZZ_MINUTES) $(FUZZ_ARGS)

lint: $(DEV)/installed ## ruff, mypy --strict and the import contracts
	@$(DEV)/bin/ruff check .
	@$(DEV)/bin/mypy
	@$(DEV)/bin/lint-imports

format: $(DEV)/installed ## Put the code in ruff's format
	@$(DEV)/bin/ruff check --select I --fix .
	@$(DEV)/bin/ruff format .

bench: $(DEV)/installed $(PEERS)/locked ## Measure beside Quix Streams and plain Faust, into benchmarks/out (BENCH_ARGS)
	@$(DEV)/bin/python -m benchmarks --out benchmarks/out $(BENCH_ARGS)

bench-learning: $(DEV)/installed $(PEERS)/locked ## What learning brings, beside LightGBM and baselines, into benchmarks/out (BENCH_ARGS)
	@$(DEV)/bin/python -m benchmarks.learning --out benchmarks/out $(BENCH_ARGS)
	@$(DEV)/bin/python -m benchmarks.learning_speed --out benchmarks/out

chaos: $(DEV)/installed ## Faults from seeds on real Kafka and Redis, checked by the log (SEEDS=20, SEED=7, CHAOS_ARGS), into tests/chaos/out
	@$(DEV)/bin/python -m tests.chaos --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

soak: $(DEV)/installed $(PEERS)/locked ## A steady rate with faults (MINUTES=30, SOAK_ARGS); memory, handles and lag as a picture, into tests/soak/out
	@$(DEV)/bin/python -m tests.soak --minutes $(MINUTES) $(SOAK_ARGS); status=$$?; \
		$(PEERS)/bin/python -m tests.soak.picture tests/soak/out/soak.json tests/soak/out/soak.png; exit $$status

RESOLVE = $(DEV)/bin/uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet
COMPILE = $(RESOLVE) pyproject.toml --extra demo --group build

lock: $(DEV)/installed ## Resolve the requirements anew (LOCK_ARGS=--upgrade for newer versions)
	@$(COMPILE) $(LOCK_ARGS) -o requirements.lock
	@$(COMPILE) $(LOCK_ARGS) --group dev --constraint requirements.lock -o requirements-dev.lock
	@$(RESOLVE) benchmarks/peers/requirements.in $(LOCK_ARGS) -o requirements-peers.lock

docs: $(DEV)/installed ## Write the pages that are made from the code
	@$(DEV)/bin/python -m streams.runtime.settings_docs > docs/settings.md
	@$(DEV)/bin/python docs/contracts/generate.py
	@$(DEV)/bin/python -m streams.runtime.rights_docs docs/security.md

causes: $(DEV)/installed ## Learn the model of causes that ships from its examples (docs/causes.md)
	@$(DEV)/bin/python -m streams.cli.main causes train detectors/data/cause_examples.tsv --fresh --out detectors/data/cause_model.json

ci: ## What CI does: system packages, Kafka's jars, lint, tests with the real parts
	@CI=true bash .ci/run

clean: ## Remove environments, builds and caches (Kafka's jars in .cache stay)
	rm -rf $(RUN) $(DEV) $(PEERS) benchmarks/out tests/chaos/out tests/soak/out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# An environment is made anew when its lock changes, and the package is installed again when its metadata does.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old or missing: install Python 3.11 or later, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing $< into $(@D) ..." >&2
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@
endef

define package
	@$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(RUN)/locked: requirements.lock
	$(environment)

$(DEV)/locked: requirements-dev.lock
	$(environment)

$(PEERS)/locked: requirements-peers.lock
	$(environment)

$(RUN)/installed: $(RUN)/locked pyproject.toml
	$(package)

$(DEV)/installed: $(DEV)/locked pyproject.toml
	$(package)
