"""`churnwatch models list | show | compare | rollback | freeze | thaw`: what was learnt, and what a person decides about it."""

from __future__ import annotations

import getpass
import time
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.ids import rfc3339
from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.model_control import Action, ControlMessage
from streams.runtime.model_shelf import Shelf, read_shelf, tell_learner
from streams.serving import Serving

models_app = typer.Typer(no_args_is_help=True, help="What was learnt: look at it, compare it, go back to an earlier one.")

MEASURES = (("n", "labels"), ("auc", "AUC"), ("pr_auc", "PR-AUC"), ("log_loss", "log loss"), ("brier", "Brier"),
            ("ece", "calibration error"), ("lift_at_10", "lift of 10 %"), ("lift_cap", "at most"))  # fmt: skip
WEIGHTS_SHOWN = 12
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="As `models list` prints it, or `serving`.")]


@models_app.command("list")
def list_models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What serves, the champions that are kept, oldest first, and the closed form's parameters."""
    with one_line_errors():
        shelf = read_shelf(settings_from(config))
    if as_json:
        show_json(_as_json(shelf))
        return
    if shelf.serving is None and not shelf.champions and not shelf.parameters:
        typer.echo("nothing was learnt or fitted yet: the parameters that ship score")
        return
    table = Table("version", "of", "labels", "log loss", "closed form's", "AUC", "")
    for version, kept in shelf.champions.items():
        table.add_row(*_row(version, kept), Text(_mark(version, shelf)))
    if shelf.serving is not None and _name(shelf.serving) not in shelf.champions:
        table.add_row(*_row(_name(shelf.serving), shelf.serving), Text(_mark(_name(shelf.serving), shelf)))
    if table.row_count:
        Console().print(table)
    for one in shelf.parameters:
        typer.echo(f"closed form {one.version}: {one.customers} customers, {one.source}")
    if shelf.serving is not None:
        hold = f", {shelf.serving.hold} by command" if shelf.serving.hold else ""
        typer.echo(f"the champion is {shelf.serving.standing}{hold}: {shelf.serving.why}")
    if shelf.unreadable:
        typer.echo(f"{shelf.unreadable} messages on the topic are not ours and were left out", err=True)


@models_app.command("show")
def show_model(version: VersionArgument = "serving", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One model: how it was measured, and what weighs most in it."""
    with one_line_errors():
        found = _named(read_shelf(settings_from(config)), version)
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    typer.echo(f"{_name(found)}, as of {rfc3339(found.at_ms)}; closed form {found.closed_form.version}")
    typer.echo(f"the champion was {found.standing}: {found.why}")
    table = Table("model", *(title for _, title in MEASURES), title="By the newest labels, before each was learnt")
    for name, measured in found.measured.items():
        table.add_row(name.replace("_", " "), *(_number(measured.get(key)) for key, _ in MEASURES))
    Console().print(table)
    if found.linear is not None:
        heaviest = sorted(found.linear.weights.items(), key=lambda one: -abs(one[1]))[:WEIGHTS_SHOWN]
        weights = Table("column of the design", "weight", title=f"Heaviest of {len(found.linear.weights)}")
        for column, weight in heaviest:
            weights.add_row(Text(column), f"{weight:+.3f}")
        Console().print(weights)


@models_app.command("compare")
def compare_models(
    one: VersionArgument, other: VersionArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Two champions side by side: their measures when they were kept, and the weights that differ most."""
    with one_line_errors():
        shelf = read_shelf(settings_from(config))
        pair = _named(shelf, one), _named(shelf, other)
    measured = [found.measured.get("champion", {}) for found in pair]
    weights = [{} if found.linear is None else found.linear.weights for found in pair]
    differ = {
        column: weights[1].get(column, 0.0) - weights[0].get(column, 0.0)
        for column in sorted(weights[0].keys() | weights[1].keys())
    }
    if as_json:
        show_json({"versions": [_name(found) for found in pair], "measured": measured, "weights_by": differ})
        return
    table = Table("champion", *map(_name, pair))
    for key, title in MEASURES:
        table.add_row(title, *(_number(found.get(key)) for found in measured))
    Console().print(table)
    moved = Table("column of the design", *map(_name, pair), "by", title="Weights that differ most")
    for column, by in sorted(differ.items(), key=lambda item: -abs(item[1]))[:WEIGHTS_SHOWN]:
        moved.add_row(Text(column), *(f"{found.get(column, 0.0):+.3f}" for found in weights), f"{by:+.3f}")
    Console().print(moved)


@models_app.command("rollback")
def rollback(version: VersionArgument, config: ConfigOption = None) -> None:
    """An earlier champion serves until `models thaw`; learning and measuring go on."""
    with one_line_errors():
        settings = settings_from(config)
        shelf = read_shelf(settings)
        if version not in shelf.champions:
            known = ", ".join(list(shelf.champions)[-5:]) or "none is kept yet"
            raise CommandError(f"VERSION {version!r}: no champion of that name is kept", f"choose of the newest: {known}")
        tell_learner(settings, _command("rollback", version))
    typer.echo(f"asked for: {version} serves as soon as the learner has read it")


@models_app.command("freeze")
def freeze(config: ConfigOption = None) -> None:
    """What serves now serves on, unchanged, until `models thaw`; learning and measuring go on."""
    with one_line_errors():
        tell_learner(settings_from(config), _command("freeze"))
    typer.echo("asked for: what serves now serves on")


@models_app.command("thaw")
def thaw(config: ConfigOption = None) -> None:
    """The gate decides again what serves."""
    with one_line_errors():
        tell_learner(settings_from(config), _command("thaw"))
    typer.echo("asked for: the gate decides again")


def _command(action: Action, version: str = "") -> ControlMessage:
    return ControlMessage(action=action, version=version, by=getpass.getuser(), at_ms=time.time_ns() // 1_000_000)


def _named(shelf: Shelf, version: str) -> Serving:
    if shelf.serving is not None and version in ("serving", _name(shelf.serving)):
        return shelf.serving
    if version in shelf.champions:
        return shelf.champions[version]
    raise CommandError(f"VERSION {version!r}: no model of that name is kept", "see `churnwatch models list`")


def _name(kept: Serving) -> str:
    """Of the champion, whether or not it serves; of the closed form where there is none."""
    return kept.closed_form.version if kept.linear is None else kept.linear.version


def _row(version: str, kept: Serving) -> list[str]:
    champion, closed_form = kept.measured.get("champion", {}), kept.measured.get("closed_form", {})
    labels = "" if kept.linear is None else str(kept.linear.labels)
    losses = [_number(measured.get("log_loss")) for measured in (champion, closed_form)]
    return [version, rfc3339(kept.at_ms)[:10], labels, *losses, _number(champion.get("auc"))]


def _mark(version: str, shelf: Shelf) -> str:
    return "serves" if shelf.serving is not None and shelf.serving.version == version else ""


def _number(value: float | int | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _as_json(shelf: Shelf) -> dict[str, Any]:
    champions = [
        {"version": version, "at_ms": kept.at_ms, "measured": kept.measured, "standing": kept.standing}
        for version, kept in shelf.champions.items()
    ]
    return {
        "serving": None if shelf.serving is None else msgspec.to_builtins(shelf.serving),
        "champions": champions,
        "closed_form": [msgspec.to_builtins(one) for one in shelf.parameters],
        "control": None if shelf.control is None else msgspec.to_builtins(shelf.control),
    }
