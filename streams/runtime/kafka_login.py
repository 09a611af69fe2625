"""How clients of Kafka prove who they are, and make sure whom they talk to: the same for all of them."""

from __future__ import annotations

from typing import Any

from streams.runtime.settings import KafkaSettings
from streams.runtime.tls import client_context


def aiokafka_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client. Holds the password: hand it on, do not print it."""
    return {"bootstrap_servers": kafka.bootstrap.split(","), **login_options(kafka)}


def login_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Protocol, TLS and login, as aiokafka and kafka-python both name them. Holds the password, as above."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = client_context(kafka.tls_files())
    if kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = None if kafka.password is None else kafka.password.get_secret_value()
    return options
