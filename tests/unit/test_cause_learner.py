"""The model that ships: where it comes from, how good it is on what it has not seen; and learning on from labels."""

from __future__ import annotations

import random

import numpy as np
import pytest
from river.metrics import Accuracy

from detectors.cause_fit import FOLDS, MAX_ERROR, fit, measure_causes
from detectors.cause_learner import CauseLearner
from detectors.cause_model import UNKNOWN, CauseModel
from detectors.cause_snapshot import CauseMeasured, dumps
from detectors.cause_text import buckets, sentences
from detectors.causes import CAUSE_CLASSES, Example
from streams.runtime.cause_files import read_examples, shipped_snapshot
from tests.architecture.tree import REPO
from tests.support.reviews import reviews

DATA = REPO / "detectors" / "data"
HELD_OUT = REPO / "tests" / "support" / "cause_held_out.tsv"


def chinese(example: Example) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in example.text + example.category)


def held_out() -> list[Example]:
    """Never learnt from, and of other trades than the examples."""
    return read_examples(HELD_OUT)


def answers(model: CauseModel, asked: list[Example]) -> tuple[np.ndarray, np.ndarray]:
    """(places named, true places)."""
    places, _ = model.classify([(example.text, example.category) for example in asked])
    return places, np.array([CAUSE_CLASSES.index(example.cause) for example in asked])


def test_the_model_that_ships_is_what_its_examples_give_bit_for_bit():
    file = DATA / "cause_examples.tsv"
    made = dumps(fit(read_examples(file), file.name)) + b"\n"
    assert made == (DATA / "cause_model.json").read_bytes(), "run make causes"
    assert len(made) < 400_000


def test_nothing_that_is_held_out_was_learnt_from():
    learnt = {example.text for example in read_examples(DATA / "cause_examples.tsv")}
    assert len(held_out()) == 256
    assert not learnt & {example.text for example in held_out()}


def test_examples_are_many_of_each_cause_and_language():
    for example_file, least in ((DATA / "cause_examples.tsv", 100), (HELD_OUT, 16)):
        counts = {(cause, zh): 0 for cause in CAUSE_CLASSES for zh in (True, False)}
        for example in read_examples(example_file):
            counts[example.cause, chinese(example)] += 1
        assert min(counts.values()) >= least


@pytest.mark.parametrize("zh", [True, False], ids=["Chinese", "English"])
def test_of_what_was_never_seen_most_is_named_and_most_of_that_rightly(zh):
    places, truth = answers(CauseModel(shipped_snapshot()), [example for example in held_out() if chinese(example) is zh])
    named, told = places != UNKNOWN, truth != UNKNOWN
    assert len(truth) == 128
    assert named[told].mean() > 0.7
    assert (places == truth)[named].mean() > 0.8
    assert named[~told].mean() < 0.2  # what speaks of no cause is mostly left alone


def test_confidence_comes_true():
    """Of what is said with p, about p is right (expected calibration error over five bins, on what was never seen)."""
    model = CauseModel(shipped_snapshot())
    _, confidence = model.classify([(example.text, example.category) for example in held_out()])
    places, truth = answers(model, held_out())
    sure, right = confidence[places != UNKNOWN], (places == truth)[places != UNKNOWN]
    bins = np.minimum((sure * 10).astype(int), 9)
    error = sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    assert error < 0.1
    assert abs(right.mean() - sure.mean()) < 0.05


def test_docs_tell_what_is_measured_here():
    model, page = CauseModel(shipped_snapshot()), (REPO / "docs" / "causes.md").read_text("utf-8")
    for name, asked in (
        ("all", held_out()),
        ("Chinese", [example for example in held_out() if chinese(example)]),
        ("English", [example for example in held_out() if not chinese(example)]),
    ):
        places, truth = answers(model, asked)
        named, told = places != UNKNOWN, truth != UNKNOWN
        right = (places == truth)[named]
        row = f"| {name} | {len(asked)} | {named[told].mean():.0%} | {right.mean():.0%} | {named[~told].mean():.0%} |"
        assert row in page


def test_of_real_bad_reviews_what_is_named_was_judged_bad():
    """Named causes against people's judgements: chance would be right as often as a cause taken by lot."""
    asked = [review for review in reviews() if review.bad]
    model = CauseModel(shipped_snapshot())
    places, _ = model.classify([(review.text, "") for review in asked])
    named = np.flatnonzero(places != UNKNOWN)
    right = np.mean([CAUSE_CLASSES[places[k]] in asked[k].bad for k in named])
    by_lot = np.mean([len(asked[k].bad) / 3 for k in named])
    always_one = max(np.mean([cause in asked[k].bad for k in named]) for cause in ("product", "price", "service"))
    assert len(asked) == 130
    assert len(named) > 30
    assert right > by_lot + 0.2
    assert right > always_one + 0.05
    page = (REPO / "docs" / "causes.md").read_text("utf-8").replace("\n ", "")
    assert f"named for {len(named) / len(asked):.0%}; {right:.0%} of these had been judged bad" in page
    assert f"by lot would be right for {by_lot:.0%}" in page
    assert f"the commonest for {always_one:.0%}" in page
    poor = [k for k in named if asked[k].stars <= 3]
    assert np.mean([CAUSE_CLASSES[places[k]] in asked[k].bad for k in poor]) > 0.85


def test_a_fit_needs_examples_of_each_cause():
    few = [Example(cause, f"{cause} {k}") for cause in CAUSE_CLASSES for k in range(FOLDS)]
    assert fit(few, "x").examples == dict.fromkeys(CAUSE_CLASSES, FOLDS)
    with pytest.raises(ValueError, match=f"{FOLDS - 1} examples of 'policy': at least {FOLDS}"):
        fit([example for example in few if example.text != "policy 3"], "x")


def test_a_fit_of_noise_names_next_to_nothing():
    """Where words say nothing about the cause, silence is the answer."""
    lot = random.Random(7)
    noise = [Example(lot.choice(CAUSE_CLASSES), " ".join(lot.choices("abcdefghijklmnop", k=5))) for _ in range(800)]
    measured = fit(noise, "x").calibration.measured
    assert measured.named < 0.03


def test_measurements_by_hand():
    p = np.zeros((5, len(CAUSE_CLASSES)))
    p[[0, 1, 2, 3, 4], [0, 0, 1, 1, UNKNOWN]] = [0.9, 0.8, 0.7, 0.4, 0.9]  # the fourth is too little sure
    truth = np.array([0, 1, 1, 1, UNKNOWN])
    assert measure_causes(p, truth, 0.5) == CauseMeasured(complaints=5, accuracy=0.6, named=0.6, right=0.6667)


def test_the_threshold_keeps_errors_rare():
    measured = shipped_snapshot().calibration.measured
    assert measured.right >= 1 - MAX_ERROR
    assert measured.named > 0.5


def learn(learner: CauseLearner, *examples: Example) -> None:
    for example in examples:
        learner.learn_one({"text": example.text, "category": example.category}, example.cause)


def probability(learner: CauseLearner, cause: str, **complaint: str) -> float:
    return learner.predict_proba_one(complaint)[cause]


def test_a_category_of_ones_own_is_learnt_from_few_labels():
    learner = CauseLearner(shipped_snapshot())
    assert (
        max(learner.predict_proba_one({"category": "Q17"}), key=learner.predict_proba_one({"category": "Q17"}).get) == "unknown"
    )
    learn(learner, *[Example("policy", text, "Q17") for text in ("", "again", "the form", "no")])
    assert probability(learner, "policy", category="Q17") > 0.9


def test_a_word_of_ones_own_is_learnt():
    learner = CauseLearner(shipped_snapshot())
    before = probability(learner, "product", text="the frobnicator")
    learn(learner, *[Example("product", f"frobnicator {k}") for k in ("jams", "jammed", "stuck")])
    assert probability(learner, "product", text="the frobnicator") > max(before, 0.5)


def test_of_a_letter_only_the_sentence_that_speaks_for_the_cause_is_counted():
    learner = CauseLearner(shipped_snapshot())
    letter = Example("service", "Zorblax is a lovely town. My parcel vanished and your zwurfel did not react.")
    assert probability(learner, "service", text=letter.text) < 0.8
    learn(learner, letter)
    assert len({bucket_of("zwurfel"), bucket_of("zorblax")}) == 2
    assert learner.tally.counts[bucket_of("zwurfel")].tolist() == [int(cause == "service") for cause in CAUSE_CLASSES]
    assert not learner.tally.counts[bucket_of("zorblax")].any()


def bucket_of(word: str) -> int:
    (one,) = sentences(word)
    return buckets(one)[0]


def test_what_is_known_well_teaches_nothing_but_its_category():
    learner = CauseLearner(shipped_snapshot())
    known = Example("price", "far too expensive", "K9")
    assert probability(learner, "price", text=known.text) > 0.8
    before = learner.tally.counts.sum()
    learn(learner, known)
    assert learner.tally.counts.sum() == before + len(sentences("", "K9")[0])
    assert learner.tally.examples.sum() == sum(shipped_snapshot().examples.values()) + 1


def test_labels_are_learnt_as_they_come_and_help():
    """A third of the examples as the start, and the rest one after another, each asked before it is learnt."""
    order = random.Random(11).sample(read_examples(DATA / "cause_examples.tsv"), 1_500)
    learner = CauseLearner(fit(order[:400], "x"))
    early, late = Accuracy(), Accuracy()
    for k, example in enumerate(order[400:]):
        complaint = {"text": example.text, "category": example.category}
        metric = early if k < 300 else late if k >= 800 else None
        if metric is not None:
            metric.update(example.cause, learner.predict_one(complaint))
        learn(learner, example)
    assert late.get() > early.get() + 0.05


def test_a_learner_goes_on_from_what_it_had_written():
    learner = CauseLearner(shipped_snapshot())
    assert learner.snapshot(shipped_snapshot().source) == shipped_snapshot()
    learn(learner, *held_out()[:20])
    half_way = learner.snapshot("x")
    again = CauseLearner(half_way)
    for one in (learner, again):
        learn(one, *held_out()[20:40])
    assert learner.snapshot("x") == again.snapshot("x") != half_way


def test_a_label_that_is_no_cause_is_refused():
    with pytest.raises(ValueError, match="cause = 'cost': must be one of product, price"):
        CauseLearner(shipped_snapshot()).learn_one({"text": "dear"}, "cost")
