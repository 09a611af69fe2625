"""What is seen while the demo runs: a live view on a terminal, plain lines in a pipe, nothing with --json.

However many alerts there are, no more are shown than a person can read; all are counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alerts.alert import Alert
from alerts.render import headline, money
from streams.cli.demo_parts.feed import Tally
from streams.cli.demo_parts.words import clues, cut, day, printable
from streams.cli.demo_parts.worker_page import Figures
from streams.dead_letters import DeadLetter

STYLES = {"critical": "bold red", "high": "dark_orange", "watch": "yellow", "resolved": "green", "refused": "magenta"}
COLUMNS = {
    "fired": "new",
    "escalated": "got worse",
    "deescalated": "got better",
    "resolved_returned": "bought again",
    "resolved_risk_fell": "risk fell",
}
"""Decision -> what a table calls it."""


class Show(Protocol):
    """Where the demo tells what it does. `pause_s` is the time that must lie between two alerts, s."""

    pause_s: float

    def step(self, text: str) -> None:
        """Something has been done."""

    def waiting(self, text: str) -> None:
        """Something takes a moment."""

    @contextmanager
    def replay(self, events: int) -> Iterator[None]:  # noqa: ARG002  # for who implements it
        """The replay of so many events goes on for the length of the block."""
        yield

    def progress(self, events: int, at_ms: int) -> None:
        """So many events have been written, up to this event time."""

    def figures(self, figures: Figures, tally: Tally) -> None:
        """What the worker says, and what has been read."""

    def alert(self, alert: Alert) -> None:
        """Show one alert."""

    def letter(self, letter: DeadLetter) -> None:
        """Show one dead letter."""


class Silent:
    """Nothing is shown."""

    pause_s = 1.0

    def step(self, text: str) -> None: ...
    def waiting(self, text: str) -> None: ...
    @contextmanager
    def replay(self, events: int) -> Iterator[None]:  # noqa: ARG002  # the protocol's
        yield

    def progress(self, events: int, at_ms: int) -> None: ...
    def figures(self, figures: Figures, tally: Tally) -> None: ...
    def alert(self, alert: Alert) -> None: ...
    def letter(self, letter: DeadLetter) -> None: ...


class Lines:
    """Plain lines on stdout, without control characters, for pipes and logs."""

    pause_s = 1.0
    every_s = 5.0

    def __init__(self) -> None:
        self._events = 1
        self._told_s = 0.0

    def step(self, text: str) -> None:
        _line(text)

    def waiting(self, text: str) -> None:
        _line(f"{text} ...")

    @contextmanager
    def replay(self, events: int) -> Iterator[None]:
        self._events, self._told_s = events, time.monotonic()
        yield

    def progress(self, events: int, at_ms: int) -> None:
        if time.monotonic() - self._told_s >= self.every_s:
            self._told_s = time.monotonic()
            _line(f"{day(at_ms)}  {events:,} of {self._events:,} events sent")

    def figures(self, figures: Figures, tally: Tally) -> None: ...

    def alert(self, alert: Alert) -> None:
        seen = clues(alert)
        _line(f"  {headline(alert)}{'; ' if seen else ''}{printable(seen)}  {money(alert.value_at_stake)} at stake")

    def letter(self, letter: DeadLetter) -> None:
        _line(f"  REFUSED  {printable(letter.id)}  {letter.reason.value}: {cut(printable(letter.message), 110)}")


class Screen:
    """A terminal: steps, then alerts scrolling by above a panel with progress and counts."""

    pause_s = 0.8

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._status = console.status("")
        self._events, self._sent, self._at_ms = 1, 0, 0
        self._step_s = time.monotonic()
        self._figures: Figures | None = None
        self._tally: Tally | None = None

    def step(self, text: str) -> None:
        self._status.stop()
        now_s = time.monotonic()
        took = f"{now_s - self._step_s:.1f} s"
        self._step_s = now_s
        self._console.print(_line_of(Text.assemble((" ✓ ", "green"), text), Text(took, "dim")))

    def waiting(self, text: str) -> None:
        self._status = self._console.status(Text(text))
        self._status.start()

    @contextmanager
    def replay(self, events: int) -> Iterator[None]:
        self._status.stop()
        self._events = events
        self._console.print()
        with Live(self, console=self._console, refresh_per_second=5, transient=True) as live:
            self._live = live
            yield
        self._live = None
        self._step_s = time.monotonic()

    def progress(self, events: int, at_ms: int) -> None:
        self._sent, self._at_ms = events, at_ms

    def figures(self, figures: Figures, tally: Tally) -> None:
        self._figures, self._tally = figures, tally

    def alert(self, alert: Alert) -> None:
        label, _, rest = headline(alert).partition("  ")
        style = STYLES["resolved" if alert.status == "resolved" else alert.tier]
        text = Text.assemble((f" {label:<9}", style), rest)
        self._console.print(_line_of(text, Text(money(alert.value_at_stake), "dim")))
        if seen := clues(alert):
            self._console.print(Text(cut(f"{'':11}{printable(seen)}", self._console.width), "dim"))

    def letter(self, letter: DeadLetter) -> None:
        told = cut(f"{printable(letter.id)}  {printable(letter.message)}", self._console.width - 11)
        self._console.print(Text.assemble((f" {'REFUSED':<9}", STYLES["refused"]), told))

    def __rich__(self) -> RenderableType:
        """The panel below the alerts; drawn anew by rich several times a second."""
        parts: list[RenderableType] = [Text("─" * self._console.width, "dim"), self._bars()]
        if self._figures is not None and self._tally is not None:
            parts += [Text(), counts_table(self._tally, tiers_now(self._figures))]
        return Group(*parts)

    def _bars(self) -> Table:
        """How far the replay is, and how far the worker."""
        applied, at_ms = (0, 0) if self._figures is None else (self._figures.events, self._figures.watermark_ms)
        table = Table.grid(padding=(0, 1), expand=True)
        for column in ({"no_wrap": True}, {"no_wrap": True}, {"ratio": 1}, {"no_wrap": True, "justify": "right"}):
            table.add_column(**column)
        for name, events, time_ms in (("replay", self._sent, self._at_ms), ("worker", applied, at_ms)):
            told = f"{events:,} of {self._events:,} events"
            bar = ProgressBar(self._events, events, complete_style="cyan", finished_style="green")
            table.add_row(Text(f" {name}", "dim"), Text(day(time_ms) if time_ms else "", "bold"), bar, Text(told))
        return table


def show_for(console: Console, *, as_json: bool) -> Show:
    """The way that suits where the console's output goes."""
    if as_json:
        return Silent()
    return Screen(console) if console.is_terminal and not console.is_dumb_terminal else Lines()


def counts_table(tally: Tally, now: dict[str, int]) -> Table:
    """Messages by tier and decision. A resolved alert stands in the row of the tier that it had.

    now   tier -> customers who are in it now
    """
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(min_width=9)
    for _ in range(len(COLUMNS) + 1):
        table.add_column(justify="right", min_width=9)
    table.add_row(Text(" alerts", "dim"), *(Text(title, "dim") for title in COLUMNS.values()), Text("customers now", "dim"))
    for tier in ("critical", "high", "watch"):
        cells = [tally.counts[decision, tier] for decision in COLUMNS]
        table.add_row(Text(f" {tier}", STYLES[tier]), *(f"{n:,}" if n else "·" for n in cells), f"{now.get(tier, 0):,}")
    return table


def tiers_now(figures: Figures) -> dict[str, int]:
    """Customers by tier."""
    tiers: dict[str, int] = {}
    for (tier, _), count in figures.customers.items():
        tiers[tier] = tiers.get(tier, 0) + count
    return tiers


def _line_of(left: Text, right: Text) -> Table:
    row = Table.grid(expand=True, padding=(0, 1))
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    row.add_row(left, right)
    return row


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
