"""What a person asks of the learner, on `churn.models` under the key `control`. The topic is compacted: the newest word counts.

    freeze     what serves now serves on, whatever is learnt
    rollback   an earlier champion serves
    thaw       the gate decides again
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA: Literal["churnwatch.model-control/1"] = "churnwatch.model-control/1"
Action = Literal["freeze", "rollback", "thaw"]


class ControlMessage(msgspec.Struct, frozen=True, kw_only=True):
    """action    what to do
    version   rollback: the champion, as `churnwatch models list` names it; else empty
    by        who asks
    at_ms     when, by the clock of who asks, ms since 1970
    Raises ValueError for a rollback without a version, or a version without a rollback.
    """

    schema: Literal["churnwatch.model-control/1"] = SCHEMA
    action: Action
    version: str = ""
    by: str
    at_ms: int

    def __post_init__(self) -> None:
        if (self.action == "rollback") != bool(self.version):
            raise ValueError(f"version = {self.version!r}: name it for a rollback, and for nothing else")


def encode_control(message: ControlMessage) -> bytes:
    """As it stands on the topic."""
    return msgspec.json.encode(message)


def decode_control(data: bytes) -> ControlMessage:
    """Inverse of `encode_control`. Raises ValueError for anything else."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise ValueError(f"not a message of {SCHEMA}: {problem}") from None


_decode = msgspec.json.Decoder(ControlMessage).decode
