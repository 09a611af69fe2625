"""What is wrong with settings, in words for the person who must put it right: where, the value, what to do.

Values of secrets and of unknown keys (which may be a misspelt secret) are never shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

MASK = "***"
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right.

    where   environment variable, or key with the file's name
    value   what was given, masked if secret; None where there is no value to show
    fix     what to do
    """

    where: str
    value: str | None
    fix: str

    def __str__(self) -> str:
        given = "" if self.value is None else f" = {self.value}"
        return f"{self.where}{given}: {self.fix}"


class SettingsError(Exception):
    """Settings that cannot be used. `problems` has all of them; the text is one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Found:
    """A problem and the settings it is about: `path` the one to change, `involves` all that it was judged by."""

    path: tuple[str, ...]
    involves: frozenset[tuple[str, ...]]
    problem: Problem


def unknown_variable(key: str, known: Iterable[str]) -> Problem:
    """A variable with our prefix that names no setting."""
    return Problem(key, None, "is not a setting" + meant(key, known, cutoff=0.85))


def explain(
    error: ValidationError,
    *,
    where: Mapping[tuple[str, str], str],
    secrets: frozenset[tuple[str, str]],
    sections: Mapping[str, type[BaseModel]],
    name: str,
) -> list[Found]:
    """Pydantic's errors as problems.

    where      (section, field) → the environment variable that gave it; the rest came from the file or is a default
    secrets    (section, field) whose values are masked
    sections   the groups by name
    name       what the file is called
    """
    found: list[Found] = []
    for item in error.errors(include_url=False):
        path = tuple(str(part) for part in item["loc"][:2])
        if item["type"] == "rules":
            found += [_rule(path[0], field, what, where, name) for field, what in item["ctx"]["broken"]]
        elif item["type"] == "extra_forbidden":
            known = sections[path[0]].model_fields if len(path) > 1 else sections
            found.append(_found(path, Problem(_place(path, where, name), None, "is not a setting" + meant(path[-1], known))))
        else:
            value = shown(item["input"], secret=path in secrets)
            found.append(_found(path, Problem(_place(path, where, name), value, remedy(item["msg"], item["loc"][2:]))))
    return found


def seen(path: tuple[str, str], value: Any, fix: str, *, where: Mapping[tuple[str, str], str], name: str) -> Problem:
    """A problem with what a setting names; the other arguments as for `explain`.

    value   None: not shown
    """
    return Problem(_place(path, where, name), None if value is None else shown(value), fix)


def _rule(section: str, field: str, what: str, where: Mapping[tuple[str, str], str], name: str) -> Found:
    path = (section, field)
    named = {part.strip(".,;():") for part in what.split()}
    others = {(section, part.split(".")[1]) for part in named if part.startswith(section + ".")}
    return Found(path, frozenset({path, *others}), Problem(_place(path, where, name), None, what))


def _found(path: tuple[str, ...], problem: Problem) -> Found:
    return Found(path, frozenset({path}), problem)


def _place(path: tuple[str, ...], where: Mapping[tuple[str, str], str], name: str) -> str:
    variable = where.get((path[0], path[1])) if len(path) > 1 else None
    return variable or f"{'.'.join(map(named, path))} ({name})"


def named(key: str) -> str:
    """A key that was given, masked where it may be an address with a secret in it, put where its name should stand."""
    return MASK if any(sign in key for sign in ":/@") or len(key) > SHOWN_CHARACTERS else key


def shown(value: Any, *, secret: bool = False) -> str:
    """A value that was given, short, and masked where it may be a secret."""
    if secret:
        return MASK
    if isinstance(value, dict | list):  # may hold anything, a password too
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def remedy(message: str, inner: tuple[int | str, ...]) -> str:
    """What to do, from a message of pydantic's; `inner` is the place of the value inside its field."""
    text = message.removeprefix("Value error, ").replace("Input should", "should").replace("String should", "should")
    at = [named(str(part)) for part in inner if part != "[key]"]
    return f"{'.'.join(at)} {text}" if at else text


def meant(key: str, known: Iterable[str], cutoff: float = 0.6, listed: str = "docs/settings.md lists all") -> str:
    """A guess, if a known name is like it. Variables share a long prefix, so they must be more alike."""
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else f"; remove it ({listed})"
