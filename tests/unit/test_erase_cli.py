"""`churnwatch erase` before it asks anything of anybody: who is named, that there is a key, that it is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.cli import erase as module
from streams.cli.main import main
from streams.commands import EraseCommand
from streams.erasure import ErasureNotice, Removed, what_remains
from streams.runtime.kafka_client import AdminError

KEY = "CHURNWATCH_ERASURE__KEY"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[EraseCommand]:
    """What would have been written; each is carried out at once."""
    written: list[EraseCommand] = []

    def erase_all(_settings: Any, commands: list[EraseCommand], on_progress: Any) -> list[ErasureNotice]:
        written.extend(commands)
        on_progress(len(commands))
        return [carried_out(command) for command in commands]

    monkeypatch.setenv(KEY, "a secret of the tests")
    monkeypatch.setattr(module, "erase_all", erase_all)
    return written


def carried_out(command: EraseCommand) -> ErasureNotice:
    return ErasureNotice(
        command_id=command.command_id, customer_id=command.customer_id, asked_at="2026-01-31T12:00:00.000Z",
        done_at="2026-01-31T12:00:01.000Z", partition=0, removed=Removed(record=True, triggers=2, messages=1),
        remains=what_remains("eu.", ("purchases", "complaints", "logins"), ["sales"]),
    )  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["erase", *args])
    shown = capsys.readouterr()
    return int(left.value.code or 0), shown.out, shown.err


def test_without_a_key_it_refuses_in_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    code, out, err = run(capsys, "anna", "--yes")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "erasure.key is not set; set it to a secret" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--yes",), "nobody is named; give ids, or --file"),
        (("anna",), "this erases customer 'anna', and there is no way back; add --yes"),
        (("anna", "berta"), "this erases 2 customers"),
        (("c" * 129, "--yes"), "id 1 has 129 characters; ids have 1 to 128"),
        (("--file", "/nowhere/ids", "--yes"), "/nowhere/ids: No such file"),
    ],
)
def test_what_cannot_be_done_is_said_and_nobody_is_erased(
    capsys: pytest.CaptureFixture[str], asked: list[EraseCommand], args: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, *args)
    assert (code, out, asked) == (1, "", [])
    assert says in err


def test_everybody_in_the_file_and_on_the_line_is_erased_once(
    capsys: pytest.CaptureFixture[str], asked: list[EraseCommand], tmp_path: Path
) -> None:
    (tmp_path / "ids").write_text("berta\n\nanna\nwith space\r\n客户-7\nberta\n", "utf-8")
    code, out, _ = run(capsys, "anna", "--file", str(tmp_path / "ids"), "--yes")
    assert code == 0
    assert [command.customer_id for command in asked] == ["anna", "berta", "with space", "客户-7"]
    assert len({command.command_id for command in asked}) == 4
    assert "4 erased, 4 of whom something was kept" in out
    assert "eu.purchases" in out
    assert "channel sales" in out


def test_a_broker_that_fails_is_two_lines_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], asked: list[EraseCommand], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise AdminError("topic churn.commands does not exist", "run `churnwatch topics create`")

    monkeypatch.setattr(module, "erase_all", fails)
    code, _, err = run(capsys, "anna", "--yes")
    assert (code, asked) == (1, [])
    assert err == "error: topic churn.commands does not exist\n  fix: run `churnwatch topics create`\n"


def test_who_stops_waiting_is_told_that_it_is_done_all_the_same(
    capsys: pytest.CaptureFixture[str], asked: list[EraseCommand], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "erase_all", stopped)
    code, _, err = run(capsys, "anna", "--yes")
    assert (code, asked) == (130, [])
    assert "carried out all the same" in err
