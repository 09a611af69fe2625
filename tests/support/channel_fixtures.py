"""Fixtures with receivers outside; tests/conftest.py takes them in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.alertmanager import AlertmanagerMissing, RunningAlertmanager, alertmanager
from tests.support.broker_fixtures import missing
from tests.support.receiver import Receiver, receiver


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """An HTTP receiver that this test alone has."""
    with receiver() as made:
        yield made


@pytest.fixture
def own_alertmanager(tmp_path: Path, hook: Receiver) -> Iterator[RunningAlertmanager]:
    """An Alertmanager that this test alone has; it tells `hook`."""
    try:
        with alertmanager(tmp_path / "alertmanager", hook.url("/page")) as server:
            yield server
    except AlertmanagerMissing as why:
        missing("Alertmanager", why)
