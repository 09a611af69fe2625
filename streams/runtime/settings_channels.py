"""The section `channels`: where alerts go beyond Kafka. Addresses carry tokens, so each is a secret; names are not."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from streams.runtime.settings_base import Positive, Rules, Section

ALERTMANAGER = "alertmanager"

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
