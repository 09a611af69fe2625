"""A whole backtest: what is published of two public sets, what a plain recount finds, and what must not matter."""

from __future__ import annotations

from dataclasses import asdict, astuple, replace

import numpy as np
import pytest

from alerts.alert import decode, encode
from alerts.ids import rfc3339
from alerts.policy import ReasonCode
from detectors.measures import measure
from detectors.parameters import SHIPPED
from streams.backtest.backtesting import backtest
from streams.backtest.history import read_histories
from streams.backtest.mapping import find_source
from streams.backtest.payloads import to_columns
from streams.backtest.run import run_history
from streams.columns import DAY_MS, PURCHASE
from streams.runtime.rules import engine_rules, event_rules, learner_rules
from tests.support.backtests import LEARNING, SETTINGS, loaded, public_set, rules, simulated
from tests.support.engine_rules import EAGER_POLICY


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return find_source(str(simulated(tmp_path_factory.mktemp("history") / "events.csv")))


@pytest.fixture(scope="module")
def found(source):
    with loaded(source) as log:
        return backtest(log, rules())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """For what learns: that is most of the time."""
    return find_source(str(simulated(tmp_path_factory.mktemp("small") / "events.csv", customers=120, days=360)))


PUBLISHED = {  # shared/notes/learning.md: cut-offs, mean n, base rate, AUC of idle time and of -frequency
    "cdnow": (10, 4208, 0.52, 0.635, 0.669),
    "online-retail-ii": (16, 1645, 0.36, 0.636, 0.688),
}
CLOSED_FORM = {"cdnow": (0.686, 0.633), "online-retail-ii": (0.744, 0.564)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cut_offs_and_baselines_of_a_public_set_are_those_published(name):
    with loaded(public_set(name)) as log:
        judged = backtest(log, rules()).judged
    keys = ("auc", "log_loss", "n", "base_rate")
    mean = {
        score: {key: np.nanmean([asdict(one.measured[score])[key] for one in judged]) for key in keys}
        for score in ("risk", "btyd", "idle", "frequency")
    }
    n, base = mean["risk"]["n"], mean["risk"]["base_rate"]
    got = len(judged), round(n), round(base, 2), round(mean["idle"]["auc"], 3), round(mean["frequency"]["auc"], 3)
    assert got == pytest.approx(PUBLISHED[name], abs=0.0011)
    assert (mean["btyd"]["auc"], mean["btyd"]["log_loss"]) == pytest.approx(CLOSED_FORM[name], abs=0.003)


def test_each_cut_off_is_what_a_plain_recount_finds(source, found):
    history = read_histories([source])
    bought = [(int(t), str(c)) for t, c, k in zip(history.time_ms, history.customer, history.kind, strict=True) if k == PURCHASE]
    first, last = int(history.time_ms[0]), int(history.time_ms[-1])
    at_ms, recounted = first + 180 * DAY_MS, []
    while at_ms + 90 * DAY_MS <= last:
        times = {}
        for when, who in bought:
            if when <= at_ms:
                times.setdefault(who, set()).add(when)
        scored = sorted(who for who, all_of in times.items() if sum(when > at_ms - 180 * DAY_MS for when in all_of) >= 2)
        stayed = {who for when, who in bought if at_ms < when <= at_ms + 90 * DAY_MS}
        idle = [(at_ms - max(times[who])) / DAY_MS for who in scored]
        recounted.append((at_ms, sorted(zip(idle, [who not in stayed for who in scored], strict=True))))
        at_ms += 30 * DAY_MS
    got = [
        (one.scored.at_ms, sorted(zip(one.scored.scores["idle"].tolist(), one.left.tolist(), strict=True)))
        for one in found.judged
    ]
    assert got == recounted
    assert len(got) > 3


def test_measures_are_those_of_the_scores_that_were_kept(found):
    for one in found.judged:
        assert one.measured["btyd"] == measure(one.scored.scores["btyd"], one.left)
    unknown = [one for one in found.judged if one.scored.at_ms < found.judged[0].scored.at_ms + 90 * DAY_MS]
    assert all(np.isnan(one.measured["idle"].log_loss) for one in unknown)
    assert not any(np.isnan(one.measured["idle"].log_loss) for one in found.judged[len(unknown) :])


@pytest.mark.parametrize("changed", [{"max_rows": 61}, {"partitions": 3}])
def test_neither_cuts_nor_partitions_matter(source, found, changed):
    with loaded(source) as log:
        other = backtest(log, rules(**changed))
    measured = [[(one.scored.at_ms, dict(one.measured)) for one in run.judged] for run in (other, found)]
    assert repr(measured[0]) == repr(measured[1])  # to the last bit, and NaN equals NaN
    assert other.models == found.models
    order = ["customer", "time_ms", "number"]
    sent = [np.sort(run.policy.alerts.messages(), order=order).tolist() for run in (other, found)]
    assert sent[0] == sent[1]


def test_alerts_are_those_that_workers_send(source):
    """`run_history` is what tests hold against real workers, byte by byte."""
    told = []
    with loaded(source, keep_ids=True) as log:
        found = backtest(log, rules(partitions=4, refit_days=None, max_rows=500, tell=told.extend))
        ids = log.customers.ids()
    columns = to_columns(read_histories([source]), event_rules(SETTINGS).of_history(), 4)
    expected = [decode(message) for message in run_history(columns, engine_rules(SETTINGS), SHIPPED).alerts]
    rows = found.policy.alerts.messages()
    decisions = [ReasonCode(code).name.lower() for code in rows["reason"]]
    times, risks = map(rfc3339, rows["time_ms"].tolist()), (rows["risk_bp"] / 10_000).tolist()
    got = sorted(zip(ids[rows["customer"]], times, rows["number"].tolist(), decisions, risks, strict=True))
    assert got == sorted((a.customer_id, a.as_of, a.transition, a.decision, a.risk) for a in expected)
    assert len(got) > 50
    by_message = {message.message_id: encode(message) for message in told}
    assert by_message == {message.message_id: encode(message) for message in expected}
    assert any(message.event for message in told)


@pytest.mark.parametrize("learns", [False, True])
def test_a_policy_that_is_compared_does_what_it_does_alone(source, small, learns):
    changed = replace(engine_rules(LEARNING if learns else SETTINGS), policy=EAGER_POLICY)
    own = {"engine": engine_rules(LEARNING), "learner": learner_rules(LEARNING)} if learns else {}
    with loaded(small if learns else source) as log:
        both = backtest(log, rules(**own, policies={"eager": changed, "same": own.get("engine", rules().engine)}))
        alone = backtest(log, rules(**own | {"engine": changed}))
    assert both.policies["eager"].alerts.messages().tolist() == alone.policy.alerts.messages().tolist()
    assert both.policies["same"].alerts.messages().tolist() == both.policy.alerts.messages().tolist()
    assert astuple(both.policies["same"].outcomes)[:5] == astuple(both.policy.outcomes)[:5]
    assert len(alone.policy.alerts.messages()) > len(both.policy.alerts.messages())
    assert both.models == alone.models


def test_what_is_learnt_but_not_to_serve_is_measured_alone(small):
    own = {"engine": engine_rules(LEARNING), "learner": learner_rules(LEARNING)}
    with loaded(small) as log:
        found, serves = backtest(log, rules(**own, serves=False)), backtest(log, rules(**own))
    assert found.models == [(found.models[0][0], SHIPPED.version)]
    assert len(serves.models) > 5
    assert found.learner.report()["labels"] == serves.learner.report()["labels"] > 500


def test_what_comes_later_does_not_change_a_score(source, found, tmp_path):
    """All purchases after a cut-off are taken away: its scores stay, and everybody has left."""
    at_ms = found.judged[2].scored.at_ms
    history = read_histories([source])
    lines = []
    for kind, customer, when in zip(history.kind, history.customer, history.time_ms, strict=True):
        bought = kind == PURCHASE and when <= at_ms
        lines.append(f"purchase,{customer},{when},1,USD" if bought else f"login,{customer},{when},,")
    then = tmp_path / "cut.csv"
    then.write_text("type,customer_id,occurred_at,amount,currency\n" + "\n".join(lines) + "\n")
    with loaded(find_source(str(then))) as log:
        ids, other = log.customers.ids(), backtest(log, rules())
    with loaded(source) as log:
        names = log.customers.ids()

    def by_id(one, names):
        columns = {name: one.scores[name].tolist() for name in ("risk", "btyd", "idle", "frequency")}
        return {names[c]: tuple(columns[name][k] for name in columns) for k, c in enumerate(one.customer.tolist())}

    for k in range(3):
        assert by_id(other.judged[k].scored, ids) == by_id(found.judged[k].scored, names)
    assert other.judged[2].left.all()


def test_refits_are_named_by_their_day_and_serve_from_then_on(found):
    first, *refits = found.models
    assert first[1] == SHIPPED.version
    assert [version for _, version in refits] == [f"refitted-{np.datetime64(at // DAY_MS, 'D')}" for at, _ in refits]
    assert len(refits) > 5
    assert not np.any(np.diff([at for at, _ in refits]) % (30 * DAY_MS))


def test_a_history_too_short_for_a_cut_off_has_alerts_and_no_measures(tmp_path):
    path = simulated(tmp_path / "short.csv", customers=60, days=100)
    with loaded(find_source(str(path))) as log:
        found = backtest(log, rules())
    assert found.judged == []
    assert found.events == log.log.events


def test_repeated_event_ids_are_left_out_and_count_as_no_purchase(tmp_path):
    """a buys every 40 days from day 40 on, and five days later the producer repeats the event, dated anew."""
    start_ms = 600 * 10**9
    bought = [
        (f"purchase,a,{start_ms + (number * 40 + later) * DAY_MS},1,USD,{number}") for number in range(1, 10) for later in (0, 5)
    ]
    path = tmp_path / "repeats.csv"
    end = f"login,z,{start_ms + 400 * DAY_MS},,,end"
    path.write_text("\n".join(["type,customer_id,occurred_at,amount,currency,event_id", *bought, end]) + "\n")
    with loaded(find_source(str(path))) as log:
        found = backtest(log, rules())
    assert (found.repeats, found.events) == (9, 10)
    first = found.judged[0].scored  # on day 40 + 180: five purchases since day 40, the sixth one day 240
    assert (first.at_ms - start_ms) // DAY_MS == 220
    assert first.scores["frequency"].tolist() == [-5 / (180 + 30)]
