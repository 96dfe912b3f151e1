# The two set-up commands of the README, and the checks a change must pass.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-slow check vot-toolkit clean
.DELETE_ON_ERROR:

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(VENV)/.run  ## track two objects of the shipped clip; writes demo/
	@mkdir -p demo
	$(BIN)/rartrack track examples/coffee.mp4 --box kettle=225,152,110,160 --box mug=398,206,88,104 \
		--video demo/coffee.mp4 --results demo/coffee.csv --overwrite

# One thread a test process: the processes share the cores already. Rooms that start programs or load other
# runtimes have processes of their own: one that had run all tests ended now and then, late, without a word.
APART = tests/video tests/backends tests/training
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test: $(VENV)/.dev  ## what a change must pass
	set -e; for room in $(APART); do $(PYTEST) -m "not slow" $$room; done
	$(PYTEST) -m "not slow" $(addprefix --ignore=,$(APART))

test-slow: $(VENV)/.dev  ## what takes longer
	set -e; for room in $(APART); do $(PYTEST) -m slow $$room || [ $$? -eq 5 ]; done  # 5: it has none
	$(PYTEST) -m slow $(addprefix --ignore=,$(APART))

check: $(VENV)/.dev  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

vot-toolkit: $(VENV)/.dev  ## let the real VOT toolkit drive our tracker; makes an environment of 600 MB beside ours
	RARTRACK_VOT_TOOLKIT=$(VENV)-vot $(BIN)/python -m pytest tests/vot_toolkit

clean:
	rm -rf $(VENV) $(VENV)-vot demo build dist
