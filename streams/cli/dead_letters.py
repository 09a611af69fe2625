"""`churnwatch dead-letters list | show ID | redrive | drop`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.dead_letter_parts import options as asked
from streams.cli.dead_letter_parts.asking import bar, confirm, find, name_of, tell_done
from streams.cli.dead_letter_parts.send import send_again
from streams.cli.dead_letter_parts.show import as_json as letter_as_json
from streams.cli.dead_letter_parts.show import show_table, show_whole
from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.letter_marks import LetterState
from streams.runtime import admin
from streams.runtime.dead_letter_reader import OPEN_ONLY
from streams.runtime.dropping import drop
from streams.runtime.original import whole_original
from streams.runtime.redriving import RedriveOptions

dead_letters_app = typer.Typer(no_args_is_help=True, help="Refused records: look at them, send them again, give them up.")


@dead_letters_app.command("list")
def list_letters(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first.")] = 50,
    reason: asked.ReasonOption = None,
    topic: asked.TopicOption = None,
    partition: asked.PartitionOption = None,
    customer: asked.CustomerOption = None,
    since: asked.SinceOption = None,
    until: asked.UntilOption = None,
    letter_id: asked.IdOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were redriven, dropped or outdated.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The newest refused records with their reasons; those about which something was done are left out."""
    with one_line_errors():
        settings = settings_from(config)
        wanted = asked.filter_from(settings, reason, topic, partition, customer, since, until, letter_id)
        page = admin.read_dead_letters(settings, wanted, limit, frozenset(LetterState) if every else OPEN_ONLY)
    if as_json:
        show_json([letter_as_json(stored) for stored in page.letters])
    elif page.letters:
        show_table(page.letters, states=every)
    else:
        typer.echo("no dead letters")
    if page.unreadable:
        typer.echo(f"{page.unreadable} messages on the topic are not ours and were left out", err=True)


@dead_letters_app.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="topic-partition-offset, as `list` prints it.")],
    config: ConfigOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="Nothing but the original bytes, to stdout.")] = False,
    out: asked.OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """One refused record: why, where it stands, what was done about it, and its bytes."""
    with one_line_errors():
        settings = settings_from(config)
        stored = admin.find_dead_letter(settings, letter_id)
        if stored is None:
            raise admin.AdminError(f"there is no dead letter {letter_id}", "see `churnwatch dead-letters list --all`")
        if raw or out is not None:
            original = whole_original(settings, stored.letter)
            if out is not None:
                _write(out, original)
            if raw:
                sys.stdout.buffer.write(original)
                sys.stdout.buffer.flush()
            return
    if as_json:
        show_json(letter_as_json(stored))
    else:
        show_whole(stored)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise CommandError(f"--out {path}: {problem.strerror}", "name a file that can be written") from None


@dead_letters_app.command("redrive")
def redrive_letters(
    config: ConfigOption = None,
    reason: asked.ReasonOption = None,
    topic: asked.TopicOption = None,
    partition: asked.PartitionOption = None,
    customer: asked.CustomerOption = None,
    since: asked.SinceOption = None,
    until: asked.UntilOption = None,
    letter_id: asked.IdOption = None,
    limit: asked.FirstOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send also what is refused now, and events that were sent with another letter.")
    ] = False,
    dropped: Annotated[bool, typer.Option("--dropped", help="Send also those that were dropped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    by: asked.ByOption = None,
    yes: asked.YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send refused records again, to where they stood, with key, bytes and headers as they were. Each counts once.

    Those that would be refused again are not sent. Without options, all open letters are meant. May be killed and repeated.
    """
    with one_line_errors():
        settings = settings_from(config)
        wanted = asked.filter_from(settings, reason, topic, partition, customer, since, until, letter_id)
        states = OPEN_ONLY | {LetterState.DROPPED} if dropped else OPEN_ONLY
        how = RedriveOptions(name_of(by), force=force, states=states)
        send_again(settings, wanted, limit, how, yes=yes, dry_run=dry_run, as_json=as_json)


@dead_letters_app.command("drop")
def drop_letters(
    config: ConfigOption = None,
    reason: asked.ReasonOption = None,
    topic: asked.TopicOption = None,
    partition: asked.PartitionOption = None,
    customer: asked.CustomerOption = None,
    since: asked.SinceOption = None,
    until: asked.UntilOption = None,
    letter_id: asked.IdOption = None,
    limit: asked.FirstOption = None,
    by: asked.ByOption = None,
    yes: asked.YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give refused records up: they are listed no more, and count in no rebuild. The letters stay on their topic."""
    with one_line_errors():
        settings = settings_from(config)
        wanted = asked.filter_from(settings, reason, topic, partition, customer, since, until, letter_id)
        name = name_of(by)
        found = find(settings, wanted, limit, OPEN_ONLY)
        tell_done(found)
        count = 0
        if found.letters:
            confirm(found, "drop", yes=yes)
            with bar("dropping") as progress:
                count = drop(settings, found, name, progress)
    if as_json:
        show_json({"dropped": count, "left_out": dict(sorted(found.done.items()))})
    else:
        typer.echo(f"{count} dropped")
