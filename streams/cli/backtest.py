"""`churnwatch backtest`: how good risk and alerts would have been on a history."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.backtest.cut_offs import CutOffRules
from streams.backtest.mapping import Source, shipped_mappings
from streams.backtest.report_json import encode_report, report
from streams.backtest.sent import SentMessages
from streams.cli.backtest_parts import show
from streams.cli.backtest_parts.asked import Money, check_truth, days, policies, settings_for
from streams.cli.backtest_parts.running import Asked, closed_form, compare, log_of, prepare, read, run, write
from streams.cli.errors import CommandError
from streams.cli.replay import find_sources
from streams.cli.report import ConfigOption


def backtest(
    files: Annotated[list[str], typer.Argument(help="History files: .csv, .jsonl (also .gz), .parquet, or `cdnow:`")],
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", help=f"Mapping of the columns: {', '.join(shipped_mappings())}, a YAML file, or none"),
    ] = None,
    prefix_ids: Annotated[
        list[str] | None, typer.Option("--prefix-ids", help="Put before every customer id, to keep files apart; once per file")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(parser=days, help="Leaving is no purchase for so long; none: risk.horizon_days")
    ] = None,
    active_window: Annotated[int, typer.Option(parser=days, help="Scored is who bought within")] = "180d",  # type: ignore[assignment]  # parsed
    every: Annotated[int, typer.Option(parser=days, help="From one cut-off to the next")] = "30d",  # type: ignore[assignment]  # parsed
    min_events: Annotated[int, typer.Option(min=1, help="On so many occasions at least")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html")] = Path("churnwatch-backtest"),
    learning: Annotated[
        bool | None,
        typer.Option(
            "--learning/--no-learning",
            help="Learn from what customers did, and let it serve when it is better; none: yes, or with --against as set",
        ),
    ] = None,
    challengers: Annotated[
        bool, typer.Option("--challengers", help="Measure models of River as they come beside what is learnt; takes longer")
    ] = False,
    compared: Annotated[
        tuple[Path, Path] | None, typer.Option("--compare", help="Two YAML files with a section `policy`, side by side")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Topic of a system that this history was replayed to, such as churn.alerts: are its alerts the same?"),
    ] = None,
    run_on_days: Annotated[int, typer.Option(min=0, help="Days of ticks beyond the last event, as in replay")] = 0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out instead of refusing the file")] = False,
    partitions: Annotated[int | None, typer.Option(min=1, max=4096, help="Of the live system; none: kafka.partitions")] = None,
    customer_value: Annotated[float | None, typer.Option(help="Worth of a customer who is kept")] = None,
    offer_cost: Annotated[float | None, typer.Option(help="Cost of an offer that is taken")] = None,
    contact_cost: Annotated[float | None, typer.Option(help="Cost of contacting a customer")] = None,
    success_rate: Annotated[float | None, typer.Option(help="Share of those about to leave whom an offer keeps")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json instead of a summary")] = False,
    config: ConfigOption = None,
) -> None:
    """Score customers at cut-offs of a history with what was known then, and compare with what they did."""
    began_s = time.monotonic()
    settings = settings_for(config, horizon, True if learning is None and against is None else learning)
    rules = CutOffRules(settings.risk.horizon_days, active_window, every, min_events)
    check_truth(settings, rules)
    if challengers and not settings.learning.enabled:
        raise CommandError("--challengers: nothing is learnt, so there is nothing to challenge", "leave out --no-learning")
    own = settings.kafka.partitions
    if against is not None and partitions not in (None, own):
        raise CommandError(f"--partitions {partitions}: the system has {own}", "leave it out, or set kafka.partitions")
    given = closed_form(settings), policies(compared or (), settings)
    asked = Asked(settings, *given, rules, partitions or own, run_on_days, challengers, against)
    money = Money(customer_value, offer_cost, contact_cost, success_rate)
    money.assumed(settings.money.base_currency)
    sources = find_sources(files, maps or [], prefix_ids or [])
    prepare(out)
    _live_through(asked, sources, out, money, began_s, skip_bad=skip_bad, as_json=as_json)


def _live_through(
    asked: Asked, sources: Sequence[Source], out: Path, money: Money, began_s: float, *, skip_bad: bool, as_json: bool
) -> None:
    """Run it, write the report and say what came out. began_s: when the command began, by the monotonic clock."""
    used, others = asked.used(asked.settings), {name: asked.used(other) for name, other in asked.policies.items()}
    with tempfile.TemporaryDirectory(prefix="churnwatch-") as name, show.progress_bar() as bar:
        folder = Path(name)
        loaded = read(sources, folder, asked, skip_bad=skip_bad, bar=bar)
        said = None if asked.against is None else SentMessages(folder / "said")
        found = run(loaded, asked, bar, said)
        # before a topic is read, which takes its time and may name customers who are not of this history
        log = log_of(sources, loaded, time.monotonic() - began_s)
        same = None if asked.against is None or said is None else compare(asked.against, asked.settings, said, loaded, folder)
    given = money.assumed(loaded.money.base_currency)
    content = report(log, found, asked.cut_offs, used, given, others)
    write(out, content)
    _tell(content, out, as_json=as_json)
    if asked.against is not None and same is not None:
        show.against(asked.against, same)
        raise typer.Exit(1 if same.differ else 0)


def _tell(content: dict[str, Any], out: Path, *, as_json: bool) -> None:
    if not content["cutoffs"]:
        show.no_cut_off()
    if as_json:
        typer.echo(encode_report(content).decode(), nl=False)
    else:
        show.summary(content, out)
