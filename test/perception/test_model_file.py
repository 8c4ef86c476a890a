"""Finding the face model: which file is used, and the error when there is none."""

import hashlib
import importlib.metadata

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.perception import model_file
from rena_ros.perception.model_file import find_face_model


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("RENA_FACE_MODEL", raising=False)


def assert_names_three_ways(error) -> None:
    text = str(error.value)
    assert "pip install" in text and "RENA_FACE_MODEL=" in text and "models/" in text


def test_the_default_is_the_published_model():
    digest = hashlib.sha256(find_face_model().read_bytes()).hexdigest()
    assert digest == "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"


def test_the_path_counts_before_the_variable_and_the_variable_before_other_places(tmp_path, monkeypatch):
    published = find_face_model().read_bytes()
    named, variable = tmp_path / "named.task", tmp_path / "variable.task"
    named.write_bytes(published)
    variable.write_bytes(published)
    monkeypatch.setenv("RENA_FACE_MODEL", str(variable))
    assert find_face_model() == variable
    assert find_face_model(named) == named


@pytest.mark.parametrize("content", [None, b"", b"PK not a model"])
def test_no_other_file_replaces_one_that_was_named(tmp_path, monkeypatch, content):
    path = tmp_path / "mine.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RenaError, match=r"mine\.task") as error:
        find_face_model(path)
    assert_names_three_ways(error)
    monkeypatch.setenv("RENA_FACE_MODEL", str(path))
    with pytest.raises(RenaError, match="RENA_FACE_MODEL names"):
        find_face_model()


def test_without_the_wheel_the_copy_of_the_installation_is_used(tmp_path, monkeypatch):
    published = find_face_model()

    def no_distribution(name):
        raise importlib.metadata.PackageNotFoundError(name)

    def no_file(relative):
        raise RenaError(relative)

    monkeypatch.setattr(importlib.metadata, "distribution", no_distribution)
    monkeypatch.setattr(model_file, "share_path", lambda relative: published)
    assert find_face_model() == published
    monkeypatch.setattr(model_file, "share_path", no_file)
    with pytest.raises(RenaError, match="not on this machine") as error:
        find_face_model()
    assert_names_three_ways(error)
