"""Counting, weighing and naming causes: against the twin, against River, and whatever else is asked in the same batch."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.naive_bayes import MultinomialNB

from detectors.cause_model import UNKNOWN, CauseModel
from detectors.cause_snapshot import Calibration, CauseMeasured, CauseSnapshot, dumps, loads, snapshot_of
from detectors.cause_tally import Tally
from detectors.cause_text import BUCKETS, buckets, sentences
from detectors.causes import CAUSE_CLASSES, Example
from streams.runtime.cause_files import read_examples, shipped_snapshot
from tests.architecture.tree import REPO
from tests.oracle.cause_twin import CauseTwin
from tests.support.examples import examples

EXAMPLES_FILE = REPO / "detectors" / "data" / "cause_examples.tsv"
CALIBRATION = Calibration(1.3, 1.75, 0.5, CauseMeasured(10, 0.5, 0.4, 0.75))
WORDS = st.sampled_from(
    ["dear", "too dear", "late", "rude", "broken", "points gone", "moved", "rules", "贵", "太贵了", "态度差", "hello"]
)
TEXTS = st.lists(WORDS, max_size=6).map(". ".join)
EXAMPLES = st.lists(
    st.builds(Example, st.sampled_from(CAUSE_CLASSES), TEXTS, st.sampled_from(["", "fees", "服务"])), min_size=1, max_size=25
)


def tally_of(learnt) -> Tally:
    tally = Tally()
    for example in learnt:
        found = {bucket for one in sentences(example.text, example.category) for bucket in buckets(one)}
        tally.add(sorted(found), CAUSE_CLASSES.index(example.cause))
    return tally


@given(EXAMPLES, TEXTS, st.sampled_from(["", "fees"]), st.floats(0.1, 4), st.floats(-3, 5))
@examples(80)
def test_probabilities_are_those_of_the_twin(learnt, text, category, temperature, silence):
    calibration = Calibration(temperature, silence, 0.0, CALIBRATION.measured)
    model = CauseModel(snapshot_of(tally_of(learnt), calibration, "x"))
    wanted = CauseTwin(learnt).probabilities(text, category, calibration)
    (place,), (confidence,) = model.classify([(text, category)])
    assert confidence == pytest.approx(max(wanted.values()), abs=2e-6)
    assert wanted[CAUSE_CLASSES[place]] == pytest.approx(max(wanted.values()), abs=2e-6)


def test_weights_are_rivers_multinomial_naive_bayes():
    learnt = [example for example in read_examples(EXAMPLES_FILE) if example.text][:400:3]
    tally, river = tally_of(learnt), MultinomialNB(alpha=0.1)
    for example in learnt:
        river.learn_one({b: 1 for one in sentences(example.text, example.category) for b in buckets(one)}, example.cause)
    known = tally.known()[::50]
    learnt_causes = sorted(river.class_counts)
    logs = np.array([[math.log(river.p_feature_given_class(b, cause)) for cause in learnt_causes] for b in known.tolist()])
    weights = tally.weights(known)[:, [CAUSE_CLASSES.index(cause) for cause in learnt_causes]] / 1024
    assert np.diff(weights, axis=1) == pytest.approx(np.diff(logs, axis=1), abs=1 / 1024)


@given(EXAMPLES, EXAMPLES)
@examples(60)
def test_what_is_taken_back_was_never_there(kept, passing):
    tally = tally_of([*kept, *passing])
    for example in passing:
        found = {bucket for one in sentences(example.text, example.category) for bucket in buckets(one)}
        tally.add(sorted(found), CAUSE_CLASSES.index(example.cause), by=-1)
    alone = tally_of(kept)
    assert (tally.counts == alone.counts).all()
    assert (tally.examples == alone.examples).all()
    assert (tally.weights(tally.known()) == alone.weights(alone.known())).all()


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=8)), min_size=1, max_size=8), st.integers(0, 7))
@examples(60)
def test_an_answer_does_not_depend_on_what_else_is_asked(complaints, rotate):
    model = CauseModel(shipped_snapshot())
    places, confidence = model.classify(complaints)
    turn = [(k + rotate) % len(complaints) for k in range(len(complaints))]
    others, sure = model.classify([complaints[k] for k in turn])
    assert others.tolist() == places[turn].tolist()
    assert sure.tobytes() == confidence[turn].tobytes()
    alone = [model.classify([one]) for one in complaints]
    assert [(int(p[0]), float(c[0])) for p, c in alone] == list(zip(places.tolist(), confidence.tolist(), strict=True))


def test_no_complaints_no_answers():
    places, confidence = CauseModel(shipped_snapshot()).classify([])
    assert (len(places), len(confidence)) == (0, 0)


@pytest.mark.parametrize(
    ("text", "category", "cause"),
    [
        ("Far too expensive, your competitor is cheaper.", "", "price"),
        ("I like your shop and the people are friendly. But it became too expensive for my small pension.", "", "price"),
        ("客服态度很差，打电话没人接。", "", "service"),
        ("环境不错，价格实惠。就是服务员态度很差，叫半天没人理。", "", "service"),
        ("衣服洗一次就破了，质量太差", "", "product"),
        ("", "积分", "benefit"),
        ("We are moving abroad.", "", "natural"),
        ("Hello!", "", "unknown"),
        ("Das Essen war gut", "", "unknown"),
        ("qzx wvk 8812", "", "unknown"),
        ("\ud800\x00", "", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_what_ships_knows_these(text, category, cause):
    assert CauseModel(shipped_snapshot()).explain(text, category).cause == cause


def test_what_is_less_sure_than_the_threshold_is_unknown_and_keeps_its_confidence():
    shipped = shipped_snapshot()
    deaf = msgspec.structs.replace(shipped, calibration=msgspec.structs.replace(shipped.calibration, threshold=1.0))
    (place,), (confidence,) = CauseModel(deaf).classify([("太贵了，负担不起", "")])
    assert place == UNKNOWN
    (named,), (sure,) = CauseModel(shipped).classify([("太贵了，负担不起", "")])
    assert (CAUSE_CLASSES[named], sure) == ("price", confidence)


def test_what_decided_adds_up_to_the_odds():
    learnt = [Example("price", "dear dear", ""), Example("service", "late", ""), Example("unknown", "hello", "")]
    model = CauseModel(snapshot_of(tally_of(learnt), CALIBRATION, "x"))
    found = model.explain("dear. hello", most=99)
    twin, told = CauseTwin(learnt), sentences("dear. hello")
    odds = CALIBRATION.temperature * (twin.evidence(told[0], "price") - twin.evidence(told[0], "unknown")) / math.sqrt(2)
    assert found.closest == "price"
    assert {one.feature for one in found.said} == set(told[0])
    assert sum(one.weight for one in found.said) == pytest.approx(odds, abs=2e-3)
    assert [one.weight for one in found.said] == sorted((one.weight for one in found.said), reverse=True)


@given(EXAMPLES)
@examples(40)
def test_a_snapshot_comes_back_as_it_was(learnt):
    tally = tally_of(learnt)
    snapshot = snapshot_of(tally, CALIBRATION, "where from")
    assert loads(dumps(snapshot)) == snapshot
    assert (loads(dumps(snapshot)).tally().counts == tally.counts).all()
    assert snapshot_of(tally_of(learnt[::-1]), CALIBRATION, "where from") == snapshot  # the order of examples does not matter


def test_another_content_has_another_name():
    one, other = tally_of([Example("price", "dear")]), tally_of([Example("price", "dearer")])
    names = {snapshot_of(tally, CALIBRATION, "x").version for tally in (one, other)}
    names.add(snapshot_of(one, msgspec.structs.replace(CALIBRATION, threshold=0.6), "x").version)
    assert len(names) == 3


def broken(change):
    values = msgspec.json.decode(dumps(shipped_snapshot()))
    change(values)
    return msgspec.json.encode(values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "truncated"),
        (b'{"more":' + b"[" * 100_000, "recursion|nested|unknown"),
        (b"[]", "Expected `object`"),
        (b'"\xff"', "utf-8|UTF-8|Expected"),
        (b"{}", "missing required field"),
        (broken(lambda v: v.update(schema="churnwatch.causes/2")), "churnwatch.causes/2"),
        (broken(lambda v: v.update(features="cause-text/0")), "cause-text/0.*train it anew"),
        (broken(lambda v: v.update(more=1)), "more"),
        (broken(lambda v: v["examples"].pop("price")), "examples: must have"),
        (broken(lambda v: v["seen"]["price"].append(1)), "seen.price"),
        (broken(lambda v: v["seen"]["price"].__setitem__(0, BUCKETS)), "seen.price"),
        (broken(lambda v: v["seen"]["price"].__setitem__(2, 0)), "seen.price"),
        (broken(lambda v: v["seen"]["price"].__setitem__(1, 0)), "seen.price"),
        (broken(lambda v: v["seen"]["price"].__setitem__(1, -1)), ">= 0"),
        (broken(lambda v: v["calibration"].update(temperature=0)), "temperature|> 0"),
        (broken(lambda v: v["calibration"].update(threshold=2)), "<= 1"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(data, message):
    with pytest.raises(ValueError, match=rf"not a model of causes: (.|\n)*({message})"):
        loads(data)


def test_the_empty_model_knows_nothing():
    empty = CauseSnapshot(
        source="x", calibration=CALIBRATION, examples=dict.fromkeys(CAUSE_CLASSES, 0), seen={c: [] for c in CAUSE_CLASSES}
    )
    assert CauseModel(empty).explain("far too dear").cause == "unknown"
