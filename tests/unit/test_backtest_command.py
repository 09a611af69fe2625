"""`churnwatch backtest`: what it writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import typer

from detectors.cause_snapshot import dumps as dump_causes
from detectors.parameters import SHIPPED, dumps
from streams.cli.backtest_parts.asked import days
from streams.cli.backtest_parts.running import write
from streams.cli.main import main
from streams.columns import DAY_MS
from streams.runtime.cause_files import shipped_snapshot
from tests.support.backtests import simulated

PARTS = {
    *("schema", "file", "events", "customers", "from", "to", "events_per_s", "settings_hash", "settings", "cutoffs", "mean"),
    *("calibration", "gain", "weak_spots", "learning", "alerts", "thresholds", "budgets", "profit_assumptions"),
}
MEASURES = {"auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10", "lift_cap"}
SHORT = ["--horizon", "30d", "--active-window", "60d", "--every", "30d"]


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    return simulated(tmp_path_factory.mktemp("history") / "shop.csv", customers=150, days=200)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["backtest", *map(str, arguments)])
    return left.value.code


def report(history: Path, out: Path, *arguments: object) -> dict:
    assert run(history, "--out", out, *SHORT, *arguments) == 0
    return json.loads((out / "report.json").read_bytes())


@pytest.fixture(scope="module")
def alone(history, tmp_path_factory) -> dict:
    """Of that history, with nothing asked for besides."""
    return report(history, tmp_path_factory.mktemp("alone"))


def test_it_writes_a_report_for_programs_and_one_for_people(history, tmp_path, capsys):
    found = report(history, tmp_path / "deep" / "out")
    assert set(found) >= PARTS
    assert found["file"] == "shop.csv"
    assert found["settings"]["horizon_days"] == found["settings"]["risk"]["horizon_days"] == 30
    assert len(found["cutoffs"]) >= 3
    for part in (found["mean"], *(cutoff["scores"] for cutoff in found["cutoffs"])):
        assert set(part) == {"risk", "btyd", "idle", "frequency"}
        assert all(set(score) == MEASURES for score in part.values())
    assert set(found["alerts"]["lead_time_days"]) == {"p10", "p50", "p90"}
    assert sum(week["fired"] for week in found["alerts"]["by_week"]) == found["alerts"]["fired"] > 0
    page = (tmp_path / "deep" / "out" / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert found["settings_hash"] in page
    assert "cut-offs" in capsys.readouterr().out


def test_challengers_are_measured_where_they_are_asked_for_and_change_nothing_else(history, alone, tmp_path, capsys):
    assert "challengers" not in alone["learning"]
    capsys.readouterr()
    found = report(history, tmp_path, "--challengers")
    assert "adagrad" in capsys.readouterr().out
    challengers = found["learning"].pop("challengers")
    timed = {"seconds": 0, "events_per_s": 0, "engine_events_per_s": 0}
    assert found | timed == alone | timed
    assert challengers["labels"] == found["learning"]["labels"] > 200
    measured = challengers["measured_total"]
    assert challengers["measured"].keys() == measured.keys()
    assert {who: list(models) for who, models in measured.items()} == {
        "all": ["adagrad", "forest"],
        "repeat_buyers": ["adagrad", "forest"],
        "watched": ["champion", "closed_form", "adagrad", "forest"],
    }
    assert all(set(one) > MEASURES and one["n"] > 50 for models in measured.values() for one in models.values())
    assert measured["all"]["forest"]["n"] > measured["repeat_buyers"]["forest"]["n"] > measured["watched"]["forest"]["n"]


def test_a_challenger_needs_something_to_challenge(history, tmp_path, capsys):
    assert run(history, "--out", tmp_path, *SHORT, "--challengers", "--no-learning") == 1
    assert "nothing to challenge" in capsys.readouterr().err


def test_json_on_stdout_is_the_report(history, tmp_path, capsys):
    found = report(history, tmp_path, "--json")
    assert json.loads(capsys.readouterr().out) == found


def test_the_hash_is_of_the_settings_and_not_of_the_history(alone, tmp_path):
    other = simulated(tmp_path / "other.jsonl", customers=40, days=180, seed=9)
    one, two = alone, report(other, tmp_path / "2")
    assert one["settings_hash"] == two["settings_hash"]
    assert one["settings"] == two["settings"]
    changed = tmp_path / "settings.yaml"
    changed.write_text("policy: {watch: 0.6}\n")
    hashes = {one["settings_hash"]}
    for more in (["--config", changed], ["--min-events", 3], ["--every", "15d"]):
        hashes.add(report(other, tmp_path / "3", *more)["settings_hash"])
    assert len(hashes) == 4
    changed.write_text("learning: {publish_s: 5, keep_models: 2}\n")
    decides_nothing = report(other, tmp_path / "4", "--config", changed)
    assert (decides_nothing["settings_hash"], decides_nothing["settings"]) == (one["settings_hash"], one["settings"])


def test_files_that_decide_are_in_the_hash_by_their_content_and_not_by_their_place(history, tmp_path):
    fitted = msgspec.structs.replace(SHIPPED, r=0.6)  # under the same name
    causes = msgspec.structs.replace(shipped_snapshot(), source="elsewhere")
    contents = {
        "risk: {{parameters_file: {}}}": [dumps(SHIPPED), dumps(fitted)],
        "risk: {{cause_model_file: {}}}": [dump_causes(shipped_snapshot()), dump_causes(causes)],
    }
    for number, (config, (one, other)) in enumerate(contents.items()):
        found = []
        for name, content in (("one", one), ("same", one), ("other", other)):
            file, settings = tmp_path / f"{name}-{number}.json", tmp_path / "settings.yaml"
            file.write_bytes(content)
            settings.write_text(config.format(file) + "\n")
            found.append(report(history, tmp_path / name, "--config", settings, "--no-learning"))
        assert found[0]["settings_hash"] == found[1]["settings_hash"] != found[2]["settings_hash"]
        assert str(tmp_path) not in json.dumps(found)


def test_days_of_ticks_beyond_the_last_event_change_no_number_of_the_history(history, alone, tmp_path):
    """They are of no day of it, so no rate counts them."""
    before, beyond = alone["alerts"], report(history, tmp_path, "--run-on-days", 120)["alerts"]
    changed = {name for name in before if before[name] != beyond[name]}
    assert changed == {"fired_after", "messages"}
    assert beyond["fired_after"] > before["fired_after"] + 10
    assert "raised after the last event, besides" in (tmp_path / "report.html").read_text("utf-8")


def test_days_of_ticks_beyond_the_last_event_are_in_the_hash(history, alone, tmp_path):
    assert report(history, tmp_path, "--run-on-days", 1)["settings_hash"] != alone["settings_hash"]


def test_profit_is_counted_where_it_was_assumed(history, tmp_path):
    money = ["--customer-value", 200, "--offer-cost", 10, "--contact-cost", 1, "--success-rate", 0.3]
    found = report(history, tmp_path, *money)
    assert found["profit_assumptions"] == {
        "customer_value": 200, "offer_cost": 10, "contact_cost": 1, "success_rate": 0.3, "currency": "USD"
    }  # fmt: skip
    assert any(row["profit"] for row in found["thresholds"])


def test_policies_are_compared_side_by_side(history, tmp_path, capsys):
    strict, eager = tmp_path / "strict.yml", tmp_path / "eager.yml"
    strict.write_text("policy: {watch: 0.9, high: 0.95, critical: 0.97}\n")
    eager.write_text("policy: {breaches: 1}\nlooks: {gap_share: 0.1}\n")
    found = report(history, tmp_path / "out", "--compare", strict, eager)
    own, one, two = found["policies"]
    assert [own["name"], one["name"], two["name"]] == ["settings", "strict.yml", "eager.yml"]
    assert (own["settings_hash"], own["alerts"]) == (found["settings_hash"], found["alerts"])
    assert len({policy["settings_hash"] for policy in found["policies"]}) == 3
    assert one["alerts"]["fired"] < own["alerts"]["fired"] < two["alerts"]["fired"]
    assert "strict.yml" in capsys.readouterr().out
    assert "Policies compared" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_what_is_learnt_by_logins_is_not_judged_by_who_bought(history, tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text("risk: {staying: logins}\n")
    assert run(history, "--out", tmp_path / "out", *SHORT, "--config", config) == 1
    assert "risk.staying is logins, and a backtest judges by who bought" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy: {watch: 2}", "policy.watch"),
        ("policy: {wach: 0.5}", "policy.wach"),
        ("watch: 0.5", "section `policy:`"),
        ("policy: 3", "policy"),
        ("policy: {watch: 0.4}\nmoney: {}", "section `policy:`"),
        ("", "section `policy:`"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_policy_that_is_none_is_refused(history, tmp_path, capsys, text, said):
    (tmp_path / "good.yml").write_text("policy: {breaches: 1}\n")
    (tmp_path / "bad.yml").write_text(text)
    assert run(history, "--out", tmp_path / "out", "--compare", tmp_path / "good.yml", tmp_path / "bad.yml") == 2
    error = capsys.readouterr().err
    assert said in error
    assert "bad.yml" in error


def test_a_history_too_short_is_said_and_still_has_its_alerts(history, tmp_path, capsys):
    assert run(history, "--out", tmp_path) == 0
    assert "no cut-off" in capsys.readouterr().err
    found = json.loads((tmp_path / "report.json").read_bytes())
    assert (found["cutoffs"], found["mean"]) == ([], {})
    assert found["alerts"]["fired"] > 0


def lines(of: str, days: list[int], customers: int = 5) -> list[str]:
    return [f"{of},c{k},{(20_000 + day) * DAY_MS},{5 if of == 'purchase' else ''},USD" for day in days for k in range(customers)]


NOBODY = {
    "only logins": (lines("login", list(range(0, 400, 5))), []),
    "only refunds": ([line.replace(",,", ",-5,") for line in lines("refund", list(range(0, 400, 5)))], []),
    "all gone": (lines("purchase", list(range(0, 40, 5))) + lines("login", list(range(50, 400, 10)), 1), []),
    "a gap": (lines("purchase", [*range(0, 100, 10), *range(350, 500, 10)]), []),
    "too much asked": (lines("purchase", list(range(0, 400, 5))), ["--min-events", 60]),
}


@pytest.mark.parametrize("case", NOBODY)
def test_a_cut_off_that_scores_nobody_is_no_error(tmp_path, case):
    rows, arguments = NOBODY[case]
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(["type,customer_id,occurred_at,amount,currency", *rows]) + "\n")
    found = report(path, tmp_path, *arguments)
    assert any(cutoff["n"] == 0 and cutoff["base_rate"] is None for cutoff in found["cutoffs"])
    assert "nobody was scored" in (tmp_path / "report.html").read_text("utf-8").lower()


def test_neither_file_is_written_where_one_cannot_be_made(tmp_path):
    with pytest.raises(KeyError):
        write(tmp_path, {"file": "a report for which there is no page"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere.csv"], 1, "nowhere.csv"),
        (["{history}", "--active-window", "0d"], 2, "write days as 90d"),
        (["{history}", "--horizon", "9000d"], 2, "--horizon = '9000'"),
        (["{history}", "--config", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["{history}", "--map", "nowhere.yaml"], 1, "nowhere.yaml"),
        (["{history}", "--customer-value", "3"], 1, "--offer-cost"),
        (
            ["{history}", "--customer-value", "3", "--offer-cost", "1", "--contact-cost", "1", "--success-rate", "7"],
            1,
            "success_rate",
        ),
        (["{history}", "--out", "{history}"], 1, "--out"),
        (["{history}", "--against", "churn.alerts", "--partitions", "7"], 1, "--partitions 7"),
        (["{history}", "--compare", "nowhere.yml", "elsewhere.yml"], 2, "nowhere.yml"),
        (["{history}", "--compare", "a/one.yml", "b/one.yml"], 1, "two files are called one.yml"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(history, tmp_path, capsys, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    assert run(*(argument.format(history=history) for argument in arguments)) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_customers_forgotten_sooner_than_scored_are_refused(history, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHURNWATCH_RETENTION__INACTIVE_DAYS", "31")
    assert run(history, "--out", tmp_path, "--no-learning") == 1
    assert "retention.inactive_days" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "d", "0", "0d", "-3d", "3m", "1.5d", "999999d"])
def test_what_is_no_number_of_days_is_refused(text):
    with pytest.raises(typer.BadParameter):
        days(text)
