"""What is asked of a backtest: days, settings, assumptions about money, policies to compare. Checked before a file is opened."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from streams.backtest.cut_offs import CutOffRules
from streams.backtest.profit import ProfitAssumptions
from streams.cli.errors import CommandError
from streams.runtime.last_words import hide_secrets
from streams.runtime.settings import Settings, SettingsError, load_settings, load_settings_file
from streams.runtime.settings_problems import Problem
from streams.runtime.strict_yaml import BadYaml, Unreadable, read_text, read_yaml

HORIZON, LEARNING = "CHURNWATCH_RISK__HORIZON_DAYS", "CHURNWATCH_LEARNING__ENABLED"
OF_A_POLICY = ("policy", "looks")
"""Sections that a policy's file may have: when risk becomes an alert, and when it is looked at."""


@dataclass(frozen=True, slots=True)
class Money:
    """What was said of money; None where nothing was."""

    customer_value: float | None
    offer_cost: float | None
    contact_cost: float | None
    success_rate: float | None

    def assumed(self, currency: str) -> ProfitAssumptions | None:
        """All four, or None where none was given. Raises CommandError."""
        value, offer, contact, success = self.customer_value, self.offer_cost, self.contact_cost, self.success_rate
        if value is None or offer is None or contact is None or success is None:
            if value is offer is contact is success is None:
                return None
            options = "--customer-value, --offer-cost, --contact-cost and --success-rate"
            raise CommandError("profit needs four assumptions, and some are missing", f"give {options}, or none of them")
        try:
            return ProfitAssumptions(value, offer, contact, success, currency)
        except ValueError as problem:
            raise CommandError(str(problem).replace("\n", "; "), "correct the assumption") from None


def days(text: str) -> int:
    """A number of days.

    >>> days("90d"), days("13w"), days("30")
    (90, 91, 30)
    """
    found = re.fullmatch(r"(\d{1,5})([dw]?)", text.strip())
    if not found or int(found[1]) < 1:
        raise typer.BadParameter(f"{text!r}: write days as 90d, or weeks as 13w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


def settings_for(config: Path | None, horizon_days: int | None, learning: bool | None) -> Settings:
    """The settings, with what the command line says above them (None: nothing). Raises SettingsError."""
    env, options = dict(os.environ), dict[str, str]()
    if learning is not None:
        env[LEARNING], options[LEARNING] = str(learning).lower(), "--learning" if learning else "--no-learning"
    if horizon_days is not None:
        env[HORIZON], options[HORIZON] = str(horizon_days), "--horizon"
    try:
        settings = load_settings_file(config, env)
    except SettingsError as error:
        raise SettingsError(replace(one, where=options.get(one.where, one.where)) for one in error.problems) from None
    hide_secrets(settings.secret_values())
    return settings


def check_truth(settings: Settings, rules: CutOffRules) -> None:
    """Raises CommandError where risk is not about purchases, or customers who are to be scored would be forgotten before."""
    if settings.risk.staying == "logins":
        fix = "the learner's measures judge what is learnt by logins; for a backtest by purchases, leave the setting out"
        raise CommandError("risk.staying is logins, and a backtest judges by who bought", fix)
    kept_days = settings.retention.inactive_days
    if kept_days is not None and kept_days < rules.window_days:
        raise CommandError(
            f"--active-window {rules.window_days}d: customers are forgotten after {kept_days} days (retention.inactive_days)",
            "score who bought within a shorter time",
        )


def policies(files: Sequence[Path], settings: Settings) -> dict[str, Settings]:
    """By file name, the settings with the policy of each file. Raises SettingsError with every problem of a file."""
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CommandError(f"--compare: two files are called {twice}", "give them different names, which the report shows")
    return {file.name: _with_policy(file, settings) for file in files}


def _with_policy(file: Path, settings: Settings) -> Settings:
    try:
        given = read_yaml(read_text(str(file)))
    except (BadYaml, Unreadable) as problem:
        raise SettingsError([Problem(f"--compare {file}", None, str(problem))]) from None
    if not isinstance(given, dict) or not given or not set(given) <= set(OF_A_POLICY):
        fix = "should have a section `policy:`, and may have `looks:`; everything else is taken from the settings"
        raise SettingsError([Problem(f"--compare {file}", None, fix)])
    sections = settings.model_dump(mode="json", include=set(OF_A_POLICY))
    for name, values in given.items():
        sections[name] = sections[name] | values if isinstance(values, dict) else values
    theirs = load_settings(json.dumps(sections), {}, name=file.name)
    return settings.model_copy(update={name: getattr(theirs, name) for name in OF_A_POLICY})
