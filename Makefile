# Storekeeper. Needs a POSIX shell, make and Python 3.11 or newer; everything else goes into .venv.
# PYTHON=python3.13 chooses the interpreter, ARGS="..." goes to the command behind a target.

PYTHON ?=
ARGS ?=
export PYTHON

BIN = .venv/bin

.DEFAULT_GOAL = help
.PHONY: help install dev up demo compare-sample test test-vllm test-infra check supabase architecture docs pictures fmt lock bench release clean

help: ## list the targets
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: ## make .venv and install what running needs, from hash-pinned locks
	@./scripts/install.sh up

dev: ## the same with what tests and checks need
	@./scripts/install.sh dev

up: install ## start everything on this machine: make up ARGS="--port 9443"
	@exec $(BIN)/storekeeper up $(ARGS)

demo: install ## walk all three jobs against a stack of its own; samples go to out/
	@exec $(BIN)/python -m demo walk $(ARGS)

compare-sample: install ## compare the embedded model with regular expressions; the report goes to out/comparison/
	@exec $(BIN)/python -m demo compare-sample $(ARGS)

test: dev ## run the tests, with coverage gates: make test ARGS="-k users"
	@./scripts/test.sh $(ARGS)

test-vllm: dev ## run the tests against a real vLLM server for CPUs (needs Python 3.11; 2.9 GB)
	@./scripts/install-vllm.sh
	@./scripts/test.sh tests/vllm $(ARGS)

test-infra: dev ## try what is in infra/: nginx, Caddy, Traefik, compose, Kubernetes, systemd, Supabase
	@./scripts/install-infra.sh
	@./scripts/test.sh tests/integration/deployment $(ARGS)

check: dev ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

supabase: dev ## make infra/supabase/migrations anew from sql/migrations
	@exec $(BIN)/python scripts/supabase.py

architecture: dev ## draw the rooms and arrows of docs/explanation/architecture.md anew
	@exec $(BIN)/python scripts/architecture.py

docs: dev ## build the documentation for `storekeeper docs`; a broken link or a page that no list names is an error
	rm -rf src/entrypoints/site
	$(BIN)/python -m sphinx -q -W -c docs/site -d .cache/site . src/entrypoints/site

pictures: dev ## make the pictures of pages in docs/images anew (needs Chromium): look at them
	@STOREKEEPER_PICTURES=make $(BIN)/python -m pytest -q tests/browser -k picture_of_the_documentation

fmt: dev ## format, and mend what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: dev ## compile requirements/ anew: make lock ARGS="--upgrade"
	./scripts/lock.sh $(ARGS)

bench: dev ## run the benchmarks: make bench ARGS="--only a,b --quick"
	@./scripts/bench.sh $(ARGS)

release: dev ## make a release in dist/ and try it: make release VERSION=1.2.3
	@./scripts/install-infra.sh
	@exec $(BIN)/python scripts/release.py $(VERSION)

clean: ## remove .venv, caches and outputs (the state folder of `up` stays)
	rm -rf .venv .venv-bench .venv-infra .venv-vllm .cache build dist out src/entrypoints/site .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .schemathesis .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
