"""Fixtures for every test. Each family lives beside the servers that it starts."""

from importlib.util import find_spec

import pytest

# before anything imports them, so that what they assert is shown with its values
pytest.register_assert_rewrite("tests.support.replays", "tests.support.workers")

pytest_plugins = ["tests.support.broker_fixtures", "tests.support.channel_fixtures"]

if find_spec("tests.support.redis_fixtures") is not None:
    pytest_plugins.append("tests.support.redis_fixtures")
