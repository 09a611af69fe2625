"""Each group of settings: its names, defaults, ranges, and what must hold between them.

A field's description is its documentation (docs/settings.md is made from it), so it says the unit. Rules between fields
are `rules()`: one (field, what to do) for every rule that is broken, so that all can be told at once.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from streams.customer import OLDEST_WRITTEN, VERSION
from streams.runtime.settings_base import Currency, Positive, PositiveSeconds, Rules, Seconds, Section, Share


class TimeSettings(Section):
    clock: Literal["wall", "history"] = Field(
        "wall",
        description="How a system begins. `wall`: live; `history`: ticks on `churn.clock` move time until `churnwatch go-live`",
    )
    lateness_s: int = Field(
        86_400, ge=0, le=604_800, description="How late an event may come and still count everywhere, seconds"
    )
    skew_s: PositiveSeconds = Field(600, description="How far ahead of the broker's clock an event may be dated, seconds")
    clocks_apart_s: PositiveSeconds = Field(
        600, description="Silence alerts are held while this host's clock and the broker's are further apart, seconds"
    )
    heartbeat_timeout_s: Positive | None = Field(
        None, description="Silence alerts are held when no heartbeat came for so many seconds; none: no heartbeats expected"
    )
    stalled_after_s: Positive = Field(30.0, description="Lag that has not shrunk for so many seconds is a stall")
    low_inflow_share: Share = Field(
        0.1, description="Inflow of a topic below this share of what the hour usually brings holds silence alerts"
    )
    low_inflow_min_expected: Positive = Field(
        20.0, description="Events of a topic an hour must usually bring before its inflow is judged"
    )
    hold_max_s: Seconds = Field(21_600, description="Longest hold for low inflow, seconds; then the alerts go, with that reason")


class RiskSettings(Section):
    horizon_days: int = Field(90, ge=1, le=730, description="Risk is P(no purchase in so many days)")
    staying: Literal["purchases", "logins"] = Field(
        "purchases",
        description="What who stays does, for what is learnt: with `logins`, learnt risk is P(no login in so many days)",
    )
    parameters_file: str | None = Field(None, description="Parameters made by `churnwatch fit`; none: the ones shipped")
    cause_model_file: str | None = Field(
        None, description="Model of causes made by `churnwatch causes train` (docs/causes.md); none: the one shipped"
    )
    silence_patience: Positive = Field(1.0, description="k of the silence score 1 - exp(-idle / (k × usual gap)), no unit")


class PolicySettings(Section):
    watch: Share = Field(0.5, description="Risk at which tier `watch` begins")
    high: Share = Field(0.7, description="Risk at which tier `high` begins")
    critical: Share = Field(0.85, description="Risk at which tier `critical` begins")
    release_margin: Share = Field(0.08, description="A tier ends so far below where it began")
    breaches: int = Field(2, ge=1, le=100, description="Consecutive evaluations at or above a tier before it fires")
    breach_spacing_s: Seconds = Field(21_600, description="Least event time between two of those, seconds")
    cool_down_s: Seconds = Field(604_800, description="Least event time between two alerts about one customer, seconds")
    min_purchases: int = Field(2, ge=1, le=65_535, description="Occasions a customer must have bought on before any alert")
    holdout_share: Share = Field(0.1, description="Share of customers left untouched, to measure what acting brings")
    holdout_salt: str = Field("churnwatch", min_length=1, max_length=128, description="Changing it draws another holdout")

    def rules(self) -> Rules:
        """Compared as risk is: rounded to 1e-4."""
        watch, high, critical, margin = (round(x * 1e4) for x in (self.watch, self.high, self.critical, self.release_margin))
        if watch <= 0:
            yield "watch", "should be above 0, or every customer is in a tier for ever"
        if high <= watch:
            yield "high", f"should be above policy.watch ({self.watch:g})"
        if critical <= high:
            yield "critical", f"should be above policy.high ({self.high:g})"
        if margin >= watch > 0:
            yield "release_margin", f"should be below policy.watch ({self.watch:g}), or an alert could never resolve"


class TriggersSettings(Section):
    playbook_file: str | None = Field(None, description="Playbook of retention triggers (docs/operating.md); none: no triggers")


class LooksSettings(Section):
    min_s: PositiveSeconds = Field(86_400, description="Shortest time to the next look at a silent customer, seconds")
    max_s: PositiveSeconds = Field(2_592_000, description="Longest time to the next look, seconds")
    gap_share: Positive = Field(0.25, description="A look is due after this share of the customer's usual gap")
    until_days: int = Field(730, ge=1, le=3650, description="Days of silence after which nobody looks any more")
    default_gap_days: Positive = Field(30.0, description="Usual gap assumed of a customer who has none yet, days")

    def rules(self) -> Rules:
        if self.max_s < self.min_s:
            yield "max_s", f"should be at least looks.min_s ({self.min_s})"


def _rates(value: Any) -> Any:
    """Environment variables carry text: accept {"EUR": 1.08} as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('should be JSON such as {"USD": 1.0, "EUR": 1.08}') from None


class MoneySettings(Section):
    base_currency: Currency = Field("USD", description="Currency that amounts are kept in, ISO 4217")
    rates: Annotated[dict[Currency, Positive], BeforeValidator(_rates)] = Field(
        {"USD": 1.0}, description="Worth of one unit of each accepted currency in the base currency; others are dead letters"
    )

    RATE_MAX: ClassVar[float] = 1e9

    def rules(self) -> Rules:
        if self.rates.get(self.base_currency) != 1:
            yield "rates", f"should give the base currency {self.base_currency} the rate 1"
        for currency, rate in self.rates.items():
            if not 1 / self.RATE_MAX <= rate <= self.RATE_MAX:
                yield "rates", f"has a rate for {currency} outside {1 / self.RATE_MAX:g} to {self.RATE_MAX:g}"


class EngineSettings(Section):
    max_rows: int = Field(20_000, ge=1, le=1_000_000, description="Events folded into one commit at most")
    cached_customers: int = Field(200_000, ge=1, description="Customers kept in memory, each partition")
    intake_bytes: int = Field(
        67_108_864, ge=1_048_576, description="Fetched but unfolded messages, all partitions of a worker, bytes"
    )
    record_version: int = Field(
        VERSION,
        ge=OLDEST_WRITTEN,
        le=VERSION,
        description="As which version customers are stored. While workers are replaced that know only an older one, that one: "
        "they can then take over from new ones, and you can go back to them",
    )
    heartbeat_commit_s: Positive = Field(10.0, description="A quiet partition commits so often, seconds, to notice a new owner")


class HttpSettings(Section):
    host: str = Field("127.0.0.1", min_length=1, description="Where metrics and health are served")
    port: int = Field(8780, ge=0, le=65_535, description="On which port; 0: any free one, named in the log")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")
    format: Literal["json", "console"] = Field("json", description="`json`: one object a line; `console`: for people")
