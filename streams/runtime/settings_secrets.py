"""The secrets among the settings, found by their type, and every form in which one might be written down."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic import BaseModel, SecretStr

SHOWN_IN_PART = frozenset({("redis", "url"), ("channels", "alertmanager")})
"""Addresses that are shown without their logins: of these, host and path are no secret."""
SHORTEST_TOKEN = 8
SHORTEST_SECRET = 4
"""Shorter ones are masked by their place only: replacing "a" everywhere would leave no log."""


def secret_values(settings: BaseModel) -> Iterator[str]:
    """Every secret, and what those that are addresses carry, as far as it can be told from the rest."""
    for section in type(settings).model_fields:
        group = getattr(settings, section)
        for field in type(group).model_fields:
            for text in _texts(getattr(group, field)):
                if (section, field) in SHOWN_IN_PART:
                    for url in text.split(","):
                        yield from _shown_but(url.strip())
                else:
                    yield text
                    yield from _carried(text) if "://" in text else ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from _texts(dict(value))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(item)


def _shown_but(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield from _login(parts)
    for value in (value for key, value in parse_qsl(parts.query) if key.endswith("password")):
        yield from {value, unquote(value)}


def _login(parts: SplitResult) -> list[str]:
    return [value for one in (parts.password,) if one for value in {one, unquote(one)}]


def _carried(url: str) -> Iterator[str]:
    """Password and query of an address, and each piece of it that looks like a token: long, with a digit."""
    try:
        parts = urlsplit(url)
        yield from _login(parts)
    except ValueError:
        return
    yield from (value for name, value in parse_qsl(parts.query) if re.search("token|secret|key|pass", name, re.IGNORECASE))
    for piece in (*re.split(r"[/@:]", parts.netloc), *parts.path.split("/")):
        if len(piece) >= SHORTEST_TOKEN and re.search(r"\d", piece) and "." not in piece:
            yield piece
            yield unquote(piece)


def forms_of(secret: str) -> set[str]:
    r"""How this secret may be written: as it is, quoted for an address, for JSON or Python, inside base64 at any place.

    >>> sorted(forms_of("p@ss"))
    ['BAc3', 'cEBzc', 'p%40ss', 'p@ss', 'wQHNz']
    """
    texts = {secret, unquote(secret)}
    texts |= {form for text in tuple(texts) for form in (quote(text, safe=""), quote(text), quote_plus(text))}
    texts |= {form for text in tuple(texts) for form in (json.dumps(text)[1:-1], repr(text)[1:-1])}
    texts |= {form for text in (secret, unquote(secret)) for form in _inside_base64(text.encode())}
    return {text for text in texts if len(text) >= SHORTEST_SECRET}


def _inside_base64(secret: bytes) -> Iterator[str]:
    """The characters that stand there whatever comes before and after, for each of the three ways to be aligned."""
    for shift, first in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * shift + secret).decode()[first : (shift + len(secret)) * 8 // 6]
        yield text
        yield text.replace("+", "-").replace("/", "_")
