"""`churnwatch demo`: everything on this machine, from an empty folder to alerts, in about a minute."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from streams.backtest.replaying import ReplayOptions, replay_history
from streams.cli.demo_parts.bad_events import BadProducer, bad_producer
from streams.cli.demo_parts.closing import show_addresses, show_summary
from streams.cli.demo_parts.feed import Feed, Tally
from streams.cli.demo_parts.show import Show, show_for
from streams.cli.demo_parts.story import Story, make_story
from streams.cli.demo_parts.summary import Summary, Times, summarise
from streams.cli.demo_parts.system import DemoSystem, demo_system, wait_ready
from streams.cli.demo_parts.worker_page import Figures
from streams.cli.errors import CommandError
from streams.columns import DAY_MS

STALLED_S = 60.0
LOOK_S = 0.25
AHEAD_MS = 30 * DAY_MS
"""How far the replay runs ahead of the worker: so that alerts are seen when they fire, and not in heaps at the end."""
PIPE_WIDTH = 120


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the summary instead of serving until Ctrl-C")] = False,
    customers: Annotated[int, typer.Option(min=1, max=100_000, help="Simulated customers, beside CDNOW's 23,570")] = 2000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days simulated, from 1997-07-01")] = 365,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same customers")] = 7,
    data: Annotated[Path, typer.Option(help="Folder for logs, settings and files; one demo a folder")] = Path("churnwatch-demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Only the summary, as one JSON object")] = False,
) -> None:
    """Everything on this machine: broker, Redis, a worker, a year of customers, alerts as they fire."""
    _quiet_kafka()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign is no reason to fail
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    show = show_for(console, as_json=as_json)
    served = False
    try:
        with demo_system(data, show.step) as system:
            summary = _Demo(system, show).run(data, customers=customers, days=days, seed=seed)
            _tell(console, summary, as_json=as_json, once=once)
            served = True
            while not once:
                time.sleep(3600)  # Ctrl-C and the death of a part both interrupt it
    except KeyboardInterrupt:
        if not as_json:
            console.print("\n stopped; nothing is left running")
        raise typer.Exit(0 if served else 130) from None


def _quiet_kafka() -> None:
    """What kafka-python would log, we say in one line; and clients that lost their broker fail once more when they are freed."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    usual = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        trace = traceback.extract_tb(unraisable.exc_traceback)
        if not trace or Path(trace[-1].filename).parent.parent.name != "kafka":
            usual(unraisable)

    sys.unraisablehook = hook


def _tell(console: Console, summary: Summary, *, as_json: bool, once: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
        return
    show_summary(console, summary)
    if once:
        return
    show_addresses(console, summary)
    console.print("\n [bold green]Now live[/]: broker, Valkey and worker go on serving. Ctrl-C to stop.")


class _Demo:
    """One run on a running system."""

    def __init__(self, system: DemoSystem, show: Show) -> None:
        self._system, self._show = system, show
        self._began_s = time.monotonic()
        self._tally = Tally("sim-")
        self._shown_s = self._looked_s = 0.0
        self._shown = self._watermark_ms = 0

    def run(self, data: Path, *, customers: int, days: int, seed: int) -> Summary:
        """Story, replay, and all the worker makes of it."""
        show, system = self._show, self._system
        show.waiting(f"simulating {customers:,} customers over {days} days, reading CDNOW's purchases")
        story = make_story(data, customers=customers, days=days, seed=seed)
        count = len(story.history)
        show.step(f"{count - story.cdnow_events:,} events of {customers:,} simulated customers, {story.cdnow_events:,} of CDNOW")
        show.waiting("the worker joins its consumer group")
        wait_ready(system)
        show.step(f"worker ready; its log is {system.health.worker_log}")
        ready_s = time.monotonic()
        with Feed(system.settings, self._tally) as feed, bad_producer(system.settings) as bad, show.replay(count):
            self._replay(story, feed, bad)
            sent_s = time.monotonic()
            figures = self._catch_up(story, feed, bad)
        done_s = time.monotonic()
        began_s = self._began_s
        spans = (ready_s - began_s, sent_s - ready_s, done_s - sent_s, done_s - began_s)
        return summarise(system, story, self._tally, figures, bad.sent, Times(*(round(s, 2) for s in spans)))

    def _replay(self, story: Story, feed: Feed, bad: BadProducer) -> None:
        count = len(story.history)

        def progress(events: int, at_ms: int) -> None:
            self._system.health.check()
            bad.keep_up(events / count)
            self._show.progress(events, at_ms)
            self._look(feed)
            while at_ms - self._reached_ms(story) > AHEAD_MS:
                self._system.health.check()
                time.sleep(0.05)
                self._look(feed)

        replay_history(story.history, self._system.settings, ReplayOptions(), progress)

    def _reached_ms(self, story: Story) -> int:
        """Event time that the worker has reached, as it last said."""
        return max(self._watermark_ms, int(story.history.time_ms[0]))

    def _catch_up(self, story: Story, feed: Feed, bad: BadProducer) -> Figures:
        """Wait until the worker has folded everything and all it sent has been read."""
        last: Any = None
        moved_s = time.monotonic()
        while True:
            self._system.health.check()
            self._look(feed)
            figures = self._system.page.figures()
            if figures is not None and self._complete(figures, story, bad):
                self._show.figures(figures, self._tally)
                return figures
            state = None if figures is None else (figures.events, figures.watermark_ms, self._tally.alerts)
            if state != last:
                last, moved_s = state, time.monotonic()
            elif time.monotonic() - moved_s > STALLED_S:
                raise CommandError(f"the worker has not moved for {STALLED_S:g} s", f"read {self._system.health.worker_log}")
            time.sleep(0.1)

    def _complete(self, figures: Figures, story: Story, bad: BadProducer) -> bool:
        tally = self._tally
        applied = figures.events + figures.total("churnwatch_duplicates_total") >= len(story.history)
        read = tally.alerts >= figures.alerts and len(tally.letters) >= figures.dead_letters >= bad.sent
        return applied and read and figures.watermark_ms >= story.end_ms

    def _look(self, feed: Feed) -> None:
        """Show what has come in, at the pace of a reader."""
        if feed.problem is not None:
            raise CommandError(f"alerts cannot be read: {type(feed.problem).__name__}: {feed.problem}", "see the broker's log")
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S and (figures := self._system.page.figures()) is not None:
            self._looked_s, self._watermark_ms = now_s, figures.watermark_ms
            self._show.figures(figures, self._tally)
        if now_s - self._shown_s < self._show.pause_s:
            return
        if (letter := self._tally.next_letter()) is not None:
            self._show.letter(letter)
        elif (alert := self._tally.next_alert(returned=self._shown % 5 == 4)) is not None:
            self._show.alert(alert)
        else:
            return
        self._shown, self._shown_s = self._shown + 1, now_s
