"""How commits and meta look on the wire to the Lua scripts."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from typing import Any, NamedTuple, cast

import msgpack  # type: ignore[import-untyped] # it ships no types

from streams.runtime.store import (
    CommitRequest,
    ErasedCustomers,
    Meta,
    PartitionCountChanged,
    Removal,
    StaleGeneration,
    StoreError,
    System,
)
from streams.runtime.store_rules import other_system, unknown_version

KEY_FIELD = b"key"
"""Where the fingerprint stands among the digests, which are longer."""


class Script:
    """A Lua script by its digest; the source is sent only to a server that does not know it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = resources.files("streams.runtime").joinpath("scripts", f"{name}.lua").read_bytes()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()


class EpochArgs(NamedTuple):
    """ARGV of take_epoch.lua."""

    generation: int
    partition_count: int
    layout: int
    newest_record: int
    record: int
    nonce: str
    group: str
    topic_prefix: str


def refused_epoch(partition: int, reason: str, stored: list[str], args: EpochArgs) -> StoreError:
    """What a refusal of take_epoch.lua is for the caller.

    stored   what Redis holds of that which `reason` names
    """
    if reason == "system":
        return other_system(partition, System(*stored), System(args.group, args.topic_prefix))
    (found,) = stored
    if reason == "generation":
        return StaleGeneration(f"partition {partition}: Kafka generation {args.generation} is older than {found}, which owns it")
    if reason == "partitions":
        return PartitionCountChanged(
            f"kafka.partitions: {args.partition_count}, but Redis was written for {found}: set {found}, or rebuild"
        )
    known = args.layout if reason == "layout" else args.newest_record
    return unknown_version(partition, f"{reason} version", found, known)


def damaged(error: Exception) -> bool:
    """Whether it speaks of keys that are not what they must be, and not of what was asked.

    >>> damaged(Exception("MALFORMED commit: x:{0}:due is a string, not a zset")), damaged(Exception("MALFORMED commit: lengths"))
    (True, False)
    """
    return re.search(r"WRONGTYPE|MALFORMED commit: (\S+ is a \w+, not a |outbox stream is ahead)", str(error)) is not None


def pack_commit(epoch: int, nonce: str, request: CommitRequest) -> bytes:
    """The one argument of commit.lua; its layout is told there. Strings and bytes alike travel as raw (cmsgpack has no bin)."""
    kept = [(customer, due_s) for customer, due_s in request.due if due_s is not None]
    body: list[Any] = [
        str(epoch),
        nonce,
        str(request.seq),
        request.commit_id,
        [record for _, record in request.records],
        [customer for customer, _ in kept],
        [due_s for _, due_s in kept],
        [customer for customer, due_s in request.due if due_s is None],
        [customer for customer, _ in request.risk],
        [risk for _, risk in request.risk],
        [text for topic, offset in request.offsets.items() for text in (topic, str(offset))],
        False if request.state is None else request.state,
        [part for entry in request.outbox for part in entry],
        [name for name, _ in request.triggered],
        [time_s for _, time_s in request.triggered],
        False if request.forget_triggered_before_s is None else request.forget_triggered_before_s,
        [part for name_and_value in request.pending for part in name_and_value],
        list(request.settled),
    ]
    body.append([len(part) for part in body if isinstance(part, list)])
    body.append(_leaving(request) if request.gone or request.removal else False)
    body.append(False if request.follows is None else request.follows)
    return cast(bytes, msgpack.packb(body, use_bin_type=False))


def _leaving(request: CommitRequest) -> list[Any]:
    """What a commit takes away, which few do."""
    removal = request.removal or Removal()
    parts: list[Any] = [
        list(request.gone),
        list(removal.triggered),
        [str(number) for number in removal.outbox],
        [part for digest, time_ms in removal.erased.items() for part in (digest, str(time_ms))],
        list(removal.forgotten),
    ]
    return [*parts, removal.fingerprint, [len(part) for part in parts]]


def erased_of(fields: dict[bytes, bytes]) -> ErasedCustomers:
    """Who was erased, from the fields of the hash."""
    times = {digest: int(time_ms) for digest, time_ms in fields.items() if digest != KEY_FIELD}
    return ErasedCustomers(fields.get(KEY_FIELD, b"").decode(), times)


def meta_of(fields: dict[bytes, bytes]) -> Meta:
    """Meta from the fields of its hash; an empty hash gives the Meta of a partition never taken."""
    partitions = fields.get(b"partitions")
    return Meta(
        epoch=int(fields.get(b"epoch", 0)),
        nonce=fields.get(b"nonce", b"").decode(),
        generation=int(fields.get(b"generation", -1)),
        seq=int(fields.get(b"seq", 0)),
        commit_id=fields.get(b"commit_id", b"").decode(),
        offsets={name[7:].decode(): int(offset) for name, offset in fields.items() if name.startswith(b"offset:")},
        state=fields.get(b"state"),
        outbox_no=int(fields.get(b"outbox_no", 0)),
        partition_count=None if partitions is None else int(partitions),
        system=System(fields.get(b"group", b"").decode(), fields.get(b"topic_prefix", b"").decode()),
    )
