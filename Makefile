# Two commands: `make learn` to work through the course, `make test` to check it.
# Each target is one line of ordinary commands; README.md lists them for people without make.
# On Linux `TORCH=cpu` takes PyTorch's CPU build, which is far smaller than the default one.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu

.PHONY: learn test train bench docs export clean-env

learn: .venv/.installed
	@$(BIN)/lesson13-learn $(ARGS)

test: .venv/.installed
	@$(BIN)/python tests/run.py $(ARGS)

train: .venv/.installed
	@$(BIN)/lesson13-train $(ARGS)

bench: .venv/.installed
	@$(BIN)/python -m lesson13.benchmarks $(ARGS)

docs: .venv/.installed
	@command -v quarto >/dev/null || { echo "The site is built with Quarto, which is not installed here."; echo "Get version 1.6 or newer from https://quarto.org/docs/get-started/ and run make docs again."; exit 2; }
	@$(BIN)/nbdev_docs $(ARGS)

export: .venv/.installed
	@$(BIN)/nbdev_export && $(BIN)/nbdev_clean && $(BIN)/python tests/tidy.py

# The environment, made once and again only when what it is made from has changed.
.venv/.installed: settings.ini setup.py constraints.txt
	@test -n "$(PYTHON)" || { echo "lesson13 needs Python 3.10, 3.11, 3.12 or 3.13 and found none of them: install one from https://www.python.org/downloads and run make again."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python ($(PYTHON)) lacks its venv module: install it (on Debian and Ubuntu: sudo apt install python3-venv) and run make again."; exit 2; }
	@echo "Setting up .venv with $(PYTHON); the first time takes a few minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e '.[dev]' -c constraints.txt $(INDEX_$(TORCH)) \
		|| { echo "The packages could not be installed; pip's reason is above (most often there is no network): mend it and run make again."; exit 2; }
	@touch $@

clean-env:
	rm -rf .venv
