"""Models for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from detectors.design import COLUMNS, GROUPS
from streams.runtime.model_shelf import Shelf
from streams.serving import Serving

MEASURES = ("log_loss", "auc", "brier", "ece")
MODELS = ("champion", "closed_form", "idle", "served")
HEAVIEST = 15
GROUP_OF = dict(zip(COLUMNS, GROUPS, strict=True))


def as_json(shelf: Shelf) -> dict[str, Any]:
    """The serving message, and the champions and fits without their weights, newest first."""
    champions = [_without_weights(one) for one in reversed(shelf.champions.values())]
    return {
        "serving": None if shelf.serving is None else _without_weights(shelf.serving),
        "champions": champions,
        "closed_forms": [msgspec.to_builtins(one) for one in reversed(shelf.fits.values())],
    }


def whole_as_json(one: Serving) -> dict[str, Any]:
    """All of one."""
    found: dict[str, Any] = msgspec.to_builtins(one)
    return found | {"version": one.version}


def compared_as_json(one: Serving, other: Serving) -> dict[str, Any]:
    """Both, and by how much each weight differs."""
    return {"one": _without_weights(one), "other": _without_weights(other), "weights": dict(_differences(one, other))}


def show_list(shelf: Shelf) -> None:
    """A line for what serves, and one for each champion."""
    table = Table(
        Column("version", no_wrap=True), Column("until", no_wrap=True), "labels", "log loss", "closed form", "idle", "AUC", "what"
    )
    for version, what, one in _rows(shelf):
        cells = (version, _day(one.at_ms), _labels(one), *_losses(one), _number(one, "champion", "auc"), what)
        table.add_row(*map(Text, cells))
    Console().print(table)


def show_one(one: Serving) -> None:
    """What it is, how good, and what weighs most."""
    for name, value in _lines(one):
        typer.echo(f"{name:<14} {value}")
    _show_measures({"": one})
    if one.linear is not None:
        _show_weights("weight", sorted(one.linear.weights.items(), key=lambda pair: -abs(pair[1])))


def show_compared(one: Serving, other: Serving) -> None:
    """Side by side."""
    _show_measures({_version(one): one, _version(other): other})
    _show_weights("difference", list(_differences(one, other)))


def _rows(shelf: Shelf) -> Iterator[tuple[str, str, Serving]]:
    """(version, what it is, model)"""
    if shelf.serving is not None:
        yield shelf.serving.version, f"serving: {_what(shelf.serving)}", shelf.serving
    for version, one in reversed(shelf.champions.items()):
        yield version, "", one


def _what(one: Serving) -> str:
    held = "" if one.hold is None else f", {one.hold.replace('_', ' ')}"
    scores = "the champion" if one.linear is not None and one.serves else "the closed form"
    return f"{scores} scores ({one.standing}{held})"


def _lines(one: Serving) -> Iterator[tuple[str, str]]:
    yield "version", one.version
    yield "scores", _what(one)
    yield "why", one.why
    yield "until", _day(one.at_ms) + ("" if one.tick_ms is None else ", a tick of history")
    yield "horizon", f"{one.horizon_days} days"
    closed = one.closed_form
    numbers = f"r {closed.r:.4g}, alpha {closed.alpha_days:.4g} days, a {closed.a:.4g}, b {closed.b:.4g}"
    yield "closed form", f"{closed.version}: {numbers}"
    if one.linear is not None:
        linear = one.linear
        when = f"{_day(linear.first_at_ms)} to {_day(linear.last_at_ms)}"
        yield "champion", f"{linear.version}, learnt from {linear.labels} labels of {when}"
        yield "shift", f"{linear.shift:+.4f}"


def _show_measures(models: Mapping[str, Serving]) -> None:
    table = Table("by the newest labels", *(f"{name} {model}".strip() for model in models for name in MEASURES))
    for name in MODELS:
        table.add_row(name.replace("_", " "), *(_number(one, name, measure) for one in models.values() for measure in MEASURES))
    Console().print(table)


def _show_weights(what: str, weights: list[tuple[str, float]]) -> None:
    caption = f"the {HEAVIEST} largest of {len(weights)}" if len(weights) > HEAVIEST else None
    table = Table("column", "about", what, caption=caption)
    for name, weight in weights[:HEAVIEST]:
        table.add_row(Text(name), GROUP_OF.get(name, ""), f"{weight:+.4f}")
    Console().print(table)


def _differences(one: Serving, other: Serving) -> Iterator[tuple[str, float]]:
    """Weight in `other` less that in `one`, the largest first; what one does not have counts as 0."""
    first, second = ({} if each.linear is None else each.linear.weights for each in (one, other))
    moved = {name: second.get(name, 0.0) - first.get(name, 0.0) for name in first | second}
    yield from sorted(moved.items(), key=lambda pair: -abs(pair[1]))


def _without_weights(one: Serving) -> dict[str, Any]:
    found = whole_as_json(one)
    if found["linear"] is not None:
        del found["linear"]["weights"]
    return found


def _version(one: Serving) -> str:
    return one.closed_form.version if one.linear is None else one.linear.version


def _labels(one: Serving) -> str:
    return "0" if one.linear is None else str(one.linear.labels)


def _losses(one: Serving) -> list[str]:
    return [_number(one, model, "log_loss") for model in ("champion", "closed_form", "idle")]


def _number(one: Serving, model: str, measure: str) -> str:
    value = one.measured.get(model, {}).get(measure)
    return "–" if value is None else f"{value:.4f}"


def _day(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms").astype("datetime64[m]")).replace("T", " ")
