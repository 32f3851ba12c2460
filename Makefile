# What a newcomer runs. Needed beforehand: a Rust toolchain, Python 3.10 or later with pip, gcc, make.
#
#   make demo    build everything and show the debugger at work, from Python and from Rust
#   make test    all tests                      make lint   formatting, lints, stubs, house rules
#   make bench   timing beside the limit        make docs   reference, and every example of the guide run
#   make build   only the Python package, into .venv        make clean  remove whatever was built

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help venv build demo test test-rust test-python lint lint-rust lint-python bench docs clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := $(VENV)/.tools
BUILT  := $(VENV)/.built
TARGET := $(or $(CARGO_TARGET_DIR),target)

# The extension module finds the interpreter's symbols in the process that loads it. This tells pyo3's build script not
# to ask for a libpython, which Debian does not install with python3. Set for every cargo command, because a change of
# it would rebuild pyo3 each time that another target of this file ran.
export PYO3_BUILD_EXTENSION_MODULE := 1

RUST_SOURCES := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml $(wildcard Cargo.lock)

help:
	@sed -n '3,7s/^# *//p' Makefile

# Debian's python3 lacks ensurepip unless python3-venv is installed, and `python3 -m venv` fails without it. So the
# environment is made without pip, and the pip that is there already installs into it from outside.
$(TOOLS): requirements-dev.txt
	$(PYTHON) -m venv --clear --without-pip $(VENV)
	$(PYTHON) -m pip --quiet --disable-pip-version-check --python $(BIN)/python install -r requirements-dev.txt
	@touch $@

venv: $(TOOLS)

# An editable install: Python sources are read where they lie, so only Rust sources and the metadata make it stale.
# VIRTUAL_ENV tells maturin where, whatever environment the caller stands in.
$(BUILT): $(TOOLS) pyproject.toml $(RUST_SOURCES)
	env -u CONDA_PREFIX VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --quiet --release
	@touch $@

build: $(BUILT)

demo: build
	$(BIN)/python examples/python/demo.py
	cargo run --quiet --release -p libdebug --example demo

test: test-rust test-python

# The extension module has no tests of its own in Rust and cannot be linked into a test program without libpython.
test-rust:
	cargo test --quiet --workspace --exclude libdebug-python

test-python: build
	$(BIN)/python -m pytest

lint: lint-rust lint-python

lint-rust:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || \
	  { echo 'make lint needs two components of the Rust toolchain: rustup component add rustfmt clippy' >&2; exit 1; }
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings

lint-python: build
	$(BIN)/ruff format --check
	$(BIN)/ruff check --quiet
	MYPYPATH=python $(BIN)/python -m mypy --no-error-summary --package libdebug
	MYPYPATH=python $(BIN)/python -m mypy.stubtest --concise libdebug
	$(BIN)/python -m pytest --quiet tests/python/test_house_rules.py

bench: build
	PYTHON=$(CURDIR)/$(BIN)/python benches/run.sh

docs: build
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps
	$(BIN)/python -m pytest --quiet tests/python/test_documents.py
	@echo "reference: $(TARGET)/doc/libdebug/index.html"

clean:
	rm -rf $(VENV) $(TARGET) dist tests/fixtures/.cache python/libdebug/*.so
