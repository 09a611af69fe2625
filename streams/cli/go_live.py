"""`churnwatch go-live`: end the loading of history and go on live, with one digest in place of all alerts about the past."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from alerts.alert import Digest
from alerts.ids import rfc3339
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.runtime.admin import active_members
from streams.runtime.catch_up import Sent, build_digest, digest_id, find_digest, publish
from streams.runtime.connect import connected_store
from streams.runtime.customer_view import Judges
from streams.runtime.kafka_client import AdminError
from streams.runtime.model_in_use import model_in_use
from streams.runtime.rules import engine_rules
from streams.runtime.settings import Settings
from streams.runtime.standing import Standing, check_loaded, standings
from streams.runtime.store import PartitionStore
from streams.runtime.switching import clock_ends, let_broker_stamp, unfolded, write_switches

LOOK_S = 0.25
MEMBERS_S = 5.0
ALONE_S = 60.0
"""So long nobody may be working on the partitions while we wait."""

OnProgress = Callable[[Sequence[Standing], int, int], None]
"""Called with the partitions, the time of the switch and the lateness, both ms."""


class Outcome(msgspec.Struct, frozen=True):
    """What the command did, or found done.

    since         when history was ended; null: never, since the system was live from its beginning
    switched      whether this run wrote the switch
    partitions    of the system, all of them live
    stamped       topics whose records the broker stamps from now on
    digest_id     of the one digest; null where there is none
    digest        sent: by this run; before: it stood there; expired: records of its time are gone, so it was not sent again
    alerts, by_tier   what the digest says, where this run sent it
    """

    since: str | None
    switched: bool
    partitions: int
    stamped: list[str] = []
    digest_id: str | None = None
    digest: str | None = None
    alerts: int | None = None
    by_tier: dict[str, int] | None = None


def go_live(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End the loading of history: workers go on live, and one digest is sent. Start it again after a stop: it goes on."""
    try:
        with one_line_errors(), _shown() as on_progress:
            outcome = asyncio.run(_go_live(settings_from(config), on_progress))
    except KeyboardInterrupt:
        typer.echo("go-live: stopped; what is switched stays so; run it again to go on", err=True)
        raise typer.Exit(130) from None
    if as_json:
        show_json(msgspec.to_builtins(outcome))
    else:
        typer.echo(told(outcome))


async def _go_live(settings: Settings, on_progress: OnProgress) -> Outcome:
    async with connected_store(settings) as store:
        found = await standings(store, settings)
        waiting, stamped = [one for one in found if not one.live], list[str]()
        if not waiting and all(one.switched_ms is None for one in found):
            return Outcome(None, False, len(found))
        if waiting:
            model_in_use(settings)  # where it cannot be told, the digest could not be sent
            stamped = _switch(settings, found, waiting)
            on_progress(found, 0, 0)
        found = await _all_live(store, settings, on_progress)
        at_ms = min(one.switched_ms for one in found if one.switched_ms is not None)
        known = Outcome(rfc3339(at_ms), bool(waiting), len(found), stamped, digest_id(settings, at_ms))
        sent: Sent = find_digest(settings, at_ms)
        if sent != "no":
            return msgspec.structs.replace(known, digest="before" if sent == "yes" else sent)
        digest = await _digest(store, settings, found, at_ms)
        publish(settings, digest)
        return msgspec.structs.replace(known, digest="sent", alerts=digest.alerts, by_tier=dict(digest.by_tier))


def _switch(settings: Settings, found: Sequence[Standing], waiting: Sequence[Standing]) -> list[str]:
    """Write the switch where it is missing; returns the topics that the broker stamps from now on. Raises AdminError."""
    if active_members(settings) == 0:
        raise AdminError(f"no worker of group {settings.kafka.group} is running", "start them, and run go-live again")
    ahead = unfolded(settings, waiting, clock_ends(settings))
    missing = [one for one in waiting if one.partition not in ahead.switches]
    check_loaded(missing, ahead.ticks)
    # a run that was stopped in the middle has said when; the digest's id rests on it
    said = [*ahead.switches.values(), *(one.switched_ms for one in found if one.switched_ms is not None)]
    stamped = let_broker_stamp(settings) if missing else []
    write_switches(settings, missing, min(said, default=time.time_ns() // 1_000_000))
    return stamped


async def _all_live(store: PartitionStore, settings: Settings, on_progress: OnProgress) -> list[Standing]:
    """Wait until every partition is live and the wall clock has brought it to the time of its switch."""
    lateness_ms = settings.time.lateness_s * 1000
    seen_s = asked_s = time.monotonic()
    while True:
        found = await standings(store, settings)
        at_ms = min((one.switched_ms for one in found if one.switched_ms is not None), default=0)
        on_progress(found, at_ms, lateness_ms)
        if at_ms and all(one.caught_up(at_ms, lateness_ms) for one in found):
            return found
        await asyncio.sleep(LOOK_S)
        now_s = time.monotonic()
        if now_s - asked_s >= MEMBERS_S:
            asked_s = now_s
            seen_s = seen_s if active_members(settings) == 0 else now_s
        if now_s - seen_s > ALONE_S:
            raise AdminError(f"no worker has run for {ALONE_S:g} s", "start them, and run go-live again: the switch is written")


async def _digest(store: PartitionStore, settings: Settings, found: Sequence[Standing], at_ms: int) -> Digest:
    return await build_digest(store, settings, Judges(engine_rules(settings), model_in_use(settings)), found, at_ms)


@contextmanager
def _shown() -> Iterator[OnProgress]:
    """Progress on stderr: bars on a terminal, else a line whenever something has changed."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[held]}")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        live = bar.add_task("partitions live", total=None, held="")
        caught_up = bar.add_task("at the present", total=None, held="")

        def on_progress(found: Sequence[Standing], at_ms: int, lateness_ms: int) -> None:
            bar.update(live, total=len(found), completed=sum(one.live for one in found))
            done = sum(one.caught_up(at_ms, lateness_ms) for one in found) if at_ms else 0
            bar.update(caught_up, total=len(found), completed=done, held=_held(found))

        yield on_progress


class _Lines:
    """Progress for a log."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, found: Sequence[Standing], at_ms: int, lateness_ms: int) -> None:
        done = sum(one.caught_up(at_ms, lateness_ms) for one in found) if at_ms else 0
        line = f"{sum(one.live for one in found)} of {len(found)} partitions live, {done} at the present  {_held(found)}".rstrip()
        if line != self._last:
            typer.echo(f"go-live: {line}", err=True)
        self._last = line


def _held(found: Sequence[Standing]) -> str:
    """What the live clocks wait for, where they are held."""
    reasons = sorted({one.held for one in found if one.held})
    return f"clock held: {', '.join(reasons)}" if reasons else ""


def told(outcome: Outcome) -> str:
    """The outcome in words, for people."""
    if outcome.since is None:
        return "live already, from the beginning: there is no history to end"
    lines = [f"{'live' if outcome.switched else 'already live'} since {outcome.since}, all {outcome.partitions} partitions"]
    if outcome.stamped:
        lines.append(f"from now on the broker stamps {', '.join(outcome.stamped)} (message.timestamp.type=LogAppendTime)")
    if outcome.digest == "sent":
        tiers = ", ".join(f"{count} {tier}" for tier, count in reversed((outcome.by_tier or {}).items()))
        lines.append(f"digest sent: {outcome.alerts} alerts about the past; customers alerted now: {tiers}")
    elif outcome.digest == "before":
        lines.append("its digest was sent before")
    else:
        lines.append("churn.alerts holds nothing of then any more, so its digest is not sent again")
    return "\n".join(lines)
