"""The locks: every requirement hashed, one version each, none left out, no address of a registry."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import REPO

OURS = ("requirements.lock", "requirements-dev.lock")
PEERS = "requirements-peers.lock"
LOCKS = (*OURS, PEERS)
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))


def entries(lock: str) -> list[tuple[Requirement, int]]:
    """Each requirement of a lock with the number of its hashes."""
    logical = (REPO / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    lines = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    return [
        (Requirement(line.split("--hash")[0].strip()), len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line))) for line in lines
    ]


def wanted(lock: str) -> list[Requirement]:
    if lock == PEERS:
        lines = (REPO / "benchmarks" / "peers" / "requirements.in").read_text("utf-8").splitlines()
        return [Requirement(line) for line in lines if line and not line.startswith("#")]
    groups = PROJECT["dependency-groups"]
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["demo"], *groups["build"]]
    return [Requirement(text) for text in texts + (groups["dev"] if lock == "requirements-dev.lock" else [])]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 30
    assert not [
        str(requirement) for requirement, hashes in found if hashes == 0 or not str(requirement.specifier).startswith("==")
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_place_to_get_things_from(lock: str) -> None:
    text = (REPO / lock).read_text("utf-8")
    assert not re.findall(r"://|--index-url|--extra-index-url|--find-links|--trusted-host| @ ", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_project_asks_for_is_in_the_lock_at_a_version_it_allows(lock: str) -> None:
    found = [(canonicalize_name(requirement.name), str(requirement.specifier)[2:]) for requirement, _ in entries(lock)]
    for requirement in wanted(lock):
        versions = [version for name, version in found if name == canonicalize_name(requirement.name)]
        assert versions, f"{requirement} is missing: run `make lock`"
        assert all(requirement.specifier.contains(version, prereleases=True) for version in versions), (
            f"{requirement}: {versions}"
        )


def test_both_locks_of_ours_agree() -> None:
    runtime, dev = ({str(requirement) for requirement, _ in entries(lock)} for lock in OURS)
    assert {text.split(";")[0].strip() for text in runtime} <= {text.split(";")[0].strip() for text in dev}


def test_the_build_requirement_is_the_one_that_is_locked() -> None:
    assert PROJECT["build-system"]["requires"] == PROJECT["dependency-groups"]["build"]
