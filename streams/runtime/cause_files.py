"""Files about causes: the model that ships, one that was trained, and complaints that people have labelled."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from detectors.cause_model import CauseModel
from detectors.cause_snapshot import CauseSnapshot, loads
from detectors.causes import CAUSE_CLASSES, Example
from streams.runtime.settings import Settings
from streams.runtime.settings_problems import Problem, SettingsError

SHOWN = 20
"""So many bad rows are named."""
SHIPPED = files("detectors") / "data" / "cause_model.json"


class CauseFileError(ValueError):
    """A file of labelled complaints, or of a model, that cannot be used; the text says why, and what to do."""


@cache
def shipped_snapshot() -> CauseSnapshot:
    """The model that ships, learnt from the examples beside it."""
    return loads(SHIPPED.read_bytes())


@cache
def _shipped() -> CauseModel:
    return CauseModel(shipped_snapshot())


def snapshot_in_use(settings: Settings) -> CauseSnapshot:
    """What risk.cause_model_file names, else the one that ships. Raises SettingsError."""
    path = settings.risk.cause_model_file
    if path is None:
        return shipped_snapshot()
    try:
        return read_snapshot(Path(path))
    except CauseFileError as problem:
        fix = f"{problem}; give a file written by `churnwatch causes train`"
        raise SettingsError([Problem("risk.cause_model_file", path, fix)]) from None


def cause_model(settings: Settings) -> CauseModel:
    """The model by which complaints are read. Raises SettingsError."""
    return _shipped() if settings.risk.cause_model_file is None else CauseModel(snapshot_in_use(settings))


def read_snapshot(path: Path) -> CauseSnapshot:
    """A model from its file. Raises CauseFileError."""
    try:
        return loads(path.read_bytes())
    except OSError as problem:
        raise CauseFileError(f"cannot be read: {problem.strerror}") from None
    except ValueError as problem:
        raise CauseFileError(str(problem)) from None


def read_examples(path: Path) -> list[Example]:
    """Labelled complaints: CSV (tab-separated where the name ends in .tsv) with columns `cause` and `text`, `category` or both.

    Raises CauseFileError naming every bad row, the first 20 by number.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as problem:
        raise CauseFileError(f"{path}: cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise CauseFileError(f"{path}: is not UTF-8; save it as UTF-8") from None
    tabs = path.suffix == ".tsv"
    rows = csv.DictReader(
        io.StringIO(text, newline=""), delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL
    )
    columns = rows.fieldnames or []
    if "cause" not in columns or not {"text", "category"} & set(columns):
        raise CauseFileError(f"{path}: has columns {', '.join(columns) or 'none'}; it needs cause, and text or category")
    try:
        return _judged(path, list(rows))
    except csv.Error as problem:
        raise CauseFileError(f"{path}: after line {rows.line_num}: {problem}") from None


def _judged(path: Path, rows: Sequence[dict[str, str]]) -> list[Example]:
    examples: list[Example] = []
    bad: list[str] = []
    for number, row in enumerate(rows, start=1):
        example = Example(row["cause"], row.get("text") or "", row.get("category") or "")  # type: ignore[arg-type] # judged below
        if example.cause not in CAUSE_CLASSES:
            bad.append(f"  row {number}: cause = {example.cause!r}: write one of {', '.join(CAUSE_CLASSES)}")
        elif not example.text and not example.category:
            bad.append(f"  row {number}: has neither text nor category")
        else:
            examples.append(example)
    if bad:
        more = [f"  and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise CauseFileError("\n".join([f"{path}: {len(bad)} bad rows", *bad[:SHOWN], *more]))
    return examples
