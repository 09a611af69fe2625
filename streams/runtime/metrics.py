"""Every metric the worker shows, declared here and nowhere else.

Names begin with `churnwatch_` and use base units. Label sets are closed and made up front, so that a counter is 0 before its
first event and a misspelt label is a KeyError; partitions come and go with the assignment. No label ever names a customer.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.policy import SENDS, ReasonCode
from alerts.rules import TIER_NAMES
from alerts.triggers import Outcome
from streams.clock_rule import ClockAction, ClockReason
from streams.dead_letters import DeadReason
from streams.runtime.collectors import CrossTable, RiskHistogram
from streams.runtime.topics import ALERTS, ERASURES, EVENTS, INPUTS, JOURNAL, LABELS, TRIGGERS
from streams.runtime.waits import SERVERS, Server
from streams.segments import SEGMENTS

ROWS_BUCKETS = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
SECONDS_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

REASONS = tuple(code.name.lower() for code in ReasonCode)
DECISIONS = tuple(code.name.lower() for code in ReasonCode if SENDS[code])
"""The reasons that send a message."""

_NO_HOLD = {ClockReason.CAUGHT_UP, ClockReason.LOW_INFLOW_RELEASED, ClockReason.CATCHING_UP}
HOLD_REASONS = tuple(reason.value for reason in ClockReason if reason not in _NO_HOLD)
CLOCK_STATES = (ClockAction.ADVANCE.value, ClockReason.LOW_INFLOW_RELEASED.value, ClockAction.WAIT.value, *HOLD_REASONS)
"""Does the wall clock move a partition's watermark: yes (also though inflow is low), not yet, or no and for this reason."""

CHANNEL_OUTCOMES = ("delivered", "digested", "past", "holdout", "below_tier", "repeat", "unreadable")
"""What became of a message of churn.alerts in a channel: told singly, told in a digest, or why it was not."""


class Metrics:
    """The worker's metrics in one registry.

    registry       what /metrics shows; two Metrics need two registries
    clock_states   the states of churnwatch_clock_state
    channels       names of the channels beyond Kafka
    now_s          wall clock, seconds since 1970, for ages at the time of the scrape

    Counters with labels are mappings from the label's value (a tuple for two labels) to the counter.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        clock_states: Iterable[str] = CLOCK_STATES,
        channels: Iterable[str] = (),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self._clock_states = tuple(clock_states)
        self._now_s = now_s
        self._models: dict[str, str] = {}
        self._declare_flow(registry)
        self._declare_risk(registry)
        self._declare_partitions(registry)
        self._declare_process(registry)
        self._declare_channels(registry, tuple(channels))

    def _declare_flow(self, registry: CollectorRegistry) -> None:
        self.events = _counters(registry, "events", "Events applied", {"topic": EVENTS})
        self.duplicates = _counters(registry, "duplicates", "Events dropped because their id was seen", {"topic": EVENTS})
        self.events_lost = _counters(
            registry, "events_lost", "Offsets that retention deleted before they were read", {"topic": EVENTS}
        )
        self.events_erased = _counters(
            registry, "events_erased", "Events dropped because their customer was erased after them", {"topic": EVENTS}
        )
        self.erasures = _counter(registry, "erasures", "Erasures carried out")
        self.forgotten = _counter(registry, "customers_forgotten", "Customers forgotten after retention.inactive_days")
        self.dead_letters = _counters(registry, "dead_letters", "Records refused", {"reason": tuple(DeadReason)})
        self.unknown_fields = _counters(
            registry, "unknown_fields", "Fields outside the contract, in a sample of the events", {"topic": EVENTS}
        )
        self.batches = _counter(registry, "batches", "Batches folded and committed")
        self.batch_rows = _histogram(registry, "batch_rows", "Events in a batch", ROWS_BUCKETS)
        self.fold_seconds = _histogram(registry, "fold_seconds", "Time to fold a batch", SECONDS_BUCKETS)
        self.commit_seconds = _histogram(registry, "commit_seconds", "Time to commit a batch to Redis", SECONDS_BUCKETS)
        self.commit_retries = _counter(registry, "commit_retries", "Commits sent again after an unclear answer")
        self.outbox_published = _counters(
            registry, "outbox_published", "Messages Kafka acknowledged", {"topic": (ALERTS, TRIGGERS, JOURNAL, ERASURES, LABELS)}
        )

    def _declare_risk(self, registry: CollectorRegistry) -> None:
        self.risk = RiskHistogram("churnwatch_risk", "Risk of each evaluation, P(no purchase within the horizon)", registry)
        self.customers = CrossTable(
            "churnwatch_customers", "Customers of the owned partitions", ("tier", TIER_NAMES), ("segment", SEGMENTS), registry
        )
        self.alerts = _counters(registry, "alerts", "Transitions of alerts", {"tier": TIER_NAMES, "decision": DECISIONS})
        self.triggers = _counters(
            registry, "triggers", "Alerts that fired or escalated, by whether they set off a play", {"outcome": tuple(Outcome)}
        )
        self.decisions = _counters(registry, "decisions", "Evaluations by why they ended as they did", {"reason": REASONS})
        self.models_refused = _counter(registry, "models_refused", "Models on churn.models that could not be taken up")
        self.model_age = _gauge(registry, "model_age_seconds", "Time since the parameters in use were made", "model")
        self.model_info = _gauge(registry, "model_info", "1 for the version in use", "model", "version")

    def _declare_partitions(self, registry: CollectorRegistry) -> None:
        self.watermark = _gauge(registry, "watermark_timestamp_seconds", "Event time up to which all is folded", "partition")
        self.lag = _gauge(registry, "lag_events", "Records between what is committed and the topic's end", "topic", "partition")
        self.outbox_depth = _gauge(registry, "outbox_depth", "Messages Kafka has not acknowledged", "partition")
        self.epoch = _gauge(registry, "epoch", "Epoch under which the partition is written", "partition")
        self.commit_age = _gauge(registry, "commit_age_seconds", "Time since the partition's last commit", "partition")
        self.cache_rows = _gauge(registry, "cache_rows", "Customers kept in memory", "partition")
        self.model_wait = _gauge(
            registry, "model_wait_seconds", "For how long a partition that loads history has waited for the learner", "partition"
        )
        self.clock_state = _gauge(
            registry, "clock_state", "1 for the clock's state: it advances, waits, or why it is held", "partition", "state"
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.partitions_owned = _gauge(registry, "partitions_owned", "Partitions assigned and taken")
        self.intake_buffered_bytes = _gauge(registry, "intake_buffered_bytes", "Messages fetched and not yet folded")
        waiting = _gauge(registry, "waiting_seconds", "For how long the oldest call to a server has had no good answer", "server")
        self.waiting: Mapping[Server, Gauge] = {server: waiting.labels(server) for server in SERVERS}
        info = _gauge(registry, "build_info", "1; says what runs", "version", "python")
        info.labels(_version(), platform.python_version()).set(1)

    def _declare_channels(self, registry: CollectorRegistry, channels: tuple[str, ...]) -> None:
        outcomes = {"channel": channels, "outcome": CHANNEL_OUTCOMES}
        self.channel_messages = _counters(registry, "channel_messages", "Messages by what became of them", outcomes)
        self.channel_failures = _counters(
            registry, "channel_failures", "Attempts that the receiver did not take", {"channel": channels}
        )
        self.channel_backlog = _gauge(
            registry, "channel_backlog", "Records of churn.alerts that the channel has not settled; of its holder", "channel"
        )

    def own(self, partition: int) -> None:
        """The partition is ours: its series begin. Idempotent."""
        for gauge in (self.outbox_depth, self.epoch, self.commit_age, self.cache_rows, self.model_wait):
            gauge.labels(str(partition))
        for topic in INPUTS:
            self.lag.labels(topic, str(partition))

    def lose(self, partition: int) -> None:
        """The partition is somebody else's: its series end, so that no dashboard shows a number that has stopped. Idempotent."""
        kept = (self.outbox_depth, self.epoch, self.commit_age, self.cache_rows, self.model_wait)
        for gauge in (self.watermark, self.lag, self.clock_state, *kept):
            gauge.remove_by_labels({"partition": str(partition)})
        self.customers.drop(partition)

    def clock(self, partition: int, state: str) -> None:
        """Say in which state the partition's clock is. Raises ValueError for an unknown one."""
        if state not in self._clock_states:
            raise ValueError(f"clock state {state!r} is none of {', '.join(self._clock_states)}")
        for each in self._clock_states:
            self.clock_state.labels(str(partition), each).set(each == state)

    def model(self, model: str, version: str, made_at_s: float | None) -> None:
        """Say which parameters are in use.

        model       closed set, such as "mbg_nbd"
        version     of the parameters; the series of what was in use before ends
        made_at_s   when they were made, seconds since 1970; the age grows from then on. None: not known, so there is no age
        """
        for former, its_version in self._models.items():
            if (former, its_version) != (model, version):
                self.model_info.remove(former, its_version)
            if former != model:
                self.model_age.remove_by_labels({"model": former})
        self._models = {model: version}
        self.model_info.labels(model, version).set(1)
        if made_at_s is None:
            self.model_age.remove_by_labels({"model": model})
        else:
            self.model_age.labels(model).set_function(lambda: self._now_s() - made_at_s)


def _counter(registry: CollectorRegistry, name: str, text: str) -> Counter:
    return Counter(f"churnwatch_{name}_total", text, registry=registry)


def _counters(registry: CollectorRegistry, name: str, text: str, labels: Mapping[str, Iterable[str]]) -> Mapping[object, Counter]:
    """A counter for each combination of the labels' values, by value or tuple of values."""
    counter = Counter(f"churnwatch_{name}_total", text, tuple(labels), registry=registry)
    first, *rest = labels.values()
    if not rest:
        return {value: counter.labels(value) for value in first}
    (second,) = rest
    inner = tuple(second)
    return {(one, other): counter.labels(one, other) for one in first for other in inner}


def _gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"churnwatch_{name}", text, labels, registry=registry)


def _histogram(registry: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"churnwatch_{name}", text, buckets=buckets, registry=registry)


def _version() -> str:
    try:
        return version("churnwatch")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"
