"""What Kafka refuses for good: a login, a certificate, a right that is missing. Told in one line with the remedy, never retried.

A broker that is away is none of it: that is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from aiokafka import errors as theirs  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.conn import create_conn  # type: ignore[import-untyped] # as above

from streams.runtime.kafka_login import login_options
from streams.runtime.settings import KafkaSettings
from streams.runtime.tls import Refused, handshake_refusal

ASK_S = 5.0
_LOGIN = "check kafka.username, kafka.password and kafka.sasl_mechanism"
_RIGHTS = "grant it on the broker (docs/security.md lists what each role needs)"
_MECHANISM = "set kafka.sasl_mechanism to one that it has, and kafka.security_protocol to that of the port"


class KafkaRefused(Exception):
    """Waiting will not help. One line: what was refused, and what to do. Never carries a password."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"kafka: {what}; {fix}")
        self.what = what
        self.fix = fix


def refused_for_good(problem: BaseException) -> Refused | None:
    """What this error of aiokafka's or kafka-python's means, where waiting will not mend it; None for all others."""
    if isinstance(problem, KafkaRefused):
        return Refused(problem.what, problem.fix)
    names = {kind.__name__ for kind in type(problem).__mro__}
    if denied := names & _DENIED.keys():
        return Refused(f"not allowed to {_DENIED[min(denied)]}{_named(problem)}", _RIGHTS)
    if names & _BAD_LOGIN:
        return Refused("the broker refused the login", _LOGIN)
    if names & _BAD_MECHANISM:
        return Refused("the broker does not know this way to log in", _MECHANISM)
    return handshake_refusal(problem, "kafka")


_DENIED = {
    "TopicAuthorizationFailedError": "use a topic",
    "GroupAuthorizationFailedError": "use a consumer group",
    "ClusterAuthorizationFailedError": "do this on the cluster",
    "TransactionalIdAuthorizationFailed": "use transactions",
    "TransactionalIdAuthorizationFailedError": "use transactions",
}
_BAD_LOGIN = {"SaslAuthenticationFailed", "SaslAuthenticationFailedError", "AuthenticationFailedError"}
_BAD_MECHANISM = {
    *("UnsupportedSaslMechanismError", "UnsupportedSaslMechanism", "IllegalSaslStateError", "IllegalSaslState"),
    *("AuthenticationMethodNotSupported",),
}


def _named(problem: BaseException) -> str:
    """The topics or groups that the error names."""
    parts = [part for arg in problem.args for part in (arg if isinstance(arg, set | frozenset | list | tuple) else [arg])]
    named = sorted(part for part in parts if isinstance(part, str) and " " not in part)
    return f" ({', '.join(named)})" if named else ""


def in_words(problem: BaseException, kafka: KafkaSettings) -> BaseException:
    """KafkaRefused for what waiting will not mend, else the problem itself."""
    found = refused_for_good(problem)
    if found is None or isinstance(problem, KafkaRefused):
        return problem
    who = "" if kafka.username is None else f" as {kafka.username!r}"
    return KafkaRefused(f"{found.what} at {kafka.bootstrap}{who}", found.fix)


@contextmanager
def refusals_in_words(kafka: KafkaSettings) -> Iterator[None]:
    """Raise KafkaRefused for what waiting will not mend; all else goes through as it is."""
    try:
        yield
    except Exception as problem:
        told = in_words(problem, kafka)
        if told is problem:
            raise
        raise told from None


async def why_refused(kafka: KafkaSettings) -> KafkaRefused | None:
    """Connect to each broker in turn, as clients do that do not say why they could not. None: one took us, or none was there."""
    if kafka.security_protocol == "PLAINTEXT":
        return None  # there is nothing to refuse us for
    found: KafkaRefused | None = None
    options = login_options(kafka)
    for host, port in _servers(kafka):
        try:
            connection = await create_conn(host, port, request_timeout_ms=round(ASK_S * 1000), **options)
        except (OSError, theirs.KafkaError, TimeoutError) as problem:
            told = in_words(problem, kafka)
            found = found or (told if isinstance(told, KafkaRefused) else None)
        else:
            connection.close()
            return None
    return found


def _servers(kafka: KafkaSettings) -> Iterator[tuple[str, int]]:
    for server in kafka.bootstrap.split(","):
        host, _, port = server.rpartition(":")
        yield host.strip("[]"), int(port)


def why_refused_now(kafka: KafkaSettings) -> KafkaRefused | None:
    """`why_refused` where nothing can be awaited, and perhaps a loop is running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(why_refused(kafka))).result()
