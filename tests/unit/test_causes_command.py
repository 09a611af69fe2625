"""`churnwatch causes`, and the files it reads and writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from detectors.cause_snapshot import loads
from detectors.causes import Example
from streams.cli.main import main
from streams.runtime.cause_files import CauseFileError, read_examples, shipped_snapshot
from streams.runtime.rules import event_rules
from streams.runtime.settings import SettingsError, load_settings
from tests.architecture.tree import REPO

EXAMPLES = REPO / "detectors" / "data" / "cause_examples.tsv"
LABELS = "cause,text,category\nprice,Far too dear,fees\npolicy,,Q17\npolicy,,Q17\npolicy,Form missing,Q17\n"


@pytest.fixture
def churnwatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command; gives exit code, stdout and stderr."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["causes", *args])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def test_one_complaint_is_explained(churnwatch):
    code, out, _ = churnwatch("explain", "客服电话一直打不通，投诉也没人管")
    assert code == 0
    assert all(said in out for said in ("service", "100% sure", "controllable", "没人", shipped_snapshot().version))
    code, out, _ = churnwatch("explain", "We emigrated [bold]last[/bold] month", "--json")
    told = json.loads(out)
    assert (told["cause"], told["controllable"], told["model"]) == ("natural", False, shipped_snapshot().version)
    assert 0.5 < told["confidence"] <= 1
    assert told["said"]
    assert set(told["said"][0]) == {"feature", "weight"}


def test_what_is_not_understood_says_what_came_closest(churnwatch):
    code, out, _ = churnwatch("explain", "Hello!", "--json")
    told = json.loads(out)
    assert (code, told["cause"], told["controllable"]) == (0, "unknown", None)
    assert told["closest"] != "unknown"


def test_labels_are_learnt_on_from_what_ships(churnwatch, tmp_path: Path):
    file, out = tmp_path / "labels.csv", tmp_path / "model.json"
    file.write_text(LABELS)
    code, said, _ = churnwatch("train", str(file), "--out", str(out), "--json")
    model = loads(out.read_bytes())
    assert code == 0
    assert json.loads(said)["model"] == model.version != shipped_snapshot().version
    assert json.loads(said)["unseen"]["complaints"] == 4
    assert model.examples["policy"] == shipped_snapshot().examples["policy"] + 3
    assert model.calibration == shipped_snapshot().calibration
    config = tmp_path / "c.yaml"
    config.write_text(f"risk:\n  cause_model_file: {out}\n")
    assert json.loads(churnwatch("explain", "", "--category", "Q17", "--json")[1])["cause"] == "unknown"
    taught = json.loads(churnwatch("explain", "", "--category", "Q17", "--json", "--config", str(config))[1])
    assert (taught["cause"], taught["model"]) == ("policy", model.version)
    again = tmp_path / "again.json"
    assert churnwatch("train", str(file), "--out", str(again), "--config", str(config))[0] == 0
    assert loads(again.read_bytes()).examples["policy"] == model.examples["policy"] + 3


def test_a_fresh_model_of_the_shipped_examples_is_the_shipped_model(churnwatch, tmp_path: Path):
    out = tmp_path / "model.json"
    code, said, _ = churnwatch("train", str(EXAMPLES), "--fresh", "--out", str(out))
    assert code == 0
    assert shipped_snapshot().version in said
    assert out.read_bytes() == (EXAMPLES.parent / "cause_model.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cause,text\ncost,dear\n", "row 1: cause = 'cost': write one of product, price"),
        ("cause,text,category\nprice,,\n", "row 1: has neither text nor category"),
        ("cause\nprice\n", "it needs cause, and text or category"),
        ("text\ndear\n", "it needs cause"),
        ("", "has columns none"),
        ("cause,text\n", "holds no complaint"),
        ("cause,text\nprice\n", "row 1: has neither"),
        ("cause,text\n" + "x,y\n" * 25, "and 5 more"),
    ],
)
def test_a_file_that_cannot_be_learnt_from_is_refused_with_its_rows(churnwatch, tmp_path: Path, text, message):
    file, out = tmp_path / "labels.csv", tmp_path / "model.json"
    file.write_text(text)
    code, _, err = churnwatch("train", str(file), "--out", str(out))
    assert code == 1
    assert message in err
    assert "docs/causes.md" in err
    assert not out.exists()


def test_a_field_beyond_what_csv_takes_is_told(tmp_path: Path):
    file = tmp_path / "labels.csv"
    file.write_text("cause,text\nprice," + "x" * 5_000 + "\n")
    before = csv.field_size_limit(1_000)
    try:
        with pytest.raises(CauseFileError, match=r"labels.csv: after line 1: field larger than field limit"):
            read_examples(file)
    finally:
        csv.field_size_limit(before)


def test_a_fresh_model_needs_examples_of_each_cause(churnwatch, tmp_path: Path):
    file = tmp_path / "labels.csv"
    file.write_text(LABELS)
    code, _, err = churnwatch("train", str(file), "--fresh", "--out", str(tmp_path / "m.json"))
    assert (code, "0 examples of 'product': at least 10" in err) == (1, True)


def test_a_place_that_cannot_be_written_is_told(churnwatch, tmp_path: Path):
    file = tmp_path / "labels.csv"
    file.write_text(LABELS)
    code, _, err = churnwatch("train", str(file), "--out", str(tmp_path / "no" / "m.json"))
    assert (code, "No such file" in err) == (1, True)


def test_labels_may_be_tabs_quotes_and_a_byte_order_mark(tmp_path: Path):
    tabs, commas = tmp_path / "a.tsv", tmp_path / "b.csv"
    tabs.write_text('cause\ttext\nprice\ttoo "dear", really\n', "utf-8-sig")
    commas.write_text('note,cause,text\nx,price,"too ""dear"", really"\n', "utf-8")
    assert read_examples(tabs) == read_examples(commas) == [Example("price", 'too "dear", really')]
    latin = tmp_path / "c.csv"
    latin.write_bytes("cause,text\nprice,zu teuer für mich\n".encode("latin-1"))
    with pytest.raises(CauseFileError, match="is not UTF-8"):
        read_examples(latin)
    with pytest.raises(CauseFileError, match="cannot be read"):
        read_examples(tmp_path / "absent.csv")


def test_the_model_in_the_settings_is_the_one_that_reads_complaints(tmp_path: Path):
    assert event_rules(load_settings(None, {})).causes is event_rules(load_settings(None, {})).causes
    broken = tmp_path / "m.json"
    broken.write_text("{}")
    for path, why in ((broken, "not a model of causes"), (tmp_path / "absent.json", "cannot be read: No such file")):
        with pytest.raises(SettingsError) as refused:
            event_rules(load_settings(None, {"CHURNWATCH_RISK__CAUSE_MODEL_FILE": str(path)}))
        assert all(said in str(refused.value) for said in ("risk.cause_model_file", why, "churnwatch causes train"))


def test_where_the_model_lies_does_not_change_what_alerts_are_decided_by():
    one, other = load_settings(None, {}), load_settings(None, {"CHURNWATCH_RISK__CAUSE_MODEL_FILE": "x"})
    assert one.config_hash == other.config_hash
