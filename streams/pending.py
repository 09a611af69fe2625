"""Customers who were taken down and wait for their outcome: the names and bytes under which a partition keeps them.

Name: `<day>:<customer>`. Bytes: the first four of the inputs' hash, then the inputs as float32, little-endian, without the
zeros at their end. What another release took down, with other inputs, is no label. Where staying is logging in, the first byte
differs, so that it shows which looks the customer has had since.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.learner_rules import Staying
from detectors.model_inputs import INPUTS, INPUTS_HASH

_HASH = bytes.fromhex(INPUTS_HASH)[:4]
_TAGS: dict[Staying, bytes] = {"purchases": _HASH, "logins": bytes([_HASH[0] ^ 0xFF]) + _HASH[1:]}
_BYTES = 4 * len(INPUTS)
_STORED = np.dtype(f"S{_BYTES}")


def pending_name(customer: str, day: int) -> str:
    """Of one customer's snapshot of a day (days since 1970)."""
    return f"{day}:{customer}"


def pack_inputs(inputs: NDArray[np.float32]) -> list[bytes]:
    """Bytes of each row, without the hash."""
    rows: list[bytes] = (
        np.ascontiguousarray(inputs, "<f4").view(_STORED).ravel().tolist()
    )  # which leaves the zeros at the end out
    return rows


def unpack_inputs(rows: Sequence[bytes]) -> NDArray[np.float32]:
    """float32 (n, len(INPUTS)). Raises ValueError for rows that are longer than that."""
    longest = max(map(len, rows), default=0)
    if longest > _BYTES:
        raise ValueError(f"inputs of {longest} bytes, this release has {len(INPUTS)} of 4")
    whole = b"".join(row.ljust(_BYTES, b"\0") for row in rows)
    return np.frombuffer(whole, "<f4").reshape(len(rows), len(INPUTS)).astype(np.float32)


def pack_pending(inputs: NDArray[np.float32], staying: Staying) -> list[bytes]:
    """What is kept of each row. staying: what counts as it when it is taken down."""
    return [_TAGS[staying] + row for row in pack_inputs(inputs)]


def unpack_pending(kept: Sequence[bytes | None]) -> tuple[list[int], NDArray[np.float32], list[Staying]]:
    """(places, inputs, staying): where something is kept that this release can learn from, what it is, and what counted then."""
    by_tag = {tag: staying for staying, tag in _TAGS.items()}
    found = [(k, one[4:], by_tag[one[:4]]) for k, one in enumerate(kept) if one is not None and one[:4] in by_tag]
    return [k for k, *_ in found], unpack_inputs([row for _, row, _ in found]), [staying for *_, staying in found]
