"""What the tests of several launch files need."""

import importlib.util
from pathlib import Path

import pytest


def module_of(path: Path):
    """A launch file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem.replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


module_of_fixture = pytest.fixture(lambda: module_of, name="module_of")
