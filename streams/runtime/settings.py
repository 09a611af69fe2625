"""The settings: from a YAML file and the environment (which wins), checked whole, every problem told at once.

`load_settings` is pure; `load_settings_file` reads the file and the environment around it. Unknown keys are refused in both,
because a misspelt threshold that is silently ignored is worse than a worker that does not start.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from streams.runtime.settings_across import contradictions
from streams.runtime.settings_base import Section
from streams.runtime.settings_channels import ChannelSettings, split_addresses
from streams.runtime.settings_erasure import ErasureSettings, RetentionSettings
from streams.runtime.settings_kafka import KafkaSettings
from streams.runtime.settings_learning import DECIDES_NOTHING, LearningSettings
from streams.runtime.settings_problems import Problem, SettingsError, explain, seen, unknown_variable
from streams.runtime.settings_redis import RedisSettings
from streams.runtime.settings_secrets import secret_values
from streams.runtime.settings_sections import (
    EngineSettings,
    HttpSettings,
    LogSettings,
    LooksSettings,
    MoneySettings,
    PolicySettings,
    RiskSettings,
    TimeSettings,
    TriggersSettings,
)
from streams.runtime.strict_yaml import BadYaml, Unreadable, read_text, read_yaml
from streams.runtime.tls import unusable

__all__ = ["Settings", "SettingsError", "load_settings", "load_settings_file", "variable_names"]
__all__ += ["EngineSettings", "HttpSettings", "KafkaSettings", "LogSettings", "LooksSettings", "MoneySettings"]
__all__ += ["ErasureSettings", "LearningSettings", "RetentionSettings"]
__all__ += ["ChannelSettings", "PolicySettings", "RedisSettings", "RiskSettings", "TimeSettings", "TriggersSettings"]

PREFIX = "CHURNWATCH_"
Unusable = Iterable[tuple[tuple[str, str], Any, str]]
NOT_SETTINGS = frozenset({"CHURNWATCH_CONFIG", "CHURNWATCH_REQUIRE_REAL", "CHURNWATCH_KAFKA_LIB"})
"""Variables that belong to the command line and to the tests."""


class Settings(BaseSettings):
    """Everything an operator decides. Frozen; `Settings()` is the defaults whatever the environment says.

    Raises ValidationError for values out of range or at odds with one another. Read them through `load_settings`.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,  # a setting that is a table reads its own JSON, so that its errors join the others
    )

    kafka: KafkaSettings = Field(KafkaSettings(), description="Where events come from and alerts go to")
    redis: RedisSettings = Field(RedisSettings(), description="Where customers' state is kept")
    time: TimeSettings = Field(TimeSettings(), description="What counts as late, too early, stalled")
    risk: RiskSettings = Field(RiskSettings(), description="What risk is the risk of")
    learning: LearningSettings = Field(LearningSettings(), description="What is learnt from, and how")
    policy: PolicySettings = Field(PolicySettings(), description="When risk becomes an alert")
    triggers: TriggersSettings = Field(TriggersSettings(), description="What retention does about alerts")
    looks: LooksSettings = Field(LooksSettings(), description="When silent customers are looked at")
    money: MoneySettings = Field(MoneySettings(), description="Which currencies are accepted, at what rate")
    channels: ChannelSettings = Field(ChannelSettings(), description="Where alerts go beyond Kafka")
    retention: RetentionSettings = Field(RetentionSettings(), description="How long customers are kept")
    erasure: ErasureSettings = Field(ErasureSettings(), description="How customers are erased")
    engine: EngineSettings = Field(EngineSettings(), description="How much is held in memory and committed at once")
    http: HttpSettings = Field(HttpSettings(), description="Metrics and health")
    log: LogSettings = Field(LogSettings(), description="Logs, on stderr")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic passes it
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only, for any of our classes: the environment comes in through `load_settings`, where it is an argument."""
        return (init_settings,)

    @property
    def config_hash(self) -> str:
        """12 hex digits of what decides: time.lateness_s, risk, policy, looks, money; retention and learning where they are set.

        Where the files of parameters and of causes lie decides nothing; their contents have versions of their own.
        """
        deciding = self.model_dump(mode="json", include={"risk", "policy", "looks", "money"})
        for file in ("parameters_file", "cause_model_file"):
            del deciding["risk"][file]
        if self.risk.staying == "purchases":
            del deciding["risk"]["staying"]
        deciding["lateness_s"] = self.time.lateness_s
        if self.retention.inactive_days is not None:
            deciding["inactive_days"] = self.retention.inactive_days
        if self.learning.enabled:
            deciding["learning"] = self.learning.model_dump(mode="json", exclude=set(DECIDES_NOTHING))
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]

    def secret_values(self) -> tuple[str, ...]:
        """The secrets themselves, for the log's filter to know them by."""
        return tuple(secret_values(self))

    def masked(self) -> dict[str, Any]:
        """All settings as plain values that may be shown: no password, neither alone nor inside an address."""
        shown: dict[str, Any] = self.model_dump(mode="json")
        shown["redis"]["url"] = _without_password(self.redis.url.get_secret_value())
        if self.channels.alertmanager is not None:
            shown["channels"]["alertmanager"] = ",".join(map(_without_password, split_addresses(self.channels.alertmanager)))
        return shown


def section_types() -> dict[str, type[Section]]:
    """The groups in order, by name."""
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def variable_names() -> dict[str, tuple[str, str]]:
    """Every environment variable that is a setting, with its (section, field)."""
    return {
        f"{PREFIX}{section}__{field}".upper(): (section, field)
        for section, group in section_types().items()
        for field in group.model_fields
    }


def secret_fields() -> frozenset[tuple[str, str]]:
    """(section, field) of every secret."""
    return frozenset(
        (section, name)
        for section, group in section_types().items()
        for name, field in group.model_fields.items()
        if SecretStr in (field.annotation, *get_args(field.annotation))
    )


def load_settings(
    text: str | None, env: Mapping[str, str], *, name: str = "settings", look: Callable[[Settings], Unusable] = lambda _: ()
) -> Settings:
    """The settings in YAML `text` (None or empty: none) overridden by the variables in `env`.

    name   what to call the text in messages, e.g. the file's name
    look   at what the settings name; what it finds is told with the rest
    An empty variable counts as absent. Raises SettingsError with every problem found.
    """
    values, problems = _parse(text, name)
    given = {key.upper(): value for key, value in env.items() if key.upper().startswith(PREFIX)}
    known = variable_names()
    problems += [unknown_variable(key, known) for key in given if key not in known and key not in NOT_SETTINGS]
    variables = {key: value for key, value in given.items() if key in known and value != ""}
    for section, fields in _from_variables(variables).items():
        values.setdefault(section, {}).update(fields)
    where = {path: key for key, path in known.items() if key in variables}
    settings, wrong = _validate(values, where, name)
    if settings is not None:
        found = [*contradictions(settings), *look(settings)]
        wrong += [seen(path, value, fix, where=where, name=name) for path, value, fix in found]
    if settings is None or problems or wrong:
        raise SettingsError([*problems, *wrong])
    return settings


def unusable_files(settings: Settings) -> Iterator[tuple[tuple[str, str], Any, str]]:
    """(section and field, its value, what to do) for each certificate or key that cannot be used. Reads them."""
    found = [("kafka", field, fix) for field, fix in unusable(settings.kafka.tls_files())]
    found += [("redis", field, fix) for field, fix in unusable(settings.redis.tls_files(), takes_password=False)]
    for section, field, fix in found:
        value = getattr(getattr(settings, section), field)
        yield (section, field), None if isinstance(value, SecretStr) else value, fix


def load_settings_file(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The settings in a file, overridden by the environment.

    path   the file; None: the one that CHURNWATCH_CONFIG names, else none
    env    variables; None: the process's
    Raises SettingsError, also when the file cannot be read, or one that it names.
    """
    env = os.environ if env is None else env
    chosen = path or env.get("CHURNWATCH_CONFIG") or None
    if chosen is None:
        return load_settings(None, env, look=unusable_files)
    try:
        text = read_text(chosen)
    except Unreadable as error:
        fix = f"{error}; give --config or CHURNWATCH_CONFIG the path of a readable YAML file"
        raise SettingsError([Problem("settings file", str(chosen), fix)]) from None
    return load_settings(text, env, name=str(chosen), look=unusable_files)


def _from_variables(variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {key.lower(): value for key, value in variables.items()}
    return source()


def _validate(values: dict[str, Any], where: Mapping[tuple[str, str], str], name: str) -> tuple[Settings | None, list[Problem]]:
    """The settings, or all problems: fields found wrong are set aside and the rest is checked again, so one hides no other."""
    problems: list[Problem] = []
    aside: set[tuple[str, ...]] = set()
    while True:
        try:
            return Settings(**values), problems
        except ValidationError as error:
            found = explain(error, where=where, secrets=secret_fields(), sections=section_types(), name=name)
        fresh = {item.path for item in found} - aside
        problems += [item.problem for item in found if not aside.intersection(item.involves)]
        aside |= fresh
        for path in fresh:
            _drop(values, path)
        if not fresh:
            return None, problems


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    section = values.get(path[0])
    if len(path) > 1 and isinstance(section, dict):
        section.pop(path[1], None)
    else:
        values.pop(path[0], None)


def _parse(text: str | None, name: str) -> tuple[dict[str, Any], list[Problem]]:
    """Section → its mapping, and what is not of that shape. Unknown keys stay, for pydantic to find."""
    try:
        values = read_yaml(text or "")
    except BadYaml as error:
        return {}, [Problem(error.place(name), None, str(error))]
    if values is None:
        return {}, []
    if not isinstance(values, dict):
        return {}, [Problem(name, None, "should be a mapping of sections, such as `kafka:` with `bootstrap: …` below it")]
    problems, sections, known = [], {}, section_types()
    for key, value in values.items():
        sections[str(key)] = {str(inner): given for inner, given in value.items()} if isinstance(value, dict) else {}
        if key in known and value is not None and not isinstance(value, dict):  # None: all its lines are commented out
            problems.append(Problem(f"{key} ({name})", None, "should be a section: a mapping of its settings"))
    return sections, problems


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = ("***@" if "@" in parts.netloc else "") + parts.netloc.rpartition("@")[2]
    pairs = [(key, "***" if key == "username" or key.endswith("password") else value) for key, value in parse_qsl(parts.query)]
    query = urlencode(pairs, safe="*")
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{query}" if query else "")
