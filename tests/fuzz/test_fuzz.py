"""A second or so of every target, and all that was ever found. `make fuzz` takes minutes."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
import pytest

from tests.fuzz.run import FOUND, TARGETS, Found, again, fuzz
from tests.fuzz.target import Target

SECONDS = 0.8


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_does_what_it_promises_whatever_it_is_given(name: str) -> None:
    number = secrets.randbelow(10**9)
    tried, found = fuzz(name, number, SECONDS)
    assert tried > 0
    assert found is None, f"save as tests/fuzz/found/{found.name}: {msgspec.json.encode(found).decode()}"


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_found_once_is_right_now(path: Path) -> None:
    again(msgspec.json.decode(path.read_bytes(), type=Found))


@pytest.mark.parametrize("problem", [ValueError("planted"), AssertionError("planted")], ids=["raises", "wrong"])
def test_a_reader_that_breaks_its_promise_is_found_and_can_be_repeated(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(data: bytes) -> None:
        if b"\xff" in data:
            raise problem

    monkeypatch.setitem(TARGETS, "planted", Target(TARGETS["alerts"].make, check))  # type: ignore[arg-type] # a dict
    _, found = fuzz("planted", 1, 60.0)
    assert found is not None
    assert (found.target, found.problem) == ("planted", f"{type(problem).__name__}: planted")
    saved = msgspec.json.decode(msgspec.json.encode(found), type=Found)
    with pytest.raises(type(problem), match="planted"):
        again(saved)
