"""Fixtures for every test, each family beside the servers that it starts; and what makes every run alike."""

import signal
from importlib.util import find_spec

from streams.runtime import checksums

pytest_plugins = ["tests.support.broker_fixtures", "tests.support.channel_fixtures"]

if find_spec("tests.support.redis_fixtures") is not None:
    pytest_plugins.append("tests.support.redis_fixtures")


def pytest_configure() -> None:
    """Ctrl-C reaches the processes that tests start, also where the run itself was started in the background, deaf to it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    checksums.give_to_kafka_python()  # tests read whole topics: half a minute of nothing else in some
