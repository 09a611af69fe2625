"""The history in, lived through, the reports out; and whether a system sent the same alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from alerts.alert import Alert, encode
from detectors.parameters import SHIPPED, BtydParameters
from streams.backtest.against import Comparison, compared
from streams.backtest.alert_topic import alerts_about_history
from streams.backtest.backtesting import BacktestResult, BacktestRules
from streams.backtest.backtesting import backtest as live_through
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.loading import Loaded, load
from streams.backtest.mapping import HistoryError, Source
from streams.backtest.report_html import render
from streams.backtest.report_json import Log, encode_report
from streams.backtest.sent import SentMessages
from streams.backtest.settings_used import settings_of
from streams.cli.backtest_parts.show import Bar
from streams.cli.errors import CommandError
from streams.cli.replay import day
from streams.runtime.cause_files import snapshot_in_use
from streams.runtime.models import read_parameters
from streams.runtime.rules import engine_rules, event_rules, learner_rules
from streams.runtime.settings import Settings
from streams.runtime.settings_sections import MoneySettings

MESSAGES_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """settings      of the system
    policies      the same with the policies to compare, by name
    cut_offs      when and who is scored
    partitions    of the system
    run_on_days   days of ticks beyond the last event
    challengers   whether challengers learn beside the learner
    against       topic to compare the alerts with; None: they are not compared, and not made in words
    """

    settings: Settings
    closed_form: BtydParameters
    policies: Mapping[str, Settings]
    cut_offs: CutOffRules
    partitions: int
    run_on_days: int
    challengers: bool
    against: str | None

    @property
    def refit_days(self) -> int | None:
        """Parameters from a file are pinned, and a system without a learner fits none anew."""
        system_fits_none = self.against is not None and not self.settings.learning.enabled
        pinned = self.settings.risk.parameters_file is not None
        return None if pinned or system_fits_none else self.settings.learning.refit_days

    def used(self, settings: Settings) -> dict[str, Any]:
        """All that decides, with the settings themselves or one of the policies'. Raises SettingsError."""
        return settings_of(
            settings,
            self.cut_offs,
            refit_days=self.refit_days,
            run_on_days=self.run_on_days,
            closed_form=self.closed_form,
            causes=snapshot_in_use(settings),
        )


def prepare(out: Path) -> None:
    """The folder of the reports. Raises CommandError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CommandError(f"--out {out}: {problem.strerror or problem}", "name a folder that can be written") from None


def read(sources: Sequence[Source], folder: Path, asked: Asked, *, skip_bad: bool, bar: Bar) -> Loaded:
    """The history in a folder. What was left out or taken otherwise than the settings say is told."""
    exact = asked.against is not None
    loaded = load(
        sources,
        folder,
        event_rules(asked.settings).of_history(),
        skip_bad=skip_bad,
        any_currency=not exact,  # a system would refuse what it has no rate for
        keep_ids=exact,
        progress=lambda rows: bar.show(f"{rows} rows read"),
    )
    if loaded.skipped.count:
        typer.echo(f"backtest: bad rows left out: {loaded.skipped.count}, the first: {loaded.skipped.first[0]}", err=True)
    if loaded.money.base_currency != asked.settings.money.base_currency:
        typer.echo(f"backtest: money.rates has no {loaded.money.base_currency}, so amounts are left in it", err=True)
    return loaded


def log_of(sources: Sequence[Source], loaded: Loaded, seconds: float) -> Log:
    """What the report says of the history. seconds: of the whole run, reading included."""
    name = ", ".join(source.path.name for source in sources)
    return Log(name, loaded.log.first_ms, loaded.log.last_ms, len(loaded.customers), seconds)


def run(loaded: Loaded, asked: Asked, bar: Bar, said: SentMessages | None) -> BacktestResult:
    """Live through the history. said: takes the alerts in words."""
    settings = asked.settings
    rules = BacktestRules(
        cut_offs=asked.cut_offs,
        engine=engine_rules(_in_currency(settings, loaded)),
        closed_form=asked.closed_form,
        learner=learner_rules(settings),
        serves=settings.learning.serves,
        challengers=settings.learning.challengers_share if asked.challengers else None,
        refit_days=asked.refit_days,
        policies={name: engine_rules(_in_currency(other, loaded)) for name, other in asked.policies.items()},
        partitions=asked.partitions,
        run_on_days=asked.run_on_days,
        tell=None if said is None else lambda alerts: _say(said, loaded, alerts),
    )
    return live_through(loaded, rules, lambda events, at_ms: bar.show(day(at_ms), events, loaded.log.events))


def compare(topic: str, settings: Settings, said: SentMessages, loaded: Loaded, folder: Path) -> Comparison:
    """What is on the topic against what the backtest says. Raises AdminError."""
    found = SentMessages(folder / "found")
    part: list[tuple[str, bytes]] = []
    for one in alerts_about_history(settings, topic):
        part.append(one)
        if len(part) == MESSAGES_AT_ONCE:
            _take(found, loaded, part)
            part = []
    _take(found, loaded, part)
    return compared(said, found, loaded.customers.ids())


def write(out: Path, report: dict[str, Any]) -> None:
    """report.json and report.html. Raises CommandError."""
    files = {"report.json": encode_report(report), "report.html": render(report).encode()}
    try:
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as problem:
        raise CommandError(f"--out {out}: {problem.strerror or problem}", "name a folder that can be written") from None


def _say(said: SentMessages, loaded: Loaded, alerts: Sequence[Alert]) -> None:
    _take(said, loaded, [(alert.customer_id, encode(alert)) for alert in alerts])


def _take(into: SentMessages, loaded: Loaded, messages: Sequence[tuple[str, bytes]]) -> None:
    if not messages:
        return
    try:
        into.add(loaded.customers.numbers([customer for customer, _ in messages]), [message for _, message in messages])
    except OSError as problem:
        raise HistoryError(f"alerts do not fit the temporary folder ({problem.strerror}); name a larger one by TMPDIR") from None


def _in_currency(settings: Settings, loaded: Loaded) -> Settings:
    """The settings with the history's currency, where they have no rate for it."""
    currency = loaded.money.base_currency
    if currency == settings.money.base_currency:
        return settings
    return settings.model_copy(update={"money": MoneySettings(base_currency=currency, rates={currency: 1.0})})


def closed_form(settings: Settings) -> BtydParameters:
    """The parameters to begin with. Raises CommandError."""
    file = settings.risk.parameters_file
    if file is None:
        return SHIPPED
    try:
        return read_parameters(file)
    except ValueError as problem:
        raise CommandError(str(problem), "correct the setting") from None
