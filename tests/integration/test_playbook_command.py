"""`churnwatch playbook check`, and a worker that is given a playbook which cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.workers import REPO, run_command

EXAMPLE = str(REPO / "deploy" / "playbook.example.yaml")
WRONG = "plays:\n  - {name: a, tier: hgh, action: call, message: m, every_days: 0}\n  - {name: a, colour: red}\n"


def test_it_says_what_it_understood() -> None:
    done = run_command(["playbook", "check", EXAMPLE], {})
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("settle-complaint", "call-key-account", "1,000 or", "180 days", "the first play that matches"):
        assert words in done.stdout


def test_as_json_it_has_the_hash_that_triggers_carry_and_every_play_in_order() -> None:
    done = run_command(["playbook", "check", "--json", EXAMPLE], {})
    told = json.loads(done.stdout)
    assert len(told["hash"]) == 12
    assert [play["name"] for play in told["plays"]] == ["settle-complaint", "call-key-account", "personal-offer", "reminder"]
    assert told["plays"][1] == {
        "name": "call-key-account", "tier": "critical", "least_value": 1000, "segments": [], "causes": [], "action": "call",
        "message": "key-account-call", "every_days": 90,
    }  # fmt: skip


@pytest.mark.parametrize("command", [["playbook", "check", "book.yaml"], ["worker"]], ids=["playbook check", "worker"])
def test_every_problem_is_a_line_and_there_is_no_traceback(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(WRONG)
    args = [str(path) if arg == path.name else arg for arg in command]
    done = run_command(args, {"CHURNWATCH_TRIGGERS__PLAYBOOK_FILE": str(path), "CHURNWATCH_HTTP__PORT": "0"})
    assert done.returncode == 2
    places = [line.removeprefix("churnwatch: ").split(" (")[0] for line in done.stderr.splitlines()]
    assert places == [
        "play 1 a, tier", "play 1 a, every_days", "play 2 a, tier", "play 2 a, action", "play 2 a, message",
        "play 2 a, every_days", "play 2 a, colour", "play 2, name",
    ]  # fmt: skip


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run_command(["playbook", "check", str(tmp_path / "absent.yaml")], {})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"playbook = {tmp_path}/absent.yaml: No such file or directory; give the path of a readable YAML file"
    ]
