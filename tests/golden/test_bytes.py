"""What was ever written is read; what is written today is what stands in the newest file of its kind."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import msgspec
import pytest

from streams import customer
from streams.customer import OLDEST_WRITTEN, VERSION, row_bytes
from streams.runtime.commits import unpack_state
from streams.runtime.store import LAYOUT_VERSION
from tests.support import previous_release
from tests.support.golden import KINDS, MESSAGES, STORED, Golden, example_bytes, golden_files, of_kind, record_rows

FILES = [golden for golden in golden_files() if golden.kind in KINDS]


def test_every_kind_has_its_files_numbered_without_gaps():
    numbers = {kind: [golden.number for golden in files] for kind, files in groupby(golden_files(), lambda golden: golden.kind)}
    assert numbers.keys() == {*KINDS, "redis"}
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    assert all(len(golden.written_by) == 40 for golden in golden_files()), "the whole hash of the commit that wrote it"


@pytest.mark.parametrize("kind", [name for name, kind in STORED.items() if kind.version is not None])
def test_a_version_is_raised_with_its_file(kind: str):
    now = STORED[kind].version
    assert now == of_kind(kind)[-1].number, f"write {kind}-{now}.json, as tests/support/golden.py says"


def test_a_new_layout_of_redis_has_its_file():
    layouts = [hash_["hash"]["layout"] for golden in of_kind("redis") for hash_ in _metas(golden)]
    assert layouts[-1] == str(LAYOUT_VERSION)


def _metas(golden: Golden) -> list[dict[str, Any]]:
    return [kept for example in golden.examples for name, kept in example["keys"].items() if name.endswith(":meta")]


@pytest.mark.parametrize("golden", [golden for golden in FILES if golden.kind in STORED], ids=str)
def test_what_was_stored_means_what_it_meant(golden: Golden):
    for example in golden.examples:
        found, means = KINDS[golden.kind].read(example_bytes(example)), example["means"]
        assert {name: found[name] for name in means} == means
        assert not any(found[name] for name in found.keys() - means.keys()), "what came later is empty in what is older"


@pytest.mark.parametrize("golden", [golden for golden in FILES if golden.kind in MESSAGES and not golden.refused], ids=str)
def test_what_was_sent_is_read_field_by_field(golden: Golden):
    for example in golden.examples:
        found, sent = KINDS[golden.kind].read(example_bytes(example)), _plain(example["text"])
        values = msgspec.to_builtins(found, str_keys=True)
        assert msgspec.json.decode(msgspec.json.encode({name: values[name] for name in sent})) == json.loads(example["text"])
        later = {one.encode_name: one for one in msgspec.structs.fields(found) if one.encode_name not in sent}
        for name in values.keys() - sent.keys():
            assert values[name] == msgspec.to_builtins(_default(later[name])), "what came later has its default in what is older"


def _default(field: Any) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _plain(text: str) -> Any:
    """By another parser."""
    values = json.loads(text)
    return values | ({"rfm": tuple(values["rfm"])} if values.get("rfm") else {})


@pytest.mark.parametrize("golden", [golden for golden in FILES if golden.refused], ids=str)
def test_what_no_reader_meets_is_refused_and_not_misread(golden: Golden):
    for example in golden.examples:
        with pytest.raises(msgspec.ValidationError, match="missing required field"):
            KINDS[golden.kind].read(example_bytes(example))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_today_is_the_newest_file(kind: str):
    newest = of_kind(kind)[-1]
    for example in newest.examples:
        data = example_bytes(example)
        means = example.get("means") or KINDS[kind].read(data)
        assert KINDS[kind].write(means) == data, f"{kind} is written in another way: keep its bytes as number {newest.number + 1}"


@pytest.mark.parametrize("version", range(OLDEST_WRITTEN, VERSION + 1))
def test_an_older_version_of_records_that_is_still_written_is_that_version_byte_by_byte(version: int):
    """An older program reads it: one that is replaced later than its neighbour."""
    for example in of_kind("record")[version - 1].examples:
        assert row_bytes(record_rows(example["means"]), version) == [example_bytes(example)]


def test_records_of_every_version_may_stand_beside_each_other():
    blobs = [example_bytes(example) for golden in of_kind("record") for example in golden.examples]
    expected = [means for golden in of_kind("record") for means in (example["means"] for example in golden.examples)]
    rows = customer.read_records(blobs)
    assert rows["purchases"].tolist() == [means["purchases"] for means in expected]
    assert set(rows["version"].tolist()) == {VERSION}


def test_a_version_that_is_not_written_is_refused():
    with pytest.raises(ValueError, match=f"version {VERSION + 1}: this release writes"):
        row_bytes(customer.new_records(1), VERSION + 1)


def test_the_previous_release_of_the_tests_is_that_release_byte_by_byte():
    """Record version 1 and the third state came of one commit."""
    record, state = of_kind("record")[0], of_kind("live-state")[2]
    assert record.written_by == state.written_by
    for example in state.examples:
        assert previous_release.pack_state(unpack_state(example_bytes(example))) == example_bytes(example)
    assert len(previous_release.read_records([example_bytes(example) for example in record.examples])) == 2
    for example in of_kind("record")[1].examples:
        with pytest.raises(ValueError, match="upgrade churnwatch"):
            previous_release.read_records([example_bytes(example)])
