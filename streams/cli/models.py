"""`churnwatch models list | show | compare | rollback | freeze | thaw`."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.dead_letter_parts.asking import name_of
from streams.cli.errors import CommandError
from streams.cli.model_parts import show as shown
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.model_control import Action
from streams.runtime.model_shelf import ask, obeyed, read_shelf
from streams.runtime.settings import Settings

models_app = typer.Typer(no_args_is_help=True, help="What was learnt: look at it, go back, hold it.")

ByOption = Annotated[str | None, typer.Option("--by", help="Who asks; your login name where not given.")]
WaitOption = Annotated[float, typer.Option("--wait", min=0, help="Wait so many seconds for the learner to have done it.")]
VERSION = "A version as `list` names it, or `serving`."


@models_app.command("list")
def list_models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What serves, and the models that are kept, newest first, with what was measured when each was made."""
    with one_line_errors():
        shelf = read_shelf(settings_from(config))
    if as_json:
        show_json(shown.as_json(shelf))
    elif shelf.serving is None:
        typer.echo("the learner has sent no model yet: workers score by the closed form")
    else:
        shown.show_list(shelf)


@models_app.command("show")
def show_model(
    version: Annotated[str | None, typer.Argument(help=VERSION)] = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """One model: why it serves or not, how good it is, what weighs most. With --json all of it, as it stands on the topic."""
    with one_line_errors():
        found = read_shelf(settings_from(config)).find(version)
    if as_json:
        show_json(shown.whole_as_json(found))
    else:
        shown.show_one(found)


@models_app.command()
def compare(
    version: Annotated[str, typer.Argument(help=VERSION)],
    other: Annotated[str | None, typer.Argument(help="Another one; what serves where none is named.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two models side by side. Each was measured by the labels that were new when it was made."""
    with one_line_errors():
        shelf = read_shelf(settings_from(config))
        one, two = shelf.find(version), shelf.find(other)
    if as_json:
        show_json(shown.compared_as_json(one, two))
    else:
        shown.show_compared(one, two)


@models_app.command()
def rollback(
    version: Annotated[str, typer.Argument(help="A version as `list` names it.")],
    by: ByOption = None,
    wait: WaitOption = 30.0,
    config: ConfigOption = None,
) -> None:
    """An earlier model serves, until `thaw`. Learning and judging go on."""
    with one_line_errors():
        settings = settings_from(config)
        if (chosen := read_shelf(settings).champions.get(version)) is None:
            raise CommandError(f"there is no model {version} to go back to", "see `churnwatch models list`")
        try:
            chosen.served_model(settings.risk.horizon_days, settings.risk.staying)
        except ValueError as problem:
            raise CommandError(f"model {version} cannot serve here: {problem}", "go back to one of these settings") from None
    _tell(settings, "rollback", version, by, wait)


@models_app.command()
def freeze(by: ByOption = None, wait: WaitOption = 30.0, config: ConfigOption = None) -> None:
    """What serves now serves on, whatever is learnt, until `thaw`."""
    with one_line_errors():
        settings = settings_from(config)
    _tell(settings, "freeze", "", by, wait)


@models_app.command()
def thaw(by: ByOption = None, wait: WaitOption = 30.0, config: ConfigOption = None) -> None:
    """The learner decides again what serves."""
    with one_line_errors():
        settings = settings_from(config)
    _tell(settings, "thaw", "", by, wait)


def _tell(settings: Settings, action: Action, version: str, by: str | None, wait_s: float) -> None:
    name = name_of(by)
    with one_line_errors():
        if read_shelf(settings).serving is None:
            raise CommandError("the learner has sent no model yet", "start `churnwatch learner` and wait for labels")
        ask(settings, action, version, name)
        serving = obeyed(settings, action, version, wait_s) if wait_s else None
    if not wait_s:
        typer.echo("asked")
    elif serving is None:
        fix = "see that `churnwatch learner` runs; it obeys as soon as it does"
        raise CommandError(f"asked, and not done within {wait_s:g} s", fix)
    else:
        hold = "decided by the learner" if serving.hold is None else serving.hold.replace("_", " ")
        typer.echo(f"{serving.version} serves ({hold})")
