# make demo: see the connector work. make test: run its tests. make help: all targets.
# 3.10 and so on, from python_requires.
PYTHON_VERSIONS := $(shell sed -nE 's/.*python_requires=">=3\.([0-9]+),<3\.([0-9]+)".*/\1 \2/p' setup.py \
	| { read low end; seq -f 3.%g $$low $$((end - 1)); })
E2E_VERSIONS := 3.11 3.12# of both versions of PyAirbyte
QA_VERSIONS := 3.11 3.12# of Airbyte's checks
QA_PACKAGE := airbyte-internal-ops>=0.132,<1
MUTMUT := mutmut>=3.3,<4
POETRY_PACKAGES := poetry==1.8.5 'poetry-plugin-pypi-mirror>=0.4,<0.5'

# With PYTHON=/path/to/python, each environment has a folder of its own.
suffix := $(if $(PYTHON),-$(subst /,_,$(PYTHON)))
VENV := .venv/main$(suffix)
E2E_VENV := .venv/e2e$(suffix)
QA_VENV := .venv/qa$(suffix)
LOWEST_VENV := .venv/lowest$(suffix)
POETRY_VENV := .venv/poetry$(suffix)
# What talks to the sandbox ignores a proxy and an address that the shell exports.
SANDBOXED := env -u TYNTEC_API_URL -u ALL_PROXY -u HTTP_PROXY -u HTTPS_PROXY -u all_proxy -u http_proxy -u https_proxy
RUN := $(SANDBOXED) $(VENV)/bin/python

# Install into an environment, of PYTHON or of the first suitable Python on the PATH:
# $(call set_up,FOLDER,VERSIONS,ARGUMENTS)
define set_up
@for python in $(or $(PYTHON),python3 $(patsubst %,python%,$(2))); do \
	$$python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(2)".split())' 2>/dev/null \
	&& exec $$python tools/set_up.py $(1) $(3); \
done; echo "Python $(2) is needed: make ... PYTHON=/path/to/python" >&2; exit 1
endef

.PHONY: help demo sandbox example unit test lint format connector-test qa submission e2e live clean \
	lowest bench soak mutants constraints pathway mock

help:  # list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.demo  ## read all streams from the sandbox
	@$(RUN) -m tools.demo

sandbox: $(VENV)/.demo  ## start the sandbox; ARGS='--help' shows its options
	@$(RUN) -m sandbox $(ARGS)

example: $(E2E_VENV)/.ready  ## load 5,000 statuses from the sandbox into DuckDB, and report on them
	@$(SANDBOXED) $(E2E_VENV)/bin/python -m examples.demo

unit: $(VENV)/.tests  ## run the unit tests
	$(RUN) -m pytest -n auto unit_tests

test: $(VENV)/.tests  ## run the unit tests and the integration tests
	$(RUN) -m pytest -n auto

lint: $(VENV)/.lint  ## run ruff, mypy, and checks of the GitHub workflows
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy && $(VENV)/bin/mypy .ci/release_notes.py
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(VENV)/bin/zizmor --offline --no-progress --quiet --min-severity medium .github

format: $(VENV)/.lint  ## fix what ruff can fix
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The command wants a folder with the connector's name. Tests that need Docker are left out.
connector-test: $(VENV)/.tests  ## run Airbyte's command for testing connectors
	@mkdir -p .tmp/source-tyntec-sms && ln -sf "$(CURDIR)"/* .tmp/source-tyntec-sms
	$(RUN) -m sandbox --port 0 -- $(VENV)/bin/airbyte-cdk connector test .tmp/source-tyntec-sms

qa: $(QA_VENV)/.ready  ## run the checks of Airbyte's catalogue
	@$(QA_VENV)/bin/python -W ignore -m tools.catalogue_qa

submission: $(VENV)/.tests $(QA_VENV)/.ready $(POETRY_VENV)/.ready  # write and check the folder for Airbyte's repository
	@$(VENV)/bin/python -m tools.submission $(POETRY_VENV)/bin/poetry $(CATALOGUE)
	@$(QA_VENV)/bin/python -W ignore -m tools.catalogue_qa build/airbyte

e2e: $(E2E_VENV)/.ready  ## run Airbyte clients of other people, and the examples
	@$(E2E_VENV)/bin/python -m e2e_tests.clients
	$(SANDBOXED) $(E2E_VENV)/bin/python -m pytest -n auto e2e_tests

live: $(VENV)/.demo  ## check and read tyntec's API with secrets/config.json, and describe it
	@$(VENV)/bin/python -m tools.live

clean:  ## remove all environments, caches and builds
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .tmp build dist mutants *.egg-info

# For CI, releases and large clients.

pathway: $(E2E_VENV)/.ready  # Pathway in two processes; takes 1.3 GB
	$(E2E_VENV)/bin/python -m pytest e2e_tests/pathway_spawn.py

mock: $(VENV)/.tests  # read a mock server of tyntec's API, which needs npx: make mock OPENAPI=/path/to/openapi.yaml
	$(SANDBOXED) OPENAPI="$(abspath $(OPENAPI))" $(VENV)/bin/python -m pytest e2e_tests/openapi.py

lowest: $(LOWEST_VENV)/.ready  # the unit tests with the lowest versions that setup.py allows
	$(SANDBOXED) $(LOWEST_VENV)/bin/python -m pytest -n auto unit_tests

bench: $(VENV)/.tests  # speed, memory and rate limits, against bare requests and low-code
	@$(RUN) -m benchmarks

soak: $(VENV)/.tests  # outages and rate limits with the waits of production
	$(RUN) -m pytest -n 10 -m soak integration_tests

mutants: $(VENV)/.tests  # mutation tests
	$(call set_up,$(VENV),$(PYTHON_VERSIONS),'$(MUTMUT)')
	$(SANDBOXED) $(VENV)/bin/mutmut run || true
	$(VENV)/bin/mutmut results

constraints: $(VENV)/.demo  # pin the newest versions of all packages of the image, for its Python 3.13
	.venv/uv/bin/uv pip compile --quiet --upgrade --python-version 3.13 --python-platform linux \
		--no-header --no-annotate --output-file constraints.txt setup.py

# A file that is newer than setup.py says that an environment is ready.

$(VENV)/.demo: setup.py
	@rm -rf $(VENV)
	$(call set_up,$(VENV),$(PYTHON_VERSIONS),--editable '.[sandbox]')
	@touch $@

$(VENV)/.tests: $(VENV)/.demo
	$(call set_up,$(VENV),$(PYTHON_VERSIONS),--editable '.[tests]')
	@touch $@

$(VENV)/.lint: $(VENV)/.demo
	$(call set_up,$(VENV),$(PYTHON_VERSIONS),--editable '.[lint]')
	@touch $@

$(LOWEST_VENV)/.ready: setup.py
	@rm -rf $(LOWEST_VENV)
	$(call set_up,$(LOWEST_VENV),$(PYTHON_VERSIONS),--resolution lowest-direct --editable '.[tests]')
	@touch $@

$(E2E_VENV)/.ready: setup.py
	@rm -rf $(E2E_VENV)
	$(call set_up,$(E2E_VENV),$(E2E_VERSIONS),--editable '.[e2e]')
	@touch $@

$(QA_VENV)/.ready:
	@rm -rf $(QA_VENV)
	$(call set_up,$(QA_VENV),$(QA_VERSIONS),'$(QA_PACKAGE)')
	@touch $@

$(POETRY_VENV)/.ready:
	@rm -rf $(POETRY_VENV)
	$(call set_up,$(POETRY_VENV),$(PYTHON_VERSIONS),$(POETRY_PACKAGES))
	@touch $@
