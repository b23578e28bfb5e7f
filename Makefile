# `make demo`, `make test` and `make bench` each set up everything they need in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
MILVUS := $(VENV)/milvus-installed
# Modules are compiled when they are first imported. To compile all that is installed would take longer
# than the rest of the installation, and most of it is never imported.
INSTALL := $(BIN)/pip install --quiet --no-compile --constraint constraints.txt
# Where this is set, each start of the program would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test covered-tests test-postgresql test-milvus test-search-on-milvus test-slow lint bench bench-scores migration schema openapi clean

demo: $(INSTALLED)
	$(BIN)/sigseek demo --folder demo-photos

test: lint covered-tests

# Threads that wait for each other would keep a core busy, which another test could use.
covered-tests test-postgresql test-slow: export OMP_WAIT_POLICY = passive

# One test more at a time than there are processors, because many tests wait for something. With just as
# many, all tests took a fifth longer on two processors.
AT_A_TIME := --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist worksteal

# Prints the share of lines and branches that the tests reach, and fails below the floor in
# pyproject.toml.
covered-tests: $(INSTALLED)
	$(BIN)/coverage erase
	SIGSEEK_ORDERLY_EXIT=1 $(BIN)/coverage run -m pytest $(AT_A_TIME)
	$(BIN)/coverage combine --quiet
	@echo "Lines and branches that the tests reach, in percent:"
	@$(BIN)/coverage report --format=total

# The contract of vector indexes and a library over a real Milvus server. The server works in the
# background at its own times, so a test that fails has a second try, and must pass then. `addopts` of
# pyproject.toml would forget which tests failed.
ON_MILVUS := $(BIN)/pytest -o addopts=-q --milvus -k milvus
FEW_ON_MILVUS := $(ON_MILVUS) tests/test_index_conformance.py tests/test_milvus_library.py
test-milvus: $(MILVUS) $(INSTALLED)
	$(FEW_ON_MILVUS) || $(FEW_ON_MILVUS) --last-failed

# All tests that are about searching, over PostgreSQL with vectors in Milvus.
SEARCH_ON_MILVUS := $(ON_MILVUS) -m "both_databases(milvus=True)"
test-search-on-milvus: $(MILVUS) $(INSTALLED)
	$(SEARCH_ON_MILVUS) || $(SEARCH_ON_MILVUS) --last-failed

# All tests that are about what a database holds, on PostgreSQL. `test` runs some of them.
test-postgresql: $(INSTALLED)
	$(BIN)/pytest --postgresql -k "postgresql" $(AT_A_TIME)

# The tests that are marked as `slow`. `test` runs a smaller one in the place of each.
test-slow: $(INSTALLED)
	$(BIN)/pytest --slow -m slow $(AT_A_TIME)

# Side by side, with what is compared with; about a quarter of an hour on a quiet machine.
bench: $(INSTALLED)
	$(INSTALL) --editable '.[bench,int8]'
	$(BIN)/python -m benchmarks.indexing
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.query
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.rescan

# How far scores can be trusted, and what judging costs; as long again.
bench-scores: $(INSTALLED)
	$(BIN)/python -m benchmarks.scores
	$(BIN)/python -m benchmarks.rerank
	$(BIN)/python -m benchmarks.judging

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# For changed models: make migration NAME="what changes". Commit what it writes once you have read it.
migration: $(INSTALLED)
	$(BIN)/python -m tests.schemas.new "$(NAME)"

# For a migration that was written or changed: the tables of new libraries in SQLite.
schema: $(INSTALLED)
	$(BIN)/python -m tests.schemas.newest

# For changed routes or answers of the web server. Commit what it writes once you have read it.
openapi: $(INSTALLED)
	$(BIN)/python -m sigseek.web.openapi docs/openapi.json

clean:
	rm -rf $(VENV) demo-photos dist build .mypy_cache .ruff_cache .hypothesis .coverage*

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[dev]'
	touch $@

# There is a package of the server for some machines only. Without it its tests say that they were left
# out, and the next call tries again. Milvus Lite is for the tests of calls alone, which `test` has. All
# is installed with one call, because each takes pip 15 seconds.
$(MILVUS): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[dev,milvus]' "milvus; platform_machine == 'x86_64'" milvus-lite && touch $(INSTALLED) $@ || \
		echo "Milvus could not be installed; tests that need it are skipped" >&2
