"""Each group of settings: its names, defaults, ranges, and what must hold between them.

A field's description is its documentation (docs/settings.md is made from it), so it says the unit. Rules between fields
are `rules()`: one (field, what to do) for every rule that is broken, so that all can be told at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

Rules = Iterator[tuple[str, str]]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[int, Field(ge=0)]
PositiveSeconds = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=128)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
TOPIC_CHARACTERS = r"^[A-Za-z0-9._-]*$"


class Section(BaseModel):
    """A group of settings: frozen, no unknown keys, no NaN, and never the input in an error (it may be a secret)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    def rules(self) -> Rules:
        """(field, what to do) for each rule between fields that is broken; nothing when all hold."""
        return iter(())

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic alone would take `true` for 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("should not be true or false")
        return value

    @model_validator(mode="after")
    def _obey(self) -> Self:
        broken = list(self.rules())
        if broken:
            text = "; ".join(f"{field} {what}" for field, what in broken).replace("{", "(").replace("}", ")")
            raise PydanticCustomError("rules", text, {"broken": broken})
        return self


def _bootstrap(value: str) -> str:
    for server in value.split(","):
        if not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:,/]+):\d{1,5}", server.strip()):
            raise ValueError("should be host:port, several separated by commas")
    return ",".join(server.strip() for server in value.split(","))


class KafkaSettings(Section):
    bootstrap: Annotated[str, AfterValidator(_bootstrap)] = Field(
        "localhost:9092", description="Brokers to start from, `host:port,…`"
    )
    group: Name = Field("churnwatch", description="Consumer group that shares out the partitions")
    topic_prefix: str = Field("", pattern=TOPIC_CHARACTERS, max_length=100, description="Put before every topic's name")
    partitions: int = Field(4, ge=1, le=4096, description="Partitions of each input; cannot be changed later without a rebuild")
    replication: int = Field(1, ge=1, le=9, description="Replicas of each topic that `churnwatch topics create` makes")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to connect"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(None, description="How to log in")
    username: str | None = Field(None, description="Who logs in")
    password: SecretStr | None = Field(None, description="With what; better in the environment than in the file")
    ca_file: str | None = Field(
        None, description="PEM file of the authority behind the brokers' certificates; none: the system's"
    )

    def rules(self) -> Rules:
        sasl, tls = self.security_protocol.startswith("SASL_"), self.security_protocol.endswith("SSL")
        for field in ("sasl_mechanism", "username", "password"):
            given = getattr(self, field) is not None
            if sasl and not given:
                yield field, f"is needed when kafka.security_protocol is {self.security_protocol}"
            if given and not sasl:
                yield field, "would not be used: set kafka.security_protocol to SASL_SSL (or SASL_PLAINTEXT), or remove it"
        if self.ca_file is not None and not tls:
            yield "ca_file", "would not be used: set kafka.security_protocol to SSL or SASL_SSL, or remove it"


def _redis_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        where = parts.path if parts.scheme == "unix" else parts.hostname
        _ = parts.port
    except ValueError:  # what urlsplit says quotes the address, and with it the password
        raise ValueError("is not a valid address") from None
    if parts.scheme not in ("redis", "rediss", "unix") or not where:
        raise ValueError("should be redis://HOST:PORT/DB, rediss://… for TLS, or unix:///PATH")
    return value


class RedisSettings(Section):
    url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        SecretStr("redis://localhost:6379/0"),
        description="`redis://`, `rediss://` (TLS) or `unix://`, with user and password if any",
    )
    cluster: bool = Field(False, description="The address is a node of a Redis Cluster")
    prefix: str = Field("churnwatch", pattern=r"^[A-Za-z0-9._:-]+$", max_length=100, description="First part of every key")
    wait_replicas: int = Field(0, ge=0, le=9, description="Replicas that must hold a commit before its messages leave; 0: none")
    wait_ms: int = Field(1000, gt=0, description="Longest wait for those replicas, milliseconds")
    timeout_s: Positive = Field(5.0, description="Longest wait for an answer, seconds")

    def rules(self) -> Rules:
        parts = urlsplit(self.url.get_secret_value())
        if self.cluster and parts.scheme == "unix":
            yield "cluster", "needs redis:// or rediss:// in redis.url, not unix://"
        if self.cluster and parts.scheme != "unix" and parts.path.strip("/") not in ("", "0"):
            yield "cluster", "has database 0 only: remove the number from the end of redis.url"
        if self.wait_replicas and self.wait_ms >= self.timeout_s * 1000:
            yield "wait_ms", f"should be below redis.timeout_s ({self.timeout_s:g} s), or every wait would look like an outage"


class TimeSettings(Section):
    clock: Literal["wall", "history"] = Field(
        "wall",
        description="How a system begins. `wall`: live; `history`: ticks on `churn.clock` move time until `churnwatch go-live`",
    )
    lateness_s: int = Field(
        86_400, ge=0, le=604_800, description="How late an event may come and still count everywhere, seconds"
    )
    skew_s: PositiveSeconds = Field(600, description="How far ahead of the broker's clock an event may be dated, seconds")
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
    parameters_file: str | None = Field(None, description="Parameters made by `churnwatch fit`; none: the ones shipped")
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
    heartbeat_commit_s: Positive = Field(10.0, description="A quiet partition commits so often, seconds, to notice a new owner")


class HttpSettings(Section):
    host: str = Field("127.0.0.1", min_length=1, description="Where metrics and health are served")
    port: int = Field(8780, ge=0, le=65_535, description="On which port; 0: any free one, named in the log")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")
    format: Literal["json", "console"] = Field("json", description="`json`: one object a line; `console`: for people")
