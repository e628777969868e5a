# Each target sets up what it needs in .venv; nothing but Python >= 3.11 and make has to be there.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs dist bench clean

demo: .venv/installed
	$(BIN)/python -m isthmus.demo isthmus-demo

# One process per core with one thread each is faster than several threads. An idle process takes tests from a busy one.
test: .venv/tested
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/checked
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

# Warnings are errors. The second command follows all links, and finds what a page would load from elsewhere.
docs: .venv/documented
	rm -rf docs/_build docs/reference/generated
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check_pages.py docs/_build/html

# What is published: dist/ has a wheel and a source distribution, which holds the tests too.
dist: .venv/packed
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	rm -rf .venv-dist && $(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cd dist && ../.venv-dist/bin/isthmus --version && ../.venv-dist/bin/isthmus zoo

bench: .venv/benched
	.venv-bench/bin/python benchmarks/mnist.py
	.venv-bench/bin/python benchmarks/images.py
	.venv-bench/bin/python benchmarks/generation.py
	.venv-bench/bin/python benchmarks/speed.py
	.venv-bench/bin/python benchmarks/streaming.py
	.venv-bench/bin/python benchmarks/tables.py
	.venv-bench/bin/python benchmarks/anomalies.py
	.venv-bench/bin/python benchmarks/text.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/monitoring.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/latent.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/fuzz.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/calibration.py
	.venv-bench/bin/python benchmarks/default_fits.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/defaults.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/imputation.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/novelty.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/reading.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/series_rates.py
	.venv-bench/bin/python benchmarks/wide.py
	OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/reporting.py

clean:
	rm -rf .venv .venv-bench .venv-dist isthmus-demo dist docs/_build docs/gallery docs/guide docs/reference/generated docs/results

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[pandas,text]'
	touch $@

.venv/tested: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[test]'
	touch $@

.venv/checked: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[test,check]'
	touch $@

.venv/documented: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[docs,export,music,pandas,text,tuning]'
	touch $@

.venv/packed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[dist]'
	touch $@

# The peers live in an environment of their own: they must not decide what ours contains.
.venv/benched: pyproject.toml constraints.txt benchmarks/requirements.txt | .venv/bin/python
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e . -r benchmarks/requirements.txt
	touch $@
