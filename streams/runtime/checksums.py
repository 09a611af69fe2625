"""CRC-32C for kafka-python by aiokafka's compiled function: the same number.

kafka-python goes through the bytes in Python, 0.3 s a megabyte against 0.5 ms, for every batch that it writes or reads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from kafka.record import default_records  # type: ignore[import-untyped]  # kafka-python ships no types


def crc32c(data: Any) -> int:
    """Checksum of contiguous bytes, in whatever buffer.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    return _compiled()(data)


def give_to_kafka_python() -> None:
    """From now on every client of kafka-python in this process computes so."""
    default_records.calc_crc32c = crc32c


@cache
def _compiled() -> Callable[[Any], int]:
    from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]  # late: 0.1 s, and most commands need none

    found: Callable[[Any], int] = calc_crc32c
    return found
