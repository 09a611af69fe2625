"""Nothing in the repository belongs to one machine or one registry."""

from __future__ import annotations

import re

import pytest

from tests.architecture.tree import REPO, tracked

PATHS = re.compile(r"(?<![\w.~*/})])/(?:" + "|".join(("work", "root", "home", "Users", "tmp")) + r")/\w")
REGISTRY = re.compile(
    r"\b(?:" + "|".join(("pypi", "pythonhosted", "repo1", "repo", "mirrors?")) + r")\.(?:\w+\.)+(?:org|com|cn|net)\b"
)
INSTALLING = {"Makefile", ".ci/run", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "requirements-peers.lock"}


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        data = (REPO / path).read_bytes()
        if b"\0" not in data[:4096]:
            found.append((path.as_posix(), data.decode("utf-8")))
    return found


def test_no_path_of_a_machine() -> None:
    hits = [f"{name}: {found.group()}" for name, text in texts() for found in PATHS.finditer(text)]
    assert not hits


def test_no_address_of_a_registry() -> None:
    hits = [f"{name}: {found.group()}" for name, text in texts() for found in REGISTRY.finditer(text)]
    assert not hits


def test_what_installs_names_no_address_at_all() -> None:
    by_name = dict(texts())
    assert by_name.keys() >= INSTALLING
    assert not [name for name in INSTALLING if re.search(r"https?://|--index-url|--extra-index-url|--find-links", by_name[name])]


@pytest.mark.parametrize("text", ["x = '/" + "work/main'", "see /" + "tmp/x", "(/" + "home/me)"])
def test_the_check_for_paths_sees_them(text: str) -> None:
    assert PATHS.search(text)


@pytest.mark.parametrize("text", ["docs/tmp/x", "{url}/home/x", "https://example.org/root/x", "a/tmp/b"])
def test_the_check_for_paths_lets_parts_of_others_be(text: str) -> None:
    assert not PATHS.search(text)
