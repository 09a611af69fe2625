"""The record: its bytes are what Redis stores, so its shape may not change unnoticed."""

from __future__ import annotations

import numpy as np
import pytest

from streams.customer import CUSTOMER, NEVER_S, RECORD_BYTES, VERSION, gather, join, new_records, read_records, scatter


def numbered(n: int):
    rows = new_records(n)
    rows["purchases"] = np.arange(1, n + 1)
    return rows


def test_the_record_is_512_bytes_without_gaps_and_every_column_is_aligned():
    assert RECORD_BYTES == CUSTOMER.itemsize == 512
    fields = [CUSTOMER.fields[name] for name in CUSTOMER.names]
    ends = [offset + dtype.itemsize for dtype, offset, *_ in fields]
    assert [offset for _, offset, *_ in fields] == [0, *ends[:-1]]
    assert ends[-1] == 512
    for name, (dtype, offset, *_) in zip(CUSTOMER.names, fields, strict=True):
        assert offset % dtype.base.itemsize == 0 or name == "policy", name


def test_every_number_is_little_endian():
    def leaves(dtype):
        if dtype.names is None:
            return [dtype.base]
        return [leaf for name in dtype.names for leaf in leaves(dtype[name])]

    assert {leaf.newbyteorder("<") == leaf for leaf in leaves(CUSTOMER)} == {True}


def test_a_new_customer_is_empty_and_never_due():
    row = new_records(1)[0]
    assert (row["version"], row["due_s"]) == (VERSION, NEVER_S)
    rest = [name for name in CUSTOMER.names if name not in ("version", "due_s")]
    assert not any(row[name].tobytes().strip(b"\0") for name in rest)


def test_stored_rows_come_back_and_what_was_never_stored_is_empty():
    rows = numbered(2)
    back = read_records([rows[0].tobytes(), None, rows[1].tobytes()])
    assert back["purchases"].tolist() == [1, 0, 2]
    assert back[1].tobytes() == new_records(1).tobytes()
    back["purchases"] = 9  # its own memory, writable
    assert len(read_records([])) == 0


@pytest.mark.parametrize("size", [0, 511, 513])
def test_a_record_of_another_length_is_refused(size):
    with pytest.raises(ValueError, match=f"record of {size} bytes, expected 512"):
        read_records([None, bytes(size)])


def test_a_record_of_another_version_is_refused():
    rows = numbered(2)
    rows["version"][1] = VERSION + 1
    with pytest.raises(ValueError, match=f"version {VERSION + 1}, this release reads {VERSION}"):
        read_records([row.tobytes() for row in rows])


def test_rows_are_copied_out_and_written_back_whole():
    rows = numbered(4)
    picked = gather(rows, np.array([3, 1]))
    picked["purchases"] += 10
    assert rows["purchases"].tolist() == [1, 2, 3, 4]
    scatter(rows, np.array([3, 1]), picked)
    assert rows["purchases"].tolist() == [1, 12, 3, 14]
    assert join(picked, rows[:1])["purchases"].tolist() == [14, 12, 1]
    assert len(gather(rows, np.empty(0, np.intp))) == 0
