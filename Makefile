# Marquee: every command that developers and CI run. `make help` lists it.
# The newest CPython from 3.11 on that is found makes .venv; PYTHON=/path/to/python names another.
PYTHON ?=
VENV   ?= .venv
BIN    := $(VENV)/bin
TORCH  ?= 2.13.0
DATA_ROOT ?= data
RECIPE ?= recipes/demo.yaml
BUNDLE ?= bundles/demo
DATA   ?= demo
PORT   ?= 3000
APP_PORT ?= 8501
ONLY   ?= training
ROUNDS ?= 20
EVENTS_URL ?= sqlite:///events.sqlite
# Pictures show real movies unless another bundle is asked for.
PICTURED = --bundle "$(if $(filter command%,$(origin BUNDLE)),$(BUNDLE),bundles/ml-latest-small)"
export DATA_ROOT EVENTS_URL
export BENTOML_DO_NOT_TRACK = True
UV_LOCK = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q

.PHONY: help setup demo app screenshots demo-video setup-browser test test-fast test-slow docs doc-tables wheels soak check lint format train serve findings twin bench-data bench-training bench-growth bench-ann-index bench-search bench-serving bench-app openapi lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Make .venv: PyTorch for this machine (CPU build where there is no GPU), then the lock

# uv installs in seconds what takes pip minutes; it reads no pip.conf, so pip is the second try. A
# machine without a GPU must not fetch 2.7 GB of CUDA: the CPU build is tried under its own version
# first, then from PyTorch's index. Everything else is installed with checked hashes.
UV_INSTALL = $(if $(PIP_INDEX_URL),UV_DEFAULT_INDEX=$(PIP_INDEX_URL)) $(BIN)/uv pip install -q --python $(BIN)/python $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
$(VENV)/.ready: pyproject.toml clients/python/pyproject.toml requirements.lock
	@test -x $(BIN)/python || { python=$$(deploy/find_python.sh $(PYTHON)) \
	  && { "$$python" -m venv $(VENV) 2>/dev/null \
	  || { rm -rf $(VENV); "$$python" -m pip install -q --user --break-system-packages virtualenv \
	  && "$$python" -m virtualenv -q $(VENV); }; }; }
	@echo "setup: $$($(BIN)/python --version) in $(VENV)"
	@test -x $(BIN)/uv || $(BIN)/pip install -q uv 2>$(VENV)/uv.log || { cat $(VENV)/uv.log; exit 1; }
	@echo "setup: PyTorch $(TORCH)"
	@if $(BIN)/python -c "import torch" 2>/dev/null; then echo "setup: torch is there"; \
	elif nvidia-smi -L >/dev/null 2>&1; then $(UV_INSTALL) "torch==$(TORCH)" 2>/dev/null || $(BIN)/pip install -q "torch==$(TORCH)"; \
	else $(UV_INSTALL) "torch==$(TORCH)+cpu" 2>/dev/null \
	  || $(BIN)/pip install -q "torch==$(TORCH)+cpu" 2>/dev/null \
	  || $(UV_INSTALL) --torch-backend=cpu "torch==$(TORCH)" 2>/dev/null \
	  || $(BIN)/pip install -q "torch==$(TORCH)"; fi
	@echo "setup: the packages of requirements.lock"
	@$(UV_INSTALL) --require-hashes --no-deps -r requirements.lock 2>$(VENV)/lock.log \
	  || $(BIN)/pip install -q --require-hashes --no-deps -r requirements.lock 2>$(VENV)/lock.log \
	  || { echo "setup: the lock does not fit this machine (see $(VENV)/lock.log); taking the ranges of pyproject.toml"; \
	       $(BIN)/pip install -q -e ".[dev]" -e clients/python; }
	@$(UV_INSTALL) --no-deps -e . -e clients/python 2>/dev/null || $(BIN)/pip install -q --no-deps -e . -e clients/python
	@touch $@

demo: setup ## From nothing to ten recommendations with reasons, on generated data
	@$(BIN)/python train.py fit --config recipes/demo.yaml
	@rm -f runs/demo.sqlite*
	@$(BIN)/marquee import-ratings --data demo --events sqlite:///runs/demo.sqlite
	@$(BIN)/python -m deploy.demo --bundle bundles/demo --events sqlite:///runs/demo.sqlite

app: setup ## The service and the app, and their address: BUNDLE=bundles/ml-latest-small (default: generated movies)
	@test "$(BUNDLE)" != bundles/demo -o -f bundles/demo/bundle.json || $(BIN)/python train.py fit --config recipes/demo.yaml
	@$(BIN)/python -m deploy.app_server --bundle "$(BUNDLE)" --events $(EVENTS_URL) --port $(APP_PORT)

test: setup ## All tests but the slow ones; ARGS="-k splits" picks some
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile -m "not slow and not image" $(ARGS)

test-fast: setup ## The unit tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/unit $(ARGS)

test-slow: setup ## The slow tests, which CI runs, too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile -m slow $(ARGS)

soak: setup ## The long forms of the reliability tests: ONLY=training ROUNDS=20, ONLY=api ROUNDS=10, ONLY=releases ROUNDS=200
	@$(BIN)/python -m soak.$(ONLY) --rounds $(ROUNDS)

check: lint test test-slow docs ## What CI runs: lint, types, tests, documentation

check-image: setup ## Build the image with buildah and run it, as root: 3 min, then 1 min; BASE_IMAGE=… on a base
	@$(BIN)/python -m pytest -q -m image tests/e2e

check-security: setup ## Known vulnerabilities of both locks, bills of materials in runs/sbom; ARGS=--offline-ok
	@$(BIN)/python -m tests.support.audit $(ARGS)

screenshots: setup-browser ## Every page as a picture: docs/screenshots; BUNDLE=bundles/ml-latest-small
	@$(BIN)/python -m tests.support.screenshots $(PICTURED)

demo-video: setup-browser ## A walk through the app: docs/demo.gif
	@$(BIN)/python -m tests.support.demo_video $(PICTURED)

setup-browser: setup ## Debian's chromium, for tests/e2e/test_browser.py and the pictures; needs root
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } \
	  || { echo "setup-browser: as root: apt-get install chromium"; exit 1; }

docs: setup ## Build the documentation site into runs/site; ARGS=serve shows it while you write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build --strict)

doc-tables: setup ## Renew the generated tables of README and docs; ARGS=--check compares
	@$(BIN)/python -m docs.tables $(ARGS)

wheels: setup ## Build the wheels of marquee and marquee-client into dist
	@$(BIN)/pip wheel -q --no-deps -w dist . ./clients/python
	@ls dist

lint: setup ## Format, lint, import rules, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/mypy

format: setup ## Format the code and sort its imports
	@$(BIN)/ruff check --select I --fix -q .
	@$(BIN)/ruff format .

# DATA on the command line without RECIPE trains recipes/default.yaml on that data set.
TRAIN_DATA = $(if $(filter command%,$(origin DATA)),$(if $(filter command%,$(origin RECIPE)),,yes))
train: setup ## Select, refit, export and test: DATA=mine with the default recipe, or RECIPE=recipes/ml-1m.yaml
	@$(BIN)/python train.py fit $(if $(TRAIN_DATA),--config recipes/default.yaml --data.name "$(DATA)" --name "$(DATA)",--config "$(RECIPE)") $(ARGS)

serve: setup ## Serve a bundle: BUNDLE=bundles/ml-1m PORT=3000
	@$(BIN)/marquee serve "$(BUNDLE)" --port $(PORT)

findings: setup ## Generate the report of findings (HTML, Markdown, JSON): DATA=ml-1m BUNDLE=bundles/ml-1m -> reports/ml-1m
	@$(BIN)/marquee findings "$(DATA)" $(if $(filter command%,$(origin BUNDLE)),--bundle "$(BUNDLE)") $(ARGS)

twin: setup ## A release's whole way without an account: bucket, push, serve, promote, roll back
	@test -f bundles/demo/bundle.json || $(MAKE) demo
	@$(BIN)/marquee export --config recipes/demo.yaml --comet off --refit none --out runs/twin/second
	@$(BIN)/python -m deploy.twin bundles/demo runs/twin/second

bench-data: setup ## Adding 100 million plays, beside DuckDB's sort: results/bench-data.json; ARGS="--parts 100m-csv --rounds 1"
	@$(BIN)/python -m benchmarks.data.bench_data $(ARGS)

bench-training: setup ## Training speed, beside RecBole's, Cornac's and a lower bound: results/bench-training.json
	@$(MAKE) -s .venv-bench/.cornac || echo "bench-training: a peer could not be installed (see above)"
	@$(BIN)/python -m benchmarks.training.bench_training $(ARGS)

bench-growth: setup ## 1, 10, 100 million generated ratings: results/bench-growth.json; ARGS=--short
	@$(BIN)/python -m benchmarks.data.bench_growth $(ARGS)

bench-ann-index: setup ## Approximate search in large catalogs: results/bench-reach.json; ARGS=--short
	@$(BIN)/python -m benchmarks.serving.bench_ann_index $(ARGS)

bench-search: setup ## Mistyped titles among 62,423: how many are found, how fast: results/search.json
	@$(BIN)/python -m benchmarks.serving.bench_search $(ARGS)

bench-serving: .venv-bench/.ready ## The service beside no-op endpoints, 15 minutes: results/bench-serving.json; ARGS=--short
	@$(BIN)/python -m benchmarks.serving.bench_serving $(ARGS)

bench-app: setup-browser ## The app: first paint, a rating to the new list, 20 users: results/bench-app.json
	@$(BIN)/python -m benchmarks.app.bench_app $(PICTURED)

# RecBole pins ray and more that its training does not use, and would hold back what we use: the peers
# get an environment of their own, which borrows our packages, so that all run the same PyTorch and
# numpy.
.venv-bench/.ready: $(VENV)/.ready
	@$(BIN)/python -m venv --clear .venv-bench
	@$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
	  > $$(.venv-bench/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/ours.pth
	@.venv-bench/bin/pip install -q --no-deps recbole==1.2.1
	@.venv-bench/bin/pip install -q "fastapi>=0.139" colorlog==4.7.2 colorama==0.4.4 texttable tensorboard 2>.venv-bench/pip.log \
	  || { cat .venv-bench/pip.log; exit 1; }
	@touch $@

.venv-bench/.cornac: .venv-bench/.ready
	@.venv-bench/bin/pip install -q cornac==3.0.1 2>.venv-bench/pip.log \
	  || { cat .venv-bench/pip.log; exit 1; }
	@touch $@

openapi: setup ## Write openapi.json, and from it the types of the Python client
	@$(BIN)/python -m deploy.openapi_files

lock: setup ## Write both locks anew for Python 3.11 to 3.14: names, versions, hashes (torch is chosen by setup)
	@echo "torch==$(TORCH)+cpu" > $(VENV)/torch.txt
	@$(UV_LOCK) --extra dev --constraint $(VENV)/torch.txt $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS)) \
	  --no-emit-package torch --no-emit-package pip -o requirements.lock
	@$(UV_LOCK) --constraint requirements.lock -o requirements-serving.lock

clean: ## Remove what training and tests made; the virtual environment stays
	rm -rf runs bundles .pytest_cache .mypy_cache .ruff_cache .hypothesis
