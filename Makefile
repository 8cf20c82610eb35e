# make demo: see the connector work. make test: see that it does. make help: the rest.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
VENV := .venv/$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# PyAirbyte does not run on Python 3.13.
E2E_PYTHON ?= $(shell for python in python3.12 python3.11 python3.10 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$python && break; done)
E2E_VENV := .venv/e2e-$(if $(E2E_PYTHON),$(shell $(E2E_PYTHON) -c 'import platform; print(platform.python_version())'))
E2E_READY := $(E2E_VENV)/.ready
LOWEST := $(VENV)-lowest
# What Airbyte's checks run on.
QA_PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$python && break; done)
QA_VENV := .venv/qa-$(if $(QA_PYTHON),$(shell $(QA_PYTHON) -c 'import platform; print(platform.python_version())'))
QA_READY := $(QA_VENV)/.ready

.PHONY: help demo example unit test soak lowest e2e connector-test qa live bench mutants new-stream constraints lint format clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

demo: $(READY)  ## set up what is needed, and read all streams from the sandbox
	@$(BIN)/python -m integration_tests.demo

example: $(E2E_READY)  ## the status of 5,000 messages of the sandbox in a DuckDB file, and the report on them
	@$(E2E_VENV)/bin/python -m examples.demo

unit: $(READY)  ## unit tests only: the quick loop
	$(BIN)/python -m pytest -n auto unit_tests

test: $(READY)  ## unit tests, and integration tests over real sockets
	$(BIN)/python -m pytest -n auto

soak: $(READY)  ## faults and rate limits with the waits of production; ten minutes
	$(BIN)/python -m pytest -n 10 -m soak integration_tests

lowest: $(LOWEST)/.ready  ## the tests with the lowest versions that setup.py allows
	$(LOWEST)/bin/python -m pytest -n auto

e2e: $(E2E_READY)  ## PyAirbyte with DuckDB and PostgreSQL, and the examples
	$(E2E_VENV)/bin/python -m pytest -n auto e2e_tests

# The CDK wants a folder of this name, so it is given one, of links.
connector-test: $(READY)  ## Airbyte's own command for testing connectors, against the sandbox; what needs Docker is left out
	@mkdir -p .tmp/source-tyntec-sms && ln -sf $(CURDIR)/* .tmp/source-tyntec-sms
	$(BIN)/python -m integration_tests.sandbox --port 0 -- $(BIN)/airbyte-cdk connector test .tmp/source-tyntec-sms

qa: $(QA_READY)  ## the checks that Airbyte's catalogue runs on a connector
	@$(QA_VENV)/bin/python -W ignore -m integration_tests.catalogue_qa

live: $(READY)  ## check and read tyntec itself with secrets/config.json, and compare the API with its documentation
	@$(BIN)/python -m integration_tests.live

bench: $(READY)  ## speed, memory and pace, against bare requests and low-code; about 25 minutes
	@$(BIN)/python -m benchmarks

mutants: $(READY)  ## mutation tests of the modules that decide; about half an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'mutmut>=3.3,<4'
	$(BIN)/mutmut run || true
	$(BIN)/mutmut results

new-stream: $(READY)  ## add a fifth list stream to a copy, in four places, and test the copy
	$(BIN)/python -m integration_tests.new_stream

constraints: $(LOWEST)/.ready  ## pin every package of the image, in the newest versions for its Python 3.13
	$(LOWEST)/bin/uv pip compile --quiet --upgrade --python-version 3.13 --python-platform linux \
		--no-header --no-annotate --output-file constraints.txt setup.py

lint: $(READY)  ## ruff, ruff format, mypy strict, and the workflows of GitHub
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy && $(BIN)/mypy .ci/release_notes.py
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --no-progress --quiet --min-severity medium .github

format: $(READY)  ## fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was set up
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .tmp build dist *.egg-info

$(E2E_READY): setup.py
	@test -n "$(E2E_PYTHON)" || { echo "Python 3.10, 3.11 or 3.12 is needed: make e2e E2E_PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(E2E_VENV); this takes a minute or two."
	@$(E2E_PYTHON) -m venv --clear $(E2E_VENV)
	@$(E2E_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[e2e]'
	@touch $@

$(QA_READY):
	@test -n "$(QA_PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make qa QA_PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(QA_VENV); this takes a few minutes."
	@$(QA_PYTHON) -m venv --clear $(QA_VENV)
	@$(QA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'airbyte-internal-ops>=0.132,<1'
	@touch $@

$(LOWEST)/.ready: setup.py
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --quiet --resolution lowest-direct --editable '.[tests]'
	@touch $@

$(READY): setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python …"; exit 1; }
	@echo "Setting up $(VENV); this takes a minute."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tests]'
	@touch $@
