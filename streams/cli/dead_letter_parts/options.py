"""Which letters are meant: the options that all commands on dead letters share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.dead_letter_parts.times import point_in_time
from streams.dead_letters import DeadReason
from streams.letter_filter import LetterFilter
from streams.runtime.settings import Settings
from streams.runtime.topics import EVENTS

ReasonOption = Annotated[list[DeadReason] | None, typer.Option("--reason", help="Only with this reason code; may be repeated.")]
TopicOption = Annotated[
    list[str] | None, typer.Option("--topic", help="Only of this topic (the prefix may be left out); may be repeated.")
]
PartitionOption = Annotated[int | None, typer.Option("--partition", min=0, help="Only of this partition of the topic.")]
CustomerOption = Annotated[str | None, typer.Option("--customer", help="Only records with this key.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="Only records that the broker took then or later: an age (2h, 7d), a day, or RFC 3339."),
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Only records that the broker took before that.")]
IdOption = Annotated[list[str] | None, typer.Option("--id", help="Only this letter; may be repeated.")]
FirstOption = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, in the order of their records.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who does it, for the marks; your login name where not given.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write the original bytes to this file.")]


def filter_from(
    settings: Settings,
    reason: list[DeadReason] | None,
    topic: list[str] | None,
    partition: int | None,
    customer: str | None,
    since: str | None,
    until: str | None,
    letter_id: list[str] | None,
) -> LetterFilter:
    """What was asked for. Raises CommandError for a point in time that is none."""
    now_ms = time.time_ns() // 1_000_000
    prefix = settings.kafka.topic_prefix
    short = (*EVENTS, "churn.clock")
    return LetterFilter(
        reasons=frozenset(code.value for code in reason or ()),
        topics=frozenset(prefix + name if name in short else name for name in topic or ()),
        partition=partition,
        customer=customer,
        since_ms=None if since is None else point_in_time("--since", since, now_ms),
        until_ms=None if until is None else point_in_time("--until", until, now_ms),
        ids=frozenset(letter_id or ()),
    )
