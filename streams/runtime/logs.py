"""Logs: one structured line an event on stderr, our own and the libraries' alike, without secrets.

configure_logs(settings.log.level, settings.log.format, secrets=settings.secret_values())
log = structlog.get_logger()
log.info("partition taken", partition=3, epoch=17)
"""

from __future__ import annotations

import logging
import logging.config
import re
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from streams.runtime.settings_secrets import forms_of

MASK = "***"

_SECRET_KEY = re.compile(r"pass(word|wd|phrase)|secret|token|api_?key|authorization|credential", re.IGNORECASE)
_WORD = "(?:password|passwd|secret|token)"
_IN_TEXT = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/]*@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"""(_WORD["']?\s*[=:]\s*)(["']).*?\2""".replace("_WORD", _WORD), re.IGNORECASE), rf"\1\2{MASK}\2"),
    (re.compile(r"""(_WORD\s*[=:]\s*)[^"',\s)&}]+""".replace("_WORD", _WORD), re.IGNORECASE), rf"\1{MASK}"),
)

# What these say at info is their own bookkeeping, and aiokafka's requests would be the bulk of a log. At debug the last
# three write down addresses and what is sent to them, tokens and all.
_QUIETENED = ("faust", "mode", "aiokafka", "kafka", "aiohttp.access", "asyncio", "venusian", "apprise", "requests", "urllib3")

_NOISE = re.compile(r"Heartbeat failed for group \S+ because it is rebalancing")
"""A warning in aiokafka; it comes with every rebalance and asks for nothing."""


def redact(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """`value` with secrets masked: under telling keys, inside addresses and `password=…`, and wherever one of `secrets` stands.

    >>> redact({"url": "redis://u:p@h/0", "password": "x", "n": 3})
    {'url': 'redis://***@h/0', 'password': '***', 'n': 3}
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        for pattern, masked in _IN_TEXT:
            value = pattern.sub(masked, value)
        return value
    if isinstance(value, Mapping):
        return {key: MASK if _SECRET_KEY.search(str(key)) else redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(repr(value), secrets)


def configure_logs(level: str, format: str, *, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's logging through one chain to stderr. May be called again.

    level     debug, info, warning or error; libraries are one step quieter
    format    json (one object a line) or console
    secrets   values that must not appear in any line, whatever they are called
    """
    logging.config.dictConfig(logging_config(level, format, secrets=secrets))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logging_config(level: str, format: str, *, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """The same for `logging.config.dictConfig`: Faust's worker clears all handlers and takes such a dictionary in return."""
    hidden = hidden_texts(secrets)
    quiet = "INFO" if level == "debug" else "WARNING" if level == "info" else level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"noise": {"()": _NoNoise}},
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    partial(_without_secrets, hidden),
                    _renderer(format),
                ],
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "structured",
                "filters": ["noise"],
            }
        },
        "loggers": {name: {"level": quiet} for name in _QUIETENED},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
    }


def hidden_texts(secrets: Iterable[str]) -> tuple[str, ...]:
    """What to mask, in any form in which these secrets may be written; the longest first, since they may hold one another."""
    return tuple(sorted({form for secret in secrets for form in forms_of(secret)}, key=len, reverse=True))


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderer(format: str) -> Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(sort_keys=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _without_secrets(secrets: tuple[str, ...], _: WrappedLogger, __: str, event: EventDict) -> EventDict:
    masked: EventDict = redact(event, secrets)
    return masked


class _NoNoise(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.name.startswith("aiokafka") and _NOISE.search(record.getMessage()))
