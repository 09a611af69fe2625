"""JSON that anyone may have written: whatever is wrong with it is told as one kind of error."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """What `decoder` reads in `data`. Raises msgspec.DecodeError (ValidationError is one) for any bytes that it does not take.

    msgspec itself has errors of their own for text that is not UTF-8 and for what is nested a thousand times.

    >>> decoded(msgspec.json.Decoder(str), b'"' + bytes([255]) + b'"')
    Traceback (most recent call last):
    ...
    msgspec.DecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte
    """
    try:
        return decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as problem:
        raise msgspec.DecodeError(str(problem)) from None
