"""The `churnwatch` command: its sub-commands, and what becomes of their errors.

A sub-command is a module beside this one, named after it, with a function of its own name or a Typer `NAME_app`. Only the
module of the command that was asked for is imported, so `--help` is quick and a missing extra breaks one command, not all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, NamedTuple

import typer

from streams.cli.errors import CommandError

COMMANDS = {
    "demo": "Everything on this machine: broker, Redis, a worker, a year of customers, alerts as they fire.",
    "worker": "Read events, keep customers' state, raise alerts. Start as many as there are partitions.",
    "learner": "Learn from what customers did, and tell the workers what to score by.",
    "models": "What was learnt: look at it, go back to an earlier one, hold it.",
    "topics": "Create the topics, or check that they are as they must be.",
    "simulate": "Write a history of invented customers whose truth is known.",
    "replay": "Write history files into the topics, with the clock's ticks.",
    "backtest": "How good risk and alerts would have been on a history.",
    "go-live": "End the loading of history: go on live, with one digest in place of all alerts about the past.",
    "customer": "One customer: state, risk, reasons, timeline.",
    "erase": "Erase customers, and say what was removed and what remains.",
    "doctor": "Check broker, topics, Redis, versions and clocks, and say what to do.",
    "channels": "Send a test message to where alerts go beyond Kafka.",
    "causes": "What complaints speak of: try it, or teach it.",
    "fit": "Fit the risk's parameters to a history or to the running system's customers.",
    "rebuild": "Begin anew from the topics when Redis has lost its state.",
    "dead-letters": "What was refused, and why: look at it, send it again, give it up.",
    "playbook": "Check a playbook of retention triggers.",
    "settings": "Print the settings in force, secrets masked.",
}


class Known(NamedTuple):
    """An error whose text is for people: where its class lives, and the exit code. A class never imported was never raised."""

    module: str
    name: str
    exit_code: int


KNOWN = (
    Known("streams.runtime.settings_problems", "SettingsError", 2),
    Known("streams.cli.errors", "CommandError", 1),
    Known("streams.runtime.kafka_client", "AdminError", 1),
    Known("streams.runtime.kafka_refused", "KafkaRefused", 1),
    Known("streams.runtime.health_server", "CannotListen", 1),
    Known("streams.runtime.store", "StoreError", 1),
    Known("streams.runtime.owner", "LostState", 1),
    Known("streams.runtime.mode", "WrongMode", 1),
    Known("streams.runtime.redis_watch", "EvictingRedis", 1),
    Known("streams.runtime.erasing", "ErasureKeyError", 1),
    Known("streams.runtime.topics", "WrongTopics", 1),
    Known("streams.backtest.history", "HistoryError", 1),
    Known("streams.backtest.replaying", "ReplayError", 1),
    Known("streams.runtime.wheels", "EmbeddedError", 1),
    Known("streams.runtime.learner_app", "LearningIsOff", 1),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process: 0 done, 1 the command failed, 2 it was asked for wrongly, 130 interrupted.

    argv   arguments without the program's name; None: the process's
    """
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        build(args)(args=args, prog_name="churnwatch")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # unknown ones are raised again
        exit_code = _exit_code(error)
        if exit_code is None:
            raise
        for line in str(error).splitlines():
            typer.echo(f"churnwatch: {line}", err=True)
        sys.exit(exit_code)


def build(args: Sequence[str]) -> typer.Typer:
    """The application for these arguments: the command they name is the real one, the others stand for their help line."""
    app = typer.Typer(
        name="churnwatch",
        help="Which customers are about to leave, and why, while there is still time to act.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # it would print local variables, passwords among them
    )
    app.callback()(_options)
    asked = next((arg for arg in args if not arg.startswith("-")), None)
    for name, text in COMMANDS.items():
        if name == asked:
            _add(app, name)
        else:
            app.command(name, help=text)(_stand_in(name))
    return app


def _version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"churnwatch {version('churnwatch')}")
    except PackageNotFoundError:
        typer.echo("churnwatch, not installed: run from a checkout")
    raise typer.Exit


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", callback=_version)] = False,
) -> None:
    """Options before the command."""


def _add(app: typer.Typer, name: str) -> None:
    module_name = name.replace("-", "_")
    try:
        module: Any = import_module(f"streams.cli.{module_name}")
    except ModuleNotFoundError as error:
        raise _absent(name, error) from error
    group = getattr(module, f"{module_name}_app", None)
    if group is not None:
        app.add_typer(group, name=name)
    else:
        app.command(name)(getattr(module, module_name))


def _absent(name: str, error: ModuleNotFoundError) -> CommandError:
    fix = 'install the demo\'s parts: pip install ".[demo]"' if name == "demo" else "install the package again"
    return CommandError(f"{name} needs the Python module {error.name}, which is not installed", fix)


def _stand_in(name: str) -> Callable[[], None]:
    def command() -> None:
        raise AssertionError(f"{name} was run without being asked for")

    return command


def _exit_code(error: Exception) -> int | None:
    """Of an error that is told in a line; None for a fault of ours, which needs its traceback."""
    for known in KNOWN:
        kind = getattr(sys.modules.get(known.module), known.name, None)
        if kind is not None and isinstance(error, kind):
            return known.exit_code
    return None


if __name__ == "__main__":
    main()
