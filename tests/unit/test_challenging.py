"""What challengers are fed with: what others said is found by the label's id, once, wherever messages are cut or repeated."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detectors.labels import Labels
from detectors.learner_rules import LearnerRules
from detectors.measures import measure
from streams.challenging import Challenging
from streams.label_order import LabelOrder
from streams.labels import LabelMessage, ScoredRows, entries
from streams.runtime.challengers_metrics import ChallengersMetrics
from streams.scores import SCORE, Scores
from tests.support.random_labels import DAY_MS, UNFITTED, random_labels

HORIZON_DAYS, DAYS, A_DAY = 4, 14, 20
RULES = LearnerRules(HORIZON_DAYS, grid_days=2)
START_MS = 12_000 * DAY_MS


def labels_of(day: int) -> Labels:
    return random_labels(np.random.default_rng((3, day)), A_DAY, START_MS + day * DAY_MS, HORIZON_DAYS)


LABELS = [labels_of(day) for day in range(DAYS)]


def scores_of(labels: Labels) -> Scores:
    """Of three of four labels' customers, what they were scored at the snapshot."""
    rows = np.zeros(len(labels), SCORE)
    rows["id"], rows["day"] = labels.id, labels.at_ms // DAY_MS
    rows["closed_form_bp"], rows["logit"] = labels.id % np.uint64(10_001), (labels.id % np.uint64(100)).astype(np.int64) - 50
    return rows[labels.id % np.uint64(4) > 0]


def told(day: int, model: str = "m", *, history: bool = True) -> LabelMessage:
    """What a commit tells at a day's midnight: what is known by then, and what was scored, of which labels come."""
    scored = [one for one in LABELS if len(one) and int(one.at_ms[0]) == START_MS + day * DAY_MS]
    known = LABELS[day] if 0 <= day < DAYS else Labels.none()
    rows = b"".join(scores_of(one).tobytes() for one in scored)
    return LabelMessage(
        partition=0,
        number=0,
        history=history,
        reached_ms=START_MS + day * DAY_MS,
        labels=entries(known),
        scored=ScoredRows(model=model, rows=rows) if rows else None,
    )


MESSAGES = [told(day) for day in range(-HORIZON_DAYS - 1, DAYS)]


def fed(messages: list[LabelMessage], *, champion: bool = True, share: float = 1.0) -> Challenging:
    found, order = Challenging(RULES, UNFITTED, champion=champion, share=share), LabelOrder(1)
    for offset, message in enumerate(messages):
        for release in order.push(offset, message):
            found.scored(release.scores)
            found.learn(release.labels)
    return found


def state(challenging: Challenging) -> tuple[object, ...]:
    challengers = challenging.challengers
    return challengers.alone.state(), challengers.compared.state(), challengers.labels


def test_each_label_meets_what_was_said_of_its_snapshot():
    found = fed(MESSAGES).challengers
    labels = Labels.concat(LABELS)
    judged = labels.at_ms > found.copies[0].until_ms
    scored = judged & (labels.id % np.uint64(4) > 0)
    closed_form = (labels.id % np.uint64(10_001)).astype(float) / 10_000
    champion = 1 / (1 + np.exp(-((labels.id % np.uint64(100)).astype(float) - 50) / 20))
    for name, p in (("champion", champion), ("closed_form", closed_form)):
        expected, one = measure(p[scored], labels.left[scored]), found.compared.measured(name)
        assert (one.n, one.log_loss) == (expected.n, pytest.approx(expected.log_loss)), name
    assert found.compared.labels > 50
    assert (found.alone.labels, found.labels) == (int(judged.sum()), DAYS * A_DAY)


def test_what_comes_again_counts_once():
    again = [message for k, message in enumerate(MESSAGES) for message in (message, *MESSAGES[max(k - 3, 0) : k + 1])]
    assert state(fed(again)) == state(fed(MESSAGES))


def test_live_it_is_as_from_history():
    live = [told(day, history=False) for day in range(-HORIZON_DAYS - 1, DAYS)]
    assert state(fed(live)) == state(fed(MESSAGES))


def test_without_a_champion_the_closed_form_is_compared_with():
    nobody = [told(day, model="") for day in range(-HORIZON_DAYS - 1, DAYS)]
    found = fed(nobody, champion=False).challengers
    assert found.compared.names == ("closed_form", "adagrad", "forest")
    assert found.compared.labels == fed(MESSAGES).challengers.compared.labels
    assert found.alone.state() == fed(MESSAGES).challengers.alone.state()


def test_where_a_champion_is_to_come_nobody_is_compared_before():
    found = fed([told(day, model="") for day in range(-HORIZON_DAYS - 1, DAYS)])
    assert (found.challengers.compared.labels, found.waiting) == (0, 0)
    assert found.challengers.alone.labels > 0


def test_what_was_said_waits_no_longer_than_its_label_may_come():
    found = fed(MESSAGES)
    assert found.waiting == sum(len(scores_of(one)) for one in LABELS[1:])  # the first day's are 13 days older than the newest
    rows = np.zeros(1, SCORE)
    rows["day"] = START_MS // DAY_MS + DAYS + 100
    found.scored([("m", rows)])
    assert found.waiting == 1


def test_metrics_are_what_was_measured_and_what_is_not_defined_is_left_out():
    registry, found = CollectorRegistry(), fed(MESSAGES)
    metrics = ChallengersMetrics(registry)
    metrics.show(fed([]).challengers, 0)
    assert "churnwatch_challengers_auc" not in {sample.name for family in registry.collect() for sample in family.samples}
    metrics.show(found.challengers, found.waiting)
    for among, models in found.challengers.measured("rolling").items():
        for model, one in models.items():
            for name in ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10", "lift_cap"):
                shown = registry.get_sample_value(f"churnwatch_challengers_{name}", {"among": among, "model": model})
                assert shown == getattr(one, name), (among, model, name)
    assert registry.get_sample_value("churnwatch_challengers_labels_known") == DAYS * A_DAY
