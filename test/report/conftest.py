"""The tests of the report need torch and optuna, as `make test` installs them."""

from importlib.util import find_spec

import pytest
from report_stand import write_dataset

# As in test/learning; optuna comes with what learning needs.
collect_ignore_glob = [] if find_spec("torch") and find_spec("optuna") else ["test_*.py"]


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("own") / "own", 400, 1)
