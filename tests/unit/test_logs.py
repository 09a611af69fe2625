"""Logs: one chain for our lines and the libraries', and no secret in any of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from streams.runtime.logs import configure_logs, redact
from streams.runtime.settings import load_settings

SECRET = "hunter2!"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_the_libraries_have_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    structlog.get_logger("ours").info("partition taken", partition=3)
    logging.getLogger("faust.app").warning("assigned %d", 4)
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["partition"], ours["level"], ours["logger"]) == ("partition taken", 3, "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("assigned 4", "warning", "faust.app")
    assert ours["timestamp"].endswith("Z")
    assert theirs["timestamp"].endswith("Z")


def test_libraries_are_a_step_quieter_and_the_rebalance_noise_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("aiokafka.consumer.fetcher").info("chatter")
    heartbeat = "Heartbeat failed for group %s because it is rebalancing"
    logging.getLogger("aiokafka.consumer.group_coordinator").warning(heartbeat, "g")
    structlog.get_logger().debug("detail")
    assert lines(capsys) == []
    configure_logs("debug", "json")
    logging.getLogger("faust").info("shown now")
    assert [line["event"] for line in lines(capsys)] == ["shown now"]


def test_an_exception_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    try:
        raise RuntimeError(f"cannot reach redis://me:{SECRET}@cache/0")
    except RuntimeError:
        structlog.get_logger().exception("failed")
        logging.getLogger("faust").exception("failed too")
    for line in lines(capsys):
        assert "RuntimeError" in line["exception"]
        assert SECRET not in json.dumps(line)
        assert "redis://***@cache/0" in line["exception"]


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_known_secret_appears_in_no_line_wherever_it_stands(capsys: pytest.CaptureFixture[str], format: str) -> None:
    settings = load_settings(None, {"CHURNWATCH_REDIS__URL": "redis://:hunter2%21@h:1/0"})
    configure_logs("info", format, secrets=settings.secret_values())
    log = structlog.get_logger()
    log.info(f"trying {SECRET}", deep={"a": [{"b": SECRET}]}, other=ValueError(SECRET))
    logging.getLogger("x").warning("raw %s hunter2%%21", SECRET)
    shown = capsys.readouterr().err
    assert shown.count("***") >= 4
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"sasl_plain_password": "x", "API_KEY": "y", "n": 1}, {"sasl_plain_password": "***", "API_KEY": "***", "n": 1}),
        ("rediss://u:p@ss@h:1/0?password=q&db=1", "rediss://***@h:1/0?password=***&db=1"),
        ("connect(user='a', password='b c', port=1)", "connect(user='a', password='***', port=1)"),
        ([1, None, True, 2.5, "plain"], [1, None, True, 2.5, "plain"]),
        ("mail me at a@b.c about http://h/x", "mail me at a@b.c about http://h/x"),
    ],
)
def test_secrets_are_masked_by_where_they_stand(value: Any, expected: Any) -> None:
    assert redact(value) == expected
