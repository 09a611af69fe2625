"""`churnwatch rebuild`: begin anew from what the topics still hold, when Redis has lost its state."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, one_line_errors, settings_from
from streams.runtime.admin import active_members, delete_group
from streams.runtime.connect import connected_store
from streams.runtime.forgetting import forget_learners_generation, forget_partition
from streams.runtime.forgetting import forget_learnt as forget_what_was_learnt
from streams.runtime.rereading import say_reread
from streams.runtime.settings import Settings
from streams.runtime.switching import history_stands


def rebuild(
    config: ConfigOption = None,
    keep_state: Annotated[
        bool,
        typer.Option("--keep-state", help="Only forget Kafka's generations, after the consumer group was deleted on purpose."),
    ] = False,
    forget_learnt: Annotated[
        bool,
        typer.Option("--forget-learnt", help="Delete also churn.labels and what was learnt. Stop the learner first."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what Redis holds of these partitions is deleted.")] = False,
) -> None:
    """Forget the state in Redis and the group's offsets: workers then read the topics from their beginning. Stop them first.

    Alerts of the past are sent again, with the same ids. A system that went live after a history does so again, at the same
    place, and no second digest is sent. What was triggered for whom is kept, and what was learnt: labels of before count on.
    """
    with one_line_errors():
        settings = settings_from(config)
        _check_stopped(settings, "", "workers")
        if forget_learnt:
            _check_stopped(settings, "-learner", "learner")
    if keep_state and forget_learnt:
        raise CommandError("--keep-state deletes nothing, --forget-learnt does", "give one of them")
    if keep_state:
        known = asyncio.run(_reset_generations(settings))
        typer.echo(f"generations forgotten in {known} of {settings.kafka.partitions} partitions; start the workers")
        return
    if not yes:
        raise CommandError(
            "this deletes the state of every customer in Redis and reads the topics from their beginning", "add --yes to do it"
        )
    with one_line_errors():
        _check_clock(settings)
        if forget_learnt:
            asyncio.run(forget_what_was_learnt(settings))  # first, since some brokers cannot
        say_reread(settings)
    customers = asyncio.run(_forget(settings))
    with one_line_errors():
        delete_group(settings)
    also, start = ("what was learnt and churn.labels deleted, ", "workers and learner") if forget_learnt else ("", "workers")
    typer.echo(f"{customers} keys deleted, {also}offsets of group {settings.kafka.group} forgotten; start the {start}")


def _check_stopped(settings: Settings, ending: str, who: str) -> None:
    if members := active_members(settings, ending):
        raise CommandError(f"group {settings.kafka.group}{ending} has {members} active members", f"stop the {who} first")


def _check_clock(settings: Settings) -> None:
    """A history that is read as the backlog of a live system would not lead back to where it led. Raises CommandError."""
    if settings.time.clock == "wall" and history_stands(settings):
        raise CommandError(
            "time.clock is wall, but churn.clock begins with the ticks of a history",
            "set time.clock: history, as when it was loaded; where go-live was run, workers go live again by themselves",
        )


async def _reset_generations(settings: Settings) -> int:
    async with connected_store(settings) as store:
        known = sum([await store.reset_generation(partition) for partition in range(settings.kafka.partitions)])
    await forget_learners_generation(settings)
    return known


async def _forget(settings: Settings) -> int:
    return sum([await forget_partition(settings, partition) for partition in range(settings.kafka.partitions)])
