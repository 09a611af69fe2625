"""kafka-python's batches carry and check the checksums that it would compute itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record import default_records
from kafka.record._crc32c import crc as in_python

from streams.runtime.admin import kafka_client_options
from streams.runtime.checksums import crc32c
from streams.runtime.settings import Settings


@given(st.binary(max_size=2000), st.integers(0, 100))
def test_it_is_the_number_that_kafka_python_computes(data: bytes, first: int) -> None:
    assert crc32c(memoryview(data)[first:]) == crc32c(bytearray(data[first:])) == in_python(data[first:])


def batch(value: bytes) -> bytes:
    """One record, as a producer sends it."""
    builder = default_records.DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=9999
    )
    builder.append(0, timestamp=0, key=b"key", value=value, headers=[])
    return bytes(builder.build())


def test_every_client_of_ours_computes_and_checks_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_records, "calc_crc32c", in_python)
    before = batch(b"value")
    kafka_client_options(Settings(kafka={"bootstrap": "a:1"}))
    assert default_records.calc_crc32c is crc32c
    assert batch(b"value") == before
    assert default_records.DefaultRecordBatch(before).validate_crc()
    assert not default_records.DefaultRecordBatch(before.replace(b"value", b"valuf")).validate_crc()
