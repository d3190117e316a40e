# Each target stands alone on a bare machine with Python 3.11 or newer.
PORT ?= 8000
VENV ?= .venv
PY := $(VENV)/bin/python
# Where the second pass of the tests finds PostgreSQL (it makes its own databases).
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/automate
PYTEST_ARGS ?=
FILES := automate workflows runs webhooks clients tests benchmarks manage.py
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes \
	--python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--no-emit-index-annotation --custom-compile-command "make lock"
# Settings as a production host has them, so that `check --deploy` means something.
PRODUCTION := DEBUG=0 SECRET_KEY=5wq0Zl3xTq8c1Yb7uVn4Rk2pJd9sHf6gEaWm-OiXtNzLrC_yKvB \
	FIELD_ENCRYPTION_KEYS=J4mYtR8kPz2wQx6vLs9nBd3hFc7gTa1u-EoVi5yXrWqZjKpNlM0 \
	ALLOWED_HOSTS=automate.example.com AUTOMATE_PUBLIC_URL=https://automate.example.com \
	EMAIL_URL=smtp://mail.example.com:25 AUTOMATE_VAR_DIR=$(CURDIR)/$(VENV)/check
export VENV

.PHONY: help install install-base run dev up down test test-slow format check \
	coverage bench screenshots lock

help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: ## The environment for development, in .venv
	@requirements/install.sh dev

install-base:
	@requirements/install.sh base

run: install-base ## Everything on this machine, with a demonstration: make run PORT=8123
	@exec env AUTOMATE_ALLOWED_NETWORKS="$${AUTOMATE_ALLOWED_NETWORKS-127.0.0.0/8}" \
		$(PY) manage.py up --migrate --demo --port $(PORT)

dev: install ## The same with Django's debug pages and without the demonstration
	@exec env DEBUG=1 $(PY) manage.py up --migrate --port $(PORT)

up: ## The same in containers (docker compose)
	docker compose up --build --detach

down: ## Stop the containers; their data stays
	docker compose down

test: install ## The tests: the engine on PostgreSQL, where it answers, all else on SQLite
	@$(PY) -m tests.both_databases "$(TEST_DATABASE_URL)" \
		-n 4 --dist worksteal -m "not slow and not browser and not later" $(PYTEST_ARGS)

test-slow: install ## The rest: on both databases where it matters, real processes, faults, the browser
	@$(PY) -m tests.both_databases "$(TEST_DATABASE_URL)" \
		-n 4 --dist worksteal -m "later and not slow and not browser" $(PYTEST_ARGS); \
	first=$$?; \
	$(PY) -m tests.both_databases "$(TEST_DATABASE_URL)" \
		-n 3 --dist worksteal -m "slow or browser" $(PYTEST_ARGS) && exit $$first

format: install ## Rewrite the sources as `check` wants them
	@$(PY) -m ruff format $(FILES)
	@$(PY) -m ruff check --fix $(FILES)

check: install ## Format, lint, types, imports, settings, migrations, the API's description
	$(PY) -m ruff format --check $(FILES)
	$(PY) -m ruff check $(FILES)
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) $(PY) manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(PY) manage.py settings_docs --check
	$(PRODUCTION) $(PY) manage.py openapi --check

coverage: install ## Which lines the tests reach (SQLite)
	@$(PY) -m coverage run -m pytest -q -m "not slow and not browser" $(PYTEST_ARGS)
	@$(PY) -m coverage report --skip-covered --show-missing

bench: install ## The benchmarks: make bench BENCH_ARGS="..."
	@$(PY) -m benchmarks $(BENCH_ARGS)

screenshots: install ## The pictures of the README
	@$(PY) -m tests.browser.screenshots

lock: install ## Write requirements/*.txt anew from requirements/*.in
	$(LOCK) requirements/base.in -o requirements/base.txt
	$(LOCK) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt
