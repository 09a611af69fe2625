"""The section `channels`: where alerts go beyond Kafka. Addresses carry tokens, so each is a secret; names are not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from streams.runtime.settings_base import Positive, Rules, Section

ALERTMANAGER = "alertmanager"
SHORTEST_TOKEN = 8

ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


def _addresses(value: Any) -> Any:
    """A list in the file is one text, as in the environment."""
    return ",".join(value) if isinstance(value, list) and all(isinstance(url, str) for url in value) else value


def _web_addresses(value: SecretStr | None) -> SecretStr | None:
    for url in [] if value is None else split_addresses(value):
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:  # what urlsplit says quotes the address
            raise ValueError("is not a valid address") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("should be http://HOST:PORT or https://…, several separated by commas")
    return value


def split_addresses(value: SecretStr) -> list[str]:
    """Of the members of one Alertmanager cluster.

    >>> split_addresses(SecretStr("http://a:9093, http://b:9093"))
    ['http://a:9093', 'http://b:9093']
    """
    return [url.strip() for url in value.get_secret_value().split(",")]


def _table(value: Any) -> Any:
    """Environment variables carry text: accept {"sales": "slack://…"} as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('should be JSON such as {"sales": "slack://…", "mail": "mailto://…"}') from None


class ChannelSettings(Section):
    alertmanager: Annotated[SecretStr | None, BeforeValidator(_addresses), AfterValidator(_web_addresses)] = Field(
        None,
        description="Alertmanager, `http://HOST:PORT`, with user and password if any; members of one cluster separated by commas",
    )
    apprise: Annotated[dict[ChannelName, SecretStr], BeforeValidator(_table)] = Field(
        {}, description="Name of the channel → any [Apprise](https://appriseit.com/services/) address"
    )
    least_tier: Literal["watch", "high", "critical"] = Field("watch", description="Least tier that is told")
    per_minute: int = Field(60, ge=1, le=10_000, description="Most alerts a channel and minute; the rest becomes one digest")
    timeout_s: Positive = Field(10.0, le=120, description="Longest wait for a receiver, seconds")
    attempts: int = Field(
        5, ge=1, le=100, description="Failures in a row after which a message that others overtake goes into the digest"
    )

    def rules(self) -> Rules:
        if ALERTMANAGER in self.apprise:
            yield "apprise", f"should not use the name {ALERTMANAGER}: it is that of channels.alertmanager"
        if self.apprise:
            from alerts.channels.apprise import is_known  # it takes a while to import, and most commands need none of it

            for name, url in self.apprise.items():
                if not is_known(url.get_secret_value()):
                    yield "apprise", f"{name}: is not an address that Apprise knows; `apprise -b test ADDRESS` says more"

    def names(self) -> tuple[str, ...]:
        """Of all channels, in a fixed order."""
        return (*([] if self.alertmanager is None else [ALERTMANAGER]), *sorted(self.apprise))

    def secret_values(self) -> Iterator[str]:
        """Addresses that carry something, and what they carry, as far as it can be told from the rest."""
        for url in [] if self.alertmanager is None else split_addresses(self.alertmanager):
            yield from _login(urlsplit(url))
        for secret in self.apprise.values():
            yield secret.get_secret_value()
            yield from _carried(secret.get_secret_value())


def _login(parts: SplitResult) -> list[str]:
    return [value for one in (parts.password,) if one for value in {one, unquote(one)}]


def _carried(url: str) -> Iterator[str]:
    """Password and query of an address, and each piece of it that looks like a token: long, with a digit."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield from _login(parts)
    yield from (value for name, value in parse_qsl(parts.query) if re.search("token|secret|key|pass", name, re.IGNORECASE))
    for piece in (*re.split(r"[/@:]", parts.netloc), *parts.path.split("/")):
        if len(piece) >= SHORTEST_TOKEN and re.search(r"\d", piece) and "." not in piece:
            yield piece
            yield unquote(piece)
