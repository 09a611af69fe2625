"""The record: its bytes are what Redis stores, so its shape may not change unnoticed."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from streams.customer import (
    CUSTOMER,
    NEVER_S,
    RECORD_BYTES,
    VERSION,
    VERSION_OFFSET,
    gather,
    join,
    new_records,
    read_records,
    row_bytes,
    scatter,
)


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


def test_the_zeros_at_the_end_of_a_row_are_not_stored_and_come_back():
    rows = numbered(3)
    rows["purchases_90d"][1, 7] = 1  # the last byte before what few customers have anything in, but for the 30 and 7 days
    rows["refunded_90d"][2, 7] = 2**32 - 1  # the row's very last bytes
    stored = row_bytes(rows)
    assert [len(blob) for blob in stored] == [VERSION_OFFSET + 1, 424, 512]
    assert read_records(stored).tobytes() == rows.tobytes()


@pytest.mark.parametrize("size", [0, VERSION_OFFSET, 513])
def test_a_record_of_another_length_is_refused(size):
    with pytest.raises(ValueError, match=f"record of {size} bytes, expected 330 to 512"):
        read_records([None, bytes(size)])


V1 = zlib.decompress(
    base64.b85decode(
        "c-r&3dNaM3k%7SvN=L~sfI$rlgl1$Ba9~hqU_b|!_li@i*6dH+nXo6-^5oW3%ULT@*?{8AQ2BaR2E4!&Ngk&5HPlWcAia<U!Uw5CHtPk@f+7jr=7"
        "Qv5ZpQ_V&#DMJ2E<2!_y`am2I50Nd=Q8a05OAujLWW#c8)e7PaJa($~n|rYH<jgw$$N%rMIh%#3ENGsbj7fhBC4-Ffnj2FfvSI{o=#Vz|J7TpzW*"
        "ZEAGqd`_Jc#4@e1WkT7D95E{W|LQ{X_qR9n({<0Uc6S5Vu5waGt60#Js5UOQ2MK+lc1VI4V9srcWMUM"
    )
)
"""A customer as the release that wrote version 1 stored them: 6 purchases, 3 logins, 2 complaints, 1 refund."""


def test_a_record_of_version_1_is_read_with_all_that_it_says():
    fresh = numbered(1)
    rows = read_records([*row_bytes(fresh), V1])
    assert rows[:1].tobytes() == fresh.tobytes()
    row = rows[1]
    told = {
        "purchases": 6,
        "purchase_days": 6,
        "logins": 3,
        "complaints": 2,
        "severity_sum": 8,
        "refunds": 1,
        "spent_minor": 7258,
        "refunded_minor": 1148,
        "due_s": 1_707_060_346,
        "usual_gap_half_days": 20,
        "first_day": 19_700,
        "version": VERSION,
    }
    assert {name: int(row[name]) for name in told} == told
    assert row["recent_days"].tolist() == [19_755, 19_745, 19_735, 19_725, 19_710, 19_700, 0, 0]
    assert row["refunded_90d"].tolist() == [1148, *[0] * 7]
    assert row["complaint_ring"].tolist() == [53_700, 53_300, *[0] * 14]
    assert row["logins_90d"].tolist() == [0, 1, 0, 1, 0, 0, 0, 1]
    assert read_records(row_bytes(rows)).tobytes() == rows.tobytes()


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
