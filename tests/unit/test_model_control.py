"""What may be asked of the learner."""

from __future__ import annotations

import pytest

from streams.model_control import ControlMessage, decode_control, encode_control


@pytest.mark.parametrize(
    "message",
    [
        ControlMessage(action="freeze", by="ann", at_ms=5),
        ControlMessage(action="rollback", version="logit-7-ab", by="ann", at_ms=5),
        ControlMessage(action="thaw", by="", at_ms=0),
    ],
)
def test_what_was_asked_is_read(message: ControlMessage) -> None:
    assert decode_control(encode_control(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 100_000,
        b'{"schema":"churnwatch.model-control/1","action":"rollback","by":"ann","at_ms":5}',
        b'{"schema":"churnwatch.model-control/1","action":"freeze","version":"v","by":"ann","at_ms":5}',
        b'{"schema":"churnwatch.model-control/1","action":"explode","by":"ann","at_ms":5}',
        b'{"schema":"churnwatch.serving/1"}',
    ],
)
def test_anything_else_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a message of churnwatch\.model-control/1"):
        decode_control(data)
