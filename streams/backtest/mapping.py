"""How a foreign file's columns and values become ours: a YAML file, two of which ship with the product."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

COLUMNS = ("type", "customer_id", "occurred_at", "amount", "currency", "severity", "category", "text", "event_id")
TYPES = ("purchase", "refund", "complaint", "login", "cancellation")
SHORTHANDS = {"cdnow:": "lifetimes/datasets/CDNOW_master.txt"}
"""Files inside installed packages that a path may name in short; the mapping has the same name without the colon."""


class HistoryError(ValueError):
    """A history file or its mapping cannot be used. The message says what, where and what to do."""


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mapping file.

    format        csv, jsonl, parquet or whitespace (fields between runs of blanks); by the file's name where absent
    header        names of the fields; the file's own first line is then passed over
    columns       our column name -> the file's
    types         the file's value of `type` -> one of TYPES; other values are bad rows
    default_type  type of every row of a file without a type column
    time_zone     IANA zone of times that carry no offset; without it such times are bad rows. A wall-clock time that
                  happens twice (end of summer time) is taken as the first
    time_format   strptime pattern; without it RFC 3339, ISO 8601 or integer epoch milliseconds
    currency      ISO 4217 code of rows without one
    id_prefix     put before every customer id, so that two files' customers stay apart
    """

    format: Literal["csv", "jsonl", "parquet", "whitespace"] | None = None
    header: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    types: dict[str, str] = {}
    default_type: str | None = None
    time_zone: str | None = None
    time_format: str | None = None
    currency: str | None = None
    id_prefix: str = ""


PLAIN = Mapping()
"""A file that already has the columns and values of a history file."""


@dataclass(frozen=True, slots=True)
class Source:
    """A history file and how to read it."""

    path: Path
    mapping: Mapping


def parse_mapping(text: str | bytes, name: str) -> Mapping:
    """The mapping in a YAML text. `name` is what messages call it. Raises HistoryError with every problem found.

    >>> parse_mapping("columns: {amount: total}", "mine").columns
    {'amount': 'total'}
    """
    try:
        mapping = msgspec.yaml.decode(text, type=Mapping)
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
        # the others are PyYAML's own, of values that only look like dates, numbers and tags
        raise HistoryError(f"mapping {name}: {str(problem)[:500]}") from None
    if problems := [f"mapping {name}: {text}" for text in _problems(mapping)]:
        raise HistoryError("\n".join(problems))
    return mapping


def _problems(mapping: Mapping) -> list[str]:
    problems = [
        f"columns: {ours!r} is none of ours; use one of {', '.join(COLUMNS)}" for ours in mapping.columns if ours not in COLUMNS
    ]
    wanted = [*mapping.types.values(), *([] if mapping.default_type is None else [mapping.default_type])]
    problems += [_no_such_type(value) for value in wanted if value not in TYPES]
    if mapping.time_zone is not None and not _is_zone(mapping.time_zone):
        problems.append(f"time_zone: {mapping.time_zone!r} is not an IANA zone; write for example Europe/London")
    if mapping.currency is not None and not is_currency(mapping.currency):
        problems.append(f"currency: {mapping.currency!r} is not an ISO 4217 code; write for example EUR")
    if mapping.format == "whitespace" and not mapping.header:
        problems.append("header: missing; a file of blank-separated fields needs their names here")
    return problems


def _no_such_type(value: str) -> str:
    return f"types: {value!r} is none of ours; use one of {', '.join(TYPES)}"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_currency(code: str) -> bool:
    """Whether `code` has the shape of an ISO 4217 code: three capital letters."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def shipped_mappings() -> tuple[str, ...]:
    """Names of the mappings that come with the product, in order.

    >>> shipped_mappings()
    ('cdnow', 'online-retail-ii')
    """
    folder = resources.files(__package__) / "mappings"
    return tuple(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")))


def load_mapping(name_or_path: str) -> Mapping:
    """A shipped mapping by its name, or one from a YAML file. Raises HistoryError."""
    if name_or_path in shipped_mappings():
        shipped = resources.files(__package__) / "mappings" / f"{name_or_path}.yaml"
        return parse_mapping(shipped.read_bytes(), name_or_path)
    try:
        text = Path(name_or_path).read_bytes()
    except OSError as problem:
        known = ", ".join(shipped_mappings())
        raise HistoryError(f"mapping {name_or_path}: {problem.strerror or problem}; name a YAML file or one of {known}") from None
    return parse_mapping(text, name_or_path)


def find_source(file: str, mapping: str | None = None, id_prefix: str = "") -> Source:
    """The history file that `file` names and its mapping.

    file        a path, or `cdnow:` for the file that the package `lifetimes` carries
    mapping     name or path of a mapping; "" or None for the shorthand's own, or none
    id_prefix   put before customer ids, after the mapping's own prefix

    Raises HistoryError where the package is not installed or the mapping cannot be used.
    """
    name = mapping or (file.removesuffix(":") if file in SHORTHANDS else None)
    chosen = PLAIN if name is None else load_mapping(name)
    if id_prefix:
        chosen = msgspec.structs.replace(chosen, id_prefix=chosen.id_prefix + id_prefix)
    return Source(_packaged(file) if file in SHORTHANDS else Path(file), chosen)


def _packaged(shorthand: str) -> Path:
    package, _, inside = SHORTHANDS[shorthand].partition("/")
    spec = importlib.util.find_spec(package)  # finds without importing: the package would pull in pandas and more
    if spec is None or not spec.submodule_search_locations:
        raise HistoryError(f"file {shorthand}: the package {package} is not installed; install churnwatch with the extra 'demo'")
    return Path(next(iter(spec.submodule_search_locations))) / inside
