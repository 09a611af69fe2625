"""Fixtures for every test. Each family lives beside the servers that it starts."""

from importlib.util import find_spec

pytest_plugins = ["tests.support.broker_fixtures", "tests.support.channel_fixtures", "tests.support.secured_fixtures"]

if find_spec("tests.support.redis_fixtures") is not None:
    pytest_plugins.append("tests.support.redis_fixtures")
