"""The summary for people, and what to try next. One text for terminals and pipes; only terminals get colour and links."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.render import card
from streams.cli.demo_parts.show import COLUMNS, STYLES
from streams.cli.demo_parts.summary import Summary
from streams.cli.demo_parts.truth import Spread, TruthReport
from streams.cli.demo_parts.words import cut, printable

SEGMENTS_SHOWN = 6
LETTER_INDENT = 24
TIERS = ("critical", "high", "watch", "none")


def show_summary(console: Console, summary: Summary) -> None:
    """Everything that was counted."""
    _headline(console, summary)
    _section(console, "Alerts")
    console.print(_alerts(summary))
    _section(console, "Customers at the end of the replay, by tier and RFM segment")
    console.print(_customers(summary))
    _section(console, f"Dead letters: {summary.dead_letters.refused} of {summary.dead_letters.bad_events_sent} bad events sent")
    console.print(_letters(summary, console.width))
    _section(console, "Simulated customers: the alerts against the truth")
    for line in truth_lines(summary.simulated):
        console.print(Text("  " + line))
    if summary.example is not None:
        _section(console, "One alert in full, as on churn.alerts")
        for line in card(summary.example).splitlines():
            console.print(Text("  " + line, STYLES[summary.example.tier] if line[0] != " " else ""))


def show_addresses(console: Console, summary: Summary) -> None:
    """Where what runs can be looked at, and commands to try in another terminal."""
    where = summary.addresses
    _section(console, "Look at it while it runs")
    for url in (where.metrics, where.readyz, where.healthz):
        console.print(Text("  ").append(url, f"underline link {url}" if console.is_terminal else ""))
    _section(console, "Try in another terminal")
    example = "sim-00001" if summary.example is None else summary.example.customer_id
    program = command_name()
    for line in (
        f"cd {Path.cwd()}",
        f"export CHURNWATCH_CONFIG={where.settings_file}",
        f"{program} customer {example}",
        f"{program} dead-letters list",
        f"{program} topics lag",
    ):
        console.print(Text(f"  {line}"), soft_wrap=True)


def command_name() -> str:
    """How this very program is started from a shell in this folder."""
    beside = Path(sys.executable).parent / "churnwatch"
    found = shutil.which("churnwatch")
    if found is not None and Path(found).resolve() == beside.resolve():
        return "churnwatch"
    if beside.is_file():
        return str(_near(beside))
    return f"{_near(Path(sys.executable))} -m streams.cli.main"


def _near(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _headline(console: Console, summary: Summary) -> None:
    events, times = summary.events, summary.times
    console.print()
    console.print(
        Text.assemble(
            (" Done ", "bold green"),
            f"{events.applied:,} of {events.sent:,} events applied ({events.cdnow:,} of them CDNOW's), {events.evaluations:,} "
            f"evaluations, {summary.alerts.messages:,} alert messages",
        )
    )
    console.print(
        Text(
            f"      {times.total_s:.0f} s in all: start {times.ready_s:.0f} s, replay {times.replay_s:.0f} s, "
            f"worker through {times.caught_up_s:.1f} s later; {events.per_s:,.0f} events/s"
        )
    )


def _alerts(summary: Summary) -> Table:
    table = _table("", *COLUMNS.values())
    for tier in TIERS[:3]:
        cells = [summary.alerts.by_decision[decision][tier] for decision in COLUMNS]
        table.add_row(Text("  " + tier, STYLES[tier]), *(_number(cell) for cell in cells))
    return table


def _customers(summary: Summary) -> Table:
    by_segment: dict[str, int] = {}
    for row in summary.customers.values():
        for segment, count in row.items():
            by_segment[segment] = by_segment.get(segment, 0) + count
    shown = sorted(by_segment, key=lambda segment: -by_segment[segment])[:SEGMENTS_SHOWN]
    table = _table("", *shown, "others", "all")
    for tier in TIERS:
        row = summary.customers.get(tier, {})
        cells = [row.get(segment, 0) for segment in shown]
        others = sum(row.values()) - sum(cells)
        name = "no alert" if tier == "none" else tier
        table.add_row(Text("  " + name, STYLES.get(tier, "")), *(_number(cell) for cell in (*cells, others, sum(row.values()))))
    return table


def _letters(summary: Summary, width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=LETTER_INDENT - 2)
    table.add_column(no_wrap=True)
    for letter in summary.dead_letters.letters:
        table.add_row(Text(f"  {letter.reason}", STYLES["refused"]), Text(cut(printable(letter.message), width - LETTER_INDENT)))
    return table


def truth_lines(report: TruthReport) -> list[str]:
    """What the comparison with the truth says, in words."""
    horizon, bought = report.horizon_days, report.min_purchases
    lines = [f"{report.left:,} of {report.customers:,} left within the year; churnwatch was not told which."]
    if report.precision is None:
        return [*lines, "No alert about them reached high or critical."]
    rightly = f"{report.had_left:,} ({report.precision:.0%})"
    lines += [
        f"{report.serious_alerts:,} alerts reached high or critical: {rightly} after the customer had left, "
        f"{report.had_not_left:,} before.",
        *_lead(report.lead_days, report.late_days, horizon),
        f"  Of the {report.had_not_left:,} others, {report.bought_again:,} bought again, which resolved the alert.",
        f"At the end, of those who bought at least {_times(bought)}, had left:",
    ]
    for name, tier in report.at_end.items():
        lines.append(f"  {tier.left / tier.customers:>4.0%} of {tier.customers:>5,}  {_standing(name)}")
    if report.recall is not None:
        found = f"{report.found:,} ({report.recall:.0%})"
        lines.append(
            f"{report.due:,} of them left {horizon} days or more before the end; {found} reached high or critical after it."
        )
    if report.too_few:
        lines.append(f"{report.too_few:,} more left that early after a single purchase; without a rhythm nobody is judged.")
    return [*lines, "Risk is the closed form with the shipped parameters, from purchases alone; nothing was fitted to them."]


def _standing(tier: str) -> str:
    return "without an alert" if tier == "none" else f"in {tier}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _lead(lead: Spread | None, late: Spread | None, horizon_days: int) -> list[str]:
    if lead is None or late is None:
        return []
    return [
        f"  The right ones came {late.p50:.0f} days after the last purchase or complaint (median; 10 % to 90 %: "
        f"{late.p10:.0f} to {late.p90:.0f}),",
        f"  {lead.p50:.0f} days ({lead.p10:.0f} to {lead.p90:.0f}) sooner than a rule of {horizon_days} days of silence.",
    ]


def _table(first: str, *titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right")
    return table


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Text(" " + title, "bold"))
