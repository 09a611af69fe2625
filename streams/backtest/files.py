"""The rows of a history file, whatever its format, as dictionaries by column name."""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import msgspec

from streams.backtest.mapping import HistoryError, Mapping
from streams.backtest.rows import RowError

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
FIELD_LIMIT = 16 * 1024 * 1024
"""Longest CSV field, characters: a complaint's text may exceed the csv module's own 128 KiB."""

Row = dict[str, Any] | RowError
"""One row, or why the line is none."""


def read_rows(path: Path, mapping: Mapping) -> Iterator[Row]:
    """Every row of the file in its order. Raises HistoryError where the file cannot be read at all."""
    kind = mapping.format or file_format(path)
    if kind == "parquet":
        yield from _parquet_rows(path)
        return
    rows = {"csv": _csv_rows, "jsonl": _json_rows, "whitespace": _blank_separated_rows}[kind]
    with _opened(path) as file, _told(path):
        yield from rows(file, mapping)


def read_csv_parts(path: Path, mapping: Mapping, rows: int) -> Iterator[tuple[list[str], list[list[str]]]]:
    """A CSV file's columns' names and the fields of up to so many rows at a time. Raises HistoryError as `read_rows`."""
    with _opened(path) as file, _told(path):
        names, lines = _csv_lines(file, mapping)
        while part := list(islice(lines, rows)):
            yield names, part


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong while reading, in words."""
    try:
        yield
    except UnicodeDecodeError as problem:
        raise HistoryError(f"file {path.name}: not UTF-8 at byte {problem.start}; convert it to UTF-8") from None
    except (OSError, EOFError, csv.Error, zlib.error) as problem:
        raise HistoryError(f"file {path.name}: {problem}; check that the file is whole") from None


def file_format(path: Path) -> str:
    """The format that a file's name tells: csv, jsonl or parquet. Raises HistoryError.

    >>> file_format(Path("orders.csv.gz"))
    'csv'
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    raise HistoryError(
        f"file {path.name}: unknown format; call it .csv, .jsonl (also .gz) or .parquet, or give format in a mapping"
    )


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as probe:
            zipped = probe.read(2) == b"\x1f\x8b"  # by content: a browser may have unzipped what is still called .gz
        file: TextIO = (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
            if zipped
            else path.open("rt", encoding="utf-8-sig", newline="")
        )
    except OSError as problem:
        raise HistoryError(f"file {path}: {problem.strerror or problem}") from None
    with file:
        yield file


def _csv_rows(file: TextIO, mapping: Mapping) -> Iterator[Row]:
    names, lines = _csv_lines(file, mapping)
    for fields in lines:
        yield named(names, fields)


def _csv_lines(file: TextIO, mapping: Mapping) -> tuple[list[str], Iterator[list[str]]]:
    """The columns' names, and each row's fields."""
    csv.field_size_limit(min(FIELD_LIMIT, sys.maxsize))
    lines = csv.reader(file, strict=True)
    header = next(lines, None) or []
    names = list(mapping.header) or [name.strip() for name in header]
    if twice := {name for name in names if names.count(name) > 1}:
        raise HistoryError(f"header: {', '.join(sorted(twice))} stands there twice; rename one")
    return names, (fields for fields in lines if fields)


def _blank_separated_rows(file: TextIO, mapping: Mapping) -> Iterator[Row]:
    next(file, None)
    for line in file:
        if fields := line.split():
            yield named(list(mapping.header), fields)


def named(names: list[str], fields: list[str]) -> Row:
    """The fields by name."""
    if len(fields) == len(names):
        return dict(zip(names, fields, strict=True))
    return RowError("fields", len(fields), f"the header names {len(names)}; check quoting and separators of this row")


def _json_rows(file: TextIO, _mapping: Mapping) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in file:
        if line.isspace():
            continue
        try:
            yield decode(line)
        except (msgspec.MsgspecError, RecursionError) as problem:
            yield RowError("line", line.rstrip("\r\n"), f"not a JSON object: {problem}")


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import lib, parquet  # type: ignore[import-not-found, unused-ignore] # optional: 40 MB that few need
    except ImportError:
        raise HistoryError(
            f"file {path.name}: reading Parquet needs the package pyarrow; install it, or convert the file to CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (OSError, lib.ArrowException) as problem:
        raise HistoryError(f"file {path.name}: {problem}") from None
