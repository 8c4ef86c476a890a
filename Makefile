# Two commands: `make mimic` and `make test`. Both make .venv on the first run and install nothing on the second.
# Where a ROS 2 Jazzy is sourced, it is used; elsewhere ROS comes as wheels.

SHELL := /bin/bash
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet -c requirements/constraints.txt
ARGS ?=
# any: install torch also where pip offers only a build with several GB of CUDA libraries.
TORCH ?= cpu

ifeq ($(ROS_DISTRO),)
  ROS_SET := -r requirements/ros.txt
  VENV_FLAGS :=
else ifeq ($(ROS_DISTRO),jazzy)
  ROS_SET :=
  VENV_FLAGS := --system-site-packages
else
  $(error ROS 2 $(ROS_DISTRO) is sourced, but Rena is made for Jazzy: open a shell without it, or source Jazzy)
endif

# x86-64 needs nothing else; the wheels of ROS, mediapipe and ruckig exist for no other machine.
define MACHINE_CHECK
case "$$(uname -m)" in \
	x86_64) ;; \
	aarch64) \
	  if [ "$$ROS_DISTRO" != jazzy ]; then \
	    echo "On aarch64 ROS comes from apt, and no ROS 2 Jazzy is sourced: apt install ros-jazzy-ros-base python3-venv g++ python3-dev,"; \
	    echo "then source /opt/ros/jazzy/setup.bash and call make again (see 'Other machines' in the README)."; exit 1; \
	  elif ! command -v c++ >/dev/null; then \
	    echo "On aarch64 ruckig is compiled, and there is no C++ compiler: apt install g++ python3-dev, then call make again."; exit 1; \
	  fi ;; \
	*) echo "Rena's pinned packages have wheels for x86_64 and aarch64, not for $$(uname -m); see 'Other machines' in the README."; exit 1 ;; \
esac
endef

.PHONY: mimic test style types tests lint clean

mimic: $(VENV)/.run-installed
	$(VENV)/bin/rena mimic --out out/mimic $(ARGS)

test: style types tests

style: $(VENV)/.test-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.test-installed
	$(VENV)/bin/mypy

# Without torch the tests of learning are left out, and the last line says so.
tests: $(VENV)/.test-installed
	@if $(VENV)/bin/python -c 'import torch' 2>/dev/null; then set -x; $(VENV)/bin/python -m pytest $(ARGS); else \
	  (set -x; $(VENV)/bin/python -m pytest --ignore=test/learning --ignore=test/report $(ARGS)) && \
	  echo "Left out: test/learning and test/report, the tests of learning: torch is not installed (see 'Sizes' in the README)."; fi

$(VENV)/bin/python:
	@$(MACHINE_CHECK)
	@for python in $(PYTHON) python3.12 python3.11 python3; do \
	  $$python -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	    && echo "Making $(VENV) with $$python" && $$python -m venv $(VENV_FLAGS) $(VENV) && exit 0; \
	done; \
	echo "No usable Python 3.11 or 3.12 with venv found: install one (Debian, Ubuntu: apt install python3-venv) or name it: make PYTHON=/path/to/python3.12 ..."; exit 1

# Editable, so that a change in the source needs no new installation.
$(VENV)/.run-installed: requirements/constraints.txt requirements/run.txt requirements/run-nodeps.txt requirements/ros.txt setup.py | $(VENV)/bin/python
	@echo "Installing what running needs (once, about 190 MB to download) ..."
	$(PIP) -r requirements/run.txt $(ROS_SET)
	$(PIP) --no-deps -r requirements/run-nodeps.txt -e .
	@$(VENV)/bin/python -m rena_ros.perception.model_file
	@echo "Compiling what draws the faces (once) ..." && $(VENV)/bin/python -m rena_ros.twin
	@touch $@

$(VENV)/.torch-$(TORCH): requirements/constraints.txt | $(VENV)/bin/python
	@$(VENV)/bin/python requirements/install_torch.py $(if $(filter any,$(TORCH)),--any)
	@touch $@

$(VENV)/.test-installed: $(VENV)/.run-installed $(VENV)/.torch-$(TORCH) requirements/learn.txt requirements/share.txt requirements/test.txt
	@echo "Installing what learning, sharing data and testing need (once) ..."
	$(PIP) -r requirements/run.txt -r requirements/learn.txt -r requirements/share.txt -r requirements/test.txt
	@touch $@

lint: $(VENV)/.test-installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) out build install log
