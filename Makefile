# `make report` sets up an environment, compares the gallery on its data and writes the pages.
# `make test` sets up the same environment and runs linters, type check and tests. `make docs` builds the site in docs/_build/html.

VENV := .venv
PYTHON := $(VENV)/bin/python
PAGES ?= pages
EXTRAS := dask,docs,notebook,preliz,zarr,dev
# One thread for each linear algebra library: tests and chains run side by side.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: environment report report-all test lint types unit test-slow coverage mutate durations docs notebooks clean

environment: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt tools/environment.sh
	@VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh tools/environment.sh
	@touch $@

report: environment
	@$(VENV)/bin/pp-mlekl report reports/*.toml --out $(PAGES)

# Every builder of the gallery, two at a time; what has not changed is not made again.
report-all: environment
	@$(VENV)/bin/pp-mlekl report --gallery --workers 2 --out $(PAGES)

test: lint types unit

lint: environment
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/codespell

types: environment
	@$(VENV)/bin/mypy

unit: environment
	@$(PYTHON) -m pytest -m "not slow" -n 2 --dist loadfile -q

test-slow: environment
	@$(PYTHON) -m pytest -m slow -n 2 --dist loadfile -q

coverage: environment
	@$(PYTHON) -m pytest -m "not slow" -n 2 --dist loadfile -q --cov --cov-context=test --cov-report=term:skip-covered \
		--junitxml=.coverage.xml

# Faults planted in the files that differ from main, or in FILES, and how many of them the tests notice.
mutate: environment
	@$(PYTHON) tools/mutate.py $(FILES) --number $(or $(NUMBER),20)

# The sixty tests of the fast tier that take longest.
durations: environment
	@$(PYTHON) -m pytest -m "not slow" -n 2 --dist loadfile -q --durations=60 --durations-min=0.5

docs: environment
	@$(VENV)/bin/pp-mlekl report reports/*.toml --guide ../reading_a_page.html --out docs/_build/extra/pages
	@$(PYTHON) -m sphinx -b html -n -W --keep-going -q docs docs/_build/html

notebooks: environment
	@$(VENV)/bin/jupytext --to ipynb --execute docs/tutorials/*.md

clean:
	rm -rf $(VENV) $(PAGES) dist docs/_build docs/api .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .coverage .coverage.*
