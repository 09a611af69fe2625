"""The numbers of a demo, as one value; `--json` prints it."""

from __future__ import annotations

from collections import Counter

import msgspec

from alerts.alert import Alert
from streams.cli.demo_parts.feed import DECISIONS, TIERS, Tally
from streams.cli.demo_parts.story import Story
from streams.cli.demo_parts.system import DemoSystem
from streams.cli.demo_parts.truth import TruthReport, compare
from streams.cli.demo_parts.worker_page import Figures


class Times(msgspec.Struct, frozen=True):
    """Seconds: from the start until worker and story were ready, of the replay, until the worker was through, and in all."""

    ready_s: float
    replay_s: float
    caught_up_s: float
    total_s: float


class Events(msgspec.Struct, frozen=True):
    """Events of the history: sent, of these CDNOW's, applied by the worker, dropped as repeats; applied a second.

    evaluations   times that a customer's risk was computed: after each event, and when a silent customer was looked at
    """

    sent: int
    cdnow: int
    applied: int
    duplicates: int
    evaluations: int
    per_s: float


class Alerts(msgspec.Struct, frozen=True):
    """Messages on churn.alerts.

    messages    distinct ones; repeated: read again
    by_decision decision -> tier -> messages; of a resolved alert the tier that it had
    """

    messages: int
    repeated: int
    by_decision: dict[str, dict[str, int]]


class Refused(msgspec.Struct, frozen=True):
    """One dead letter in short."""

    id: str
    reason: str
    message: str


class DeadLetters(msgspec.Struct, frozen=True):
    """Bad events sent, dead letters that came of them, and why."""

    bad_events_sent: int
    refused: int
    by_reason: dict[str, int]
    letters: list[Refused]


class Addresses(msgspec.Struct, frozen=True):
    """Of what runs."""

    metrics: str
    healthz: str
    readyz: str
    kafka_bootstrap: str
    redis_url: str
    settings_file: str


class Summary(msgspec.Struct, frozen=True):
    """Everything a demo has to tell. `customers` is tier -> segment -> customers; `example` the alert to look at."""

    events: Events
    alerts: Alerts
    customers: dict[str, dict[str, int]]
    dead_letters: DeadLetters
    simulated: TruthReport
    times: Times
    addresses: Addresses
    example: Alert | None


def summarise(system: DemoSystem, story: Story, tally: Tally, figures: Figures, bad_events: int, times: Times) -> Summary:
    """The summary, from what the worker says, what stands on the topics, and what was sent."""
    settings = system.settings
    reasons = Counter(letter.reason.value for letter in tally.letters)
    return Summary(
        events=Events(
            sent=len(story.history),
            cdnow=story.cdnow_events,
            applied=figures.events,
            duplicates=figures.total("churnwatch_duplicates_total"),
            evaluations=figures.total("churnwatch_decisions_total"),
            per_s=round(figures.events / max(times.replay_s + times.caught_up_s, 0.001), 1),
        ),
        alerts=Alerts(tally.alerts, tally.repeated, _by_decision(tally.counts)),
        customers=_customers(figures),
        dead_letters=DeadLetters(
            bad_events,
            len(tally.letters),
            dict(reasons.most_common()),
            [Refused(letter.id, letter.reason.value, letter.message) for letter in tally.letters],
        ),
        simulated=compare(
            story.truths,
            tally.followed,
            end_ms=story.end_ms,
            horizon_days=settings.risk.horizon_days,
            min_purchases=settings.policy.min_purchases,
        ),
        times=times,
        addresses=Addresses(
            metrics=system.page.url("/metrics"),
            healthz=system.page.url("/healthz"),
            readyz=system.page.url("/readyz"),
            kafka_bootstrap=settings.kafka.bootstrap,
            redis_url=settings.redis.url.get_secret_value(),
            settings_file=str(system.settings_file),
        ),
        example=tally.striking,
    )


def _by_decision(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    return {decision: {tier: counts[decision, tier] for tier in TIERS} for decision in DECISIONS}


def _customers(figures: Figures) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (tier, segment), count in figures.customers.items():
        table.setdefault(tier, {})[segment] = count
    return table
