# Two commands: `make learn` to work through the course, `make test` to check it.
# Each target is one line of ordinary commands; README.md lists them for people without make.
# On Linux `TORCH=cpu` takes PyTorch's CPU build, which is far smaller than the default one. `PYTHON=…` names a Python.

BIN := .venv/bin
INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -c constraints.txt -e '.[dev]'

# The first Python on the path that can make an environment and is one of those that settings.ini names.
LOW := $(shell sed -n 's/^min_python = \([0-9.]*\).*/\1/p' settings.ini)
HIGH := $(shell sed -n 's/^max_python = \([0-9.]*\).*/\1/p' settings.ini)
FITS := import ensurepip, venv, sys; v = "3.%d" % sys.version_info[1]; \
	sys.exit(not (sys.version_info[0] == 3 and len(v) == 4 and "$(LOW)" <= v <= "$(HIGH)"))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

# Is there an environment, made here and not copied or moved here, whose Python still works? Then it imports this package.
OURS := $(shell $(BIN)/python -I -c 'import lesson13, os; print(os.path.samefile(lesson13.__path__[0], "lesson13"))' 2>/dev/null)

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
	@case "$$PWD/" in */.*) echo "nbdev passes over folders whose name starts with a dot, and this one lies in one: $$PWD. Move the checkout and run make docs again."; exit 2;; esac
	@$(BIN)/nbdev_docs $(ARGS)

export: .venv/.installed
	@$(BIN)/nbdev_export && $(BIN)/nbdev_clean && $(BIN)/python tests/tidy.py

# The environment: made anew where there is none of this place, brought up to date when what it is made from has changed.
# What is there already needs no network; what is missing does. Where no Python fits, uv gets one.
ifneq ($(OURS),True)
.PHONY: .venv/.installed
endif
.venv/.installed: settings.ini setup.py constraints.txt
ifneq ($(OURS),True)
	@rm -rf .venv
	@if [ -n "$(PYTHON)" ]; then \
		echo "Setting up .venv with $(PYTHON); the first time takes a few minutes."; $(PYTHON) -m venv .venv; \
	elif command -v uv >/dev/null; then \
		echo "Setting up .venv with a Python that uv provides; the first time takes a few minutes."; uv venv --quiet --seed --python '>=$(LOW),<=$(HIGH).99' .venv; \
	else \
		echo "lesson13 needs Python $(LOW) to $(HIGH) with its venv module and found none: install one (https://www.python.org/downloads; on Debian and Ubuntu: sudo apt install python3-venv) or uv (https://docs.astral.sh/uv) and run make again."; false; \
	fi || exit 2
endif
	@$(PIP) --no-index --no-build-isolation >/dev/null 2>&1 || $(PIP) $(INDEX_$(TORCH)) \
		|| { echo "The packages could not be installed; pip's reason is above (most often there is no network): mend it and run make again. If it stays, make clean-env begins afresh."; exit 2; }
	@touch $@

clean-env:
	rm -rf .venv
