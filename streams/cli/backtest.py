"""`churnwatch backtest`: how good risk and alerts would have been on a history."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from detectors.parameters import SHIPPED
from streams.backtest.backtesting import BacktestResult, BacktestRules
from streams.backtest.backtesting import backtest as live_through
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.loading import Loaded, load
from streams.backtest.mapping import Source, shipped_mappings
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.refits import REFIT_DAYS
from streams.backtest.report_html import render
from streams.backtest.report_json import Log, encode_report, report, settings_of
from streams.cli.errors import CommandError
from streams.cli.replay import day, find_sources
from streams.cli.report import ConfigOption
from streams.runtime.last_words import hide_secrets
from streams.runtime.models import read_parameters
from streams.runtime.rules import engine_rules, event_rules, learner_rules
from streams.runtime.settings import Settings, SettingsError, load_settings_file
from streams.runtime.settings_sections import MoneySettings


def days(text: str) -> int:
    """A number of days.

    >>> days("90d"), days("13w"), days("30")
    (90, 91, 30)
    """
    found = re.fullmatch(r"(\d{1,5})([dw]?)", text.strip())
    if not found or int(found[1]) < 1:
        raise typer.BadParameter(f"{text!r}: write days as 90d, or weeks as 13w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


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
        bool, typer.Option("--learning/--no-learning", help="Learn from what customers did, and let it serve when it is better")
    ] = True,
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
    settings = _settings(config, horizon, learning)
    rules = CutOffRules(settings.risk.horizon_days, active_window, every, min_events)
    _check(settings, rules)
    money = customer_value, offer_cost, contact_cost, success_rate
    sources = find_sources(files, maps or [], prefix_ids or [])
    _prepare(out)
    with tempfile.TemporaryDirectory(prefix="churnwatch-") as folder, _progress_bar() as bar:
        loaded = _load(sources, Path(folder), settings, skip_bad, bar)
        given = _assumptions(money, loaded.money.base_currency)
        found = _run(loaded, settings, rules, partitions or settings.kafka.partitions, bar)
    name = ", ".join(source.path.name for source in sources)
    log = Log(name, loaded.log.first_ms, loaded.log.last_ms, len(loaded.customers), time.monotonic() - began_s)
    content = report(log, found, rules, settings_of(settings, rules, _refit_days(settings)), given)
    _write(out, content)
    if as_json:
        typer.echo(encode_report(content).decode(), nl=False)
    else:
        _show(content, out)


def _settings(config: Path | None, horizon_days: int | None, learning: bool) -> Settings:
    variable = "CHURNWATCH_RISK__HORIZON_DAYS"
    env = dict(os.environ) | {"CHURNWATCH_LEARNING__ENABLED": str(learning).lower()}
    if horizon_days is not None:
        env[variable] = str(horizon_days)
    try:
        settings = load_settings_file(config, env)
    except SettingsError as error:
        if horizon_days is None:
            raise
        options = {variable: "--horizon"}
        raise SettingsError(replace(one, where=options.get(one.where, one.where)) for one in error.problems) from None
    hide_secrets(settings.secret_values())
    return settings


def _check(settings: Settings, rules: CutOffRules) -> None:
    kept_days = settings.retention.inactive_days
    if kept_days is not None and kept_days < rules.window_days:
        raise CommandError(
            f"--active-window {rules.window_days}d: customers are forgotten after {kept_days} days (retention.inactive_days)",
            "score who bought within a shorter time",
        )


def _assumptions(money: Sequence[float | None], currency: str) -> ProfitAssumptions | None:
    known = [value for value in money if value is not None]
    if not known:
        return None
    if len(known) < len(money):
        options = "--customer-value, --offer-cost, --contact-cost and --success-rate"
        raise CommandError("profit needs four assumptions, and some are missing", f"give {options}, or none of them")
    try:
        return ProfitAssumptions(known[0], known[1], known[2], known[3], currency)
    except ValueError as problem:
        raise CommandError(str(problem).replace("\n", "; "), "correct the assumption") from None


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CommandError(f"--out {out}: {problem.strerror or problem}", "name a folder that can be written") from None


def _load(sources: Sequence[Source], folder: Path, settings: Settings, skip_bad: bool, bar: _Bar) -> Loaded:
    rules = event_rules(settings).of_history()
    loaded = load(sources, folder, rules, skip_bad=skip_bad, progress=lambda rows: bar.show(f"{rows} rows read"))
    if loaded.skipped.count:
        typer.echo(f"backtest: bad rows left out: {loaded.skipped.count}, the first: {loaded.skipped.first[0]}", err=True)
    if loaded.money.base_currency != settings.money.base_currency:
        typer.echo(
            f"backtest: money.rates has no rate for the history's currency: amounts are in {loaded.money.base_currency}", err=True
        )
    return loaded


def _refit_days(settings: Settings) -> int | None:
    """Parameters from a file are pinned, as they are in a worker."""
    return REFIT_DAYS if settings.risk.parameters_file is None else None


def _run(loaded: Loaded, settings: Settings, rules: CutOffRules, partitions: int, bar: _Bar) -> BacktestResult:
    file = settings.risk.parameters_file
    currency = loaded.money.base_currency
    if currency != settings.money.base_currency:
        settings = settings.model_copy(update={"money": MoneySettings(base_currency=currency, rates={currency: 1.0})})
    everything = BacktestRules(
        cut_offs=rules,
        engine=engine_rules(settings),
        closed_form=SHIPPED if file is None else _parameters(file),
        learner=learner_rules(settings),
        refits=_refit_days(settings) is not None,
        partitions=partitions,
    )
    return live_through(loaded, everything, lambda events, at_ms: bar.show(day(at_ms), events, loaded.log.events))


def _parameters(file: str) -> Any:
    try:
        return read_parameters(file)
    except ValueError as problem:
        raise CommandError(str(problem), "correct the setting") from None


def _write(out: Path, content: dict[str, Any]) -> None:
    try:
        (out / "report.json").write_bytes(encode_report(content))
        (out / "report.html").write_text(render(content), "utf-8")
    except OSError as problem:
        raise CommandError(f"--out {out}: {problem.strerror or problem}", "name a folder that can be written") from None


class _Bar:
    """Progress on a terminal, or nothing."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("reading", total=None)

    def show(self, text: str, done: int | None = None, total: int | None = None) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text, completed=done, total=total)


@contextmanager
def _progress_bar() -> Iterator[_Bar]:
    """On stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield _Bar(None)
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Bar(progress)


def _show(content: dict[str, Any], out: Path) -> None:
    console = Console()
    table = Table("score", "AUC", "log loss", "Brier", "calibration error", "lift of 10 %", title="Means over the cut-offs")
    for name, mean in content["mean"].items():
        table.add_row(name, *(_shown(mean[key]) for key in ("auc", "log_loss", "brier", "ece", "lift_at_10")))
    if content["cutoffs"]:
        console.print(table)
    else:
        span = "the active window and the horizon do not fit into the history"
        typer.echo(f"backtest: no cut-off: {span}; give shorter ones (--active-window, --horizon)", err=True)
    alerts, lead = content["alerts"], content["alerts"]["lead_time_days"]
    typer.echo(
        f"{content['events']} events of {content['customers']} customers, {content['events_per_s']:.0f} a second; "
        f"{len(content['cutoffs'])} cut-offs; {alerts['fired']} alerts, {alerts['per_day']:.2g} a day, "
        f"precision {_shown(alerts['precision'])}, recall {_shown(alerts['recall'])}, "
        f"lead {_shown(lead['p50'], 0)} days (median); "
        f"{out / 'report.html'}"
    )


def _shown(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
