"""The playbook: which play is meant for whom, what a file may say, and what is told of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.playbook import Play, Playbook, unreachable
from streams.runtime.playbook_file import load_playbook, playbook_of, read_playbook
from streams.runtime.settings import SettingsError, load_settings
from tests.support.triggers import alert_at, play, stake

REPO = Path(__file__).parents[2]
GOOD = "name: a, tier: watch, action: call, message: m, every_days: 3"


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_playbook(text, "book.yaml")
    return [str(problem) for problem in caught.value.problems]


def one(fields: str) -> str:
    return f"plays:\n  - {{{fields}}}\n"


@pytest.mark.parametrize(
    ("wanted", "alert", "matches"),
    [
        pytest.param({"tier": "high"}, {"tier": "watch"}, False, id="a tier below"),
        pytest.param({"tier": "high"}, {"tier": "high"}, True, id="the tier itself"),
        pytest.param({"tier": "high"}, {"tier": "critical"}, True, id="a tier above"),
        pytest.param({"least_value": 5}, {"value_at_stake": stake(499)}, False, id="a cent short"),
        pytest.param({"least_value": 5}, {"value_at_stake": stake(500)}, True, id="just the value"),
        pytest.param({"least_value": 5}, {"value_at_stake": stake(5, "JPY")}, True, id="yen have no minor unit"),
        pytest.param({"least_value": 5}, {"value_at_stake": stake(4_999, "KWD")}, False, id="a dinar has 1000 fils"),
        pytest.param({"least_value": 0}, {"value_at_stake": stake(0)}, True, id="nothing at stake, nothing asked for"),
        pytest.param({"least_value": 0}, {"value_at_stake": stake(-1)}, False, id="more came back than was spent"),
        pytest.param({"segments": ("loyal", "new")}, {"segment": "new"}, True, id="one of the segments"),
        pytest.param({"segments": ("loyal", "new")}, {"segment": "at-risk"}, False, id="another segment"),
        pytest.param({"causes": ("service",)}, {"cause": "service"}, True, id="the cause"),
        pytest.param({"causes": ("service",)}, {"cause": "unknown"}, False, id="another cause"),
    ],
)
def test_a_play_is_meant_for_who_meets_all_that_it_asks(wanted, alert, matches):
    assert play(**wanted).matches(alert_at(1_700_000_000, **alert)) is matches


def test_the_first_play_that_matches_is_the_one():
    plays = Playbook((play("a", tier="critical"), play("b", tier="high"), play("c", tier="high")))
    chosen = [plays.play_for(alert_at(1_700_000_000, tier=tier)) for tier in ("critical", "high", "watch")]
    assert [found and found.name for found in chosen] == ["a", "b", None]


@pytest.mark.parametrize(
    ("above", "below", "hidden"),
    [
        ({"tier": "watch"}, {"tier": "high"}, True),
        ({"tier": "high"}, {"tier": "watch"}, False),
        ({"tier": "high"}, {"tier": "high"}, True),
        ({"least_value": 5}, {"least_value": 4}, False),
        ({"least_value": 5}, {"least_value": 6}, True),
        ({"segments": ("new",)}, {}, False),
        ({}, {"segments": ("new",)}, True),
        ({"causes": ("service", "price")}, {"causes": ("price",)}, True),
        ({"causes": ("service",)}, {"causes": ("price",)}, False),
    ],
)
def test_a_play_is_hidden_by_one_above_that_takes_all_of_its_customers(above, below, hidden):
    assert unreachable([play("above", **above), play("below", **below)]) == ([(1, 0)] if hidden else [])


def test_a_file_with_all_fields_and_one_with_the_needed_ones():
    full = "name: a-1, tier: high, least_value: 20, segments: [new, loyal], causes: [price], action: call, message: m/1"
    (found,) = load_playbook(one(full + ", every_days: 3")).plays
    assert found == Play(
        name="a-1", tier="high", least_value=20, segments=("new", "loyal"), causes=("price",), action="call", message="m/1",
        every_days=3,
    )  # fmt: skip
    (found,) = load_playbook(one(GOOD)).plays
    assert found == Play(name="a", tier="watch", action="call", message="m", every_days=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "book.yaml, line 1: is not valid YAML"),
        ("", "book.yaml: should be a mapping"),
        ("- a", "book.yaml: should be a mapping"),
        ("plays: 3", "plays (book.yaml) = 3: should be a list of plays"),
        ("plays: []", "plays (book.yaml) = a list: should be a list of plays, at least one"),
        ("plays:\n", "plays (book.yaml): should be a list of plays"),
        (f"play: 1\nplays:\n  - {{{GOOD}}}", "play (book.yaml): is nothing that a playbook has; did you mean plays?"),
        (one(GOOD + ", name: b"), "book.yaml, line 2: is not valid YAML: key 'name' is there twice"),
        ("plays:\n  - call", "play 1 (book.yaml) = 'call': should be a mapping with name"),
        (one(GOOD + ", colour: hunter2"), "play 1 a, colour (book.yaml): is nothing that a play has; remove it"),
        (one(GOOD + ", segment: [new]"), "play 1 a, segment (book.yaml): is nothing that a play has; did you mean segments?"),
        (one(GOOD.replace("watch", "hgh")), "play 1 a, tier (book.yaml) = 'hgh': should be 'watch', 'high' or 'critical'"),
        (one(GOOD.replace("watch", "none")), "play 1 a, tier (book.yaml) = 'none': should be"),
        (one(GOOD.replace("3", "0")), "play 1 a, every_days (book.yaml) = 0: should be greater than or equal to 1"),
        (one(GOOD.replace("3", "true")), "play 1 a, every_days (book.yaml) = True: should be a valid integer"),
        (one(GOOD.replace("3", "'3'")), "play 1 a, every_days (book.yaml) = '3': should be a valid integer"),
        (one(GOOD.replace("3", "1.5")), "play 1 a, every_days (book.yaml) = 1.5: should be a valid integer"),
        (one(GOOD + ", least_value: -1"), "play 1 a, least_value (book.yaml) = -1: should be greater than or equal to 0"),
        (one(GOOD + ", least_value: .nan"), "play 1 a, least_value (book.yaml) = nan: should be a"),
        (one(GOOD + ", segments: []"), "play 1 a, segments (book.yaml): is empty, so the play would match nobody"),
        (one(GOOD + ", segments: [new, nwe]"), "play 1 a, segments (book.yaml) = 'nwe': entry 2 should be one of no-purchase"),
        (one(GOOD + ", causes: [srvice]"), "play 1 a, causes (book.yaml) = 'srvice': entry 1 should be 'product'"),
        (one(GOOD + ", causes: service"), "play 1 a, causes (book.yaml) = 'service': should be a valid list"),
        (one(GOOD.replace("message: m", "message: ' '")), "play 1 a, message (book.yaml) = ' ': should match pattern"),
        (one(GOOD.replace("name: a", "name: Call me")), "play 1 Call me, name (book.yaml) = 'Call me': should match pattern"),
        (one(GOOD.replace("name: a", r'name: "a\0b"')), "play 1, name (book.yaml) = 'a\\x00b': should match pattern"),
        (one(GOOD.replace("name: a, ", "")), "play 1, name (book.yaml): is missing"),
        (one(GOOD + ", 7: x"), "play 1 a, 7 (book.yaml) = 7: Keys should be strings"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_place_value_and_remedy(text, expected):
    (only,) = problems(text)
    assert only.startswith(expected)
    assert "hunter2" not in only


def test_a_name_given_twice_and_a_play_never_reached_are_told():
    text = f"plays:\n  - {{{GOOD}}}\n  - {{{GOOD.replace('watch', 'high')}}}\n"
    assert problems(text) == [
        "play 2, name (book.yaml) = 'a': play 1 has it already: give another",
        "play 2 a (book.yaml): would never be reached: play 1 above matches all that it matches; put the stricter one first",
    ]


def test_all_problems_are_told_at_once():
    text = "frob: 1\nplays:\n  - {name: a, tier: x, every_days: 0}\n  - 7\n  - {name: a, tier: high, action: 3, message: m}\n"
    places = [line.split(" (")[0] for line in problems(text)]
    assert places == [
        "frob", "play 1 a, tier", "play 1 a, action", "play 1 a, message", "play 1 a, every_days", "play 2", "play 3 a, action",
        "play 3 a, every_days", "play 3, name",
    ]  # fmt: skip


def test_the_hash_changes_with_what_it_says_and_not_with_its_layout():
    book = load_playbook(one(GOOD))
    assert len(book.hash) == 12
    assert (
        load_playbook("# mine\nplays:\n- every_days: 3\n  name: a\n  tier: watch\n  action: call\n  message: m\n").hash
        == book.hash
    )
    others = [load_playbook(one(GOOD.replace(*pair))).hash for pair in (("3", "4"), ("call", "mail"), ("watch", "high"))]
    assert len({book.hash, *others}) == 4


def test_the_shipped_example_is_a_playbook():
    book = read_playbook(str(REPO / "deploy" / "playbook.example.yaml"))
    assert [found.name for found in book.plays] == ["settle-complaint", "call-key-account", "personal-offer", "reminder"]
    assert book.longest_days == 180


def test_the_settings_name_the_file(tmp_path):
    path = tmp_path / "book.yaml"
    settings = load_settings(f"triggers: {{playbook_file: '{path}'}}", {})
    with pytest.raises(SettingsError, match=r"playbook = .*book\.yaml: No such file or directory; give the path"):
        playbook_of(settings)
    path.write_text(one(GOOD))
    book = playbook_of(settings)
    assert book is not None
    assert book.plays[0].name == "a"
    assert playbook_of(load_settings(None, {})) is None
