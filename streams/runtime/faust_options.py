"""How Faust is told about the broker: patience, batch size, credentials."""

from __future__ import annotations

from typing import Any

import faust

from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.settings import KafkaSettings

MAX_POLL_RECORDS = 10_000
SESSION_S = 10.0
"""A member of the group that is not heard of for so long is none any more."""


def faust_options(kafka: KafkaSettings, scratch: str) -> dict[str, Any]:
    """Keyword arguments of the Faust app. Holds the password: hand it on, do not print it.

    scratch   an empty folder that lasts as long as the app
    """
    options: dict[str, Any] = {
        "broker": ";".join(f"kafka://{server}" for server in kafka.bootstrap.split(",")),
        "datadir": scratch,
        "broker_max_poll_records": MAX_POLL_RECORDS,
        "broker_session_timeout": SESSION_S,
        "broker_heartbeat_interval": 3.0,
        "broker_commit_interval": 1.0,
    }
    ours = aiokafka_options(kafka)
    if kafka.sasl_mechanism is not None:
        options["broker_credentials"] = faust.SASLCredentials(
            username=kafka.username,
            password=ours["sasl_plain_password"],
            mechanism=kafka.sasl_mechanism,
            ssl_context=ours.get("ssl_context"),
        )
    elif "ssl_context" in ours:
        options["broker_credentials"] = faust.SSLCredentials(ours["ssl_context"])
    return options
