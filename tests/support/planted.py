"""Secrets that are planted in every setting that holds one, and the search for them in what was written."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

from streams.runtime.settings import secret_fields


class Planted:
    """`values`: where a secret stands → the secret. Every secret setting that is not among `given` gets one of its own.

    given   environment variables of secret settings, whose secrets `known` names
    known   name → secret, for addresses: what in them is one
    """

    def __init__(self, given: Mapping[str, str], known: Mapping[str, str]) -> None:
        self.environment = dict(given)
        self.values = dict(known)
        for section, field in sorted(secret_fields()):
            variable = f"CHURNWATCH_{section}__{field}".upper()
            if variable not in given:
                self.environment[variable] = self.values[variable] = f"Pl4nted-{section}-{field}/+"

    def found_in(self, text: str | bytes) -> list[str]:
        """Names of the secrets that stand in it, in any form."""
        written = text.decode(errors="replace") if isinstance(text, bytes) else text
        return sorted(name for name, secret in self.values.items() if any(form in written for form in _forms(secret)))


def _forms(secret: str) -> Iterable[str]:
    """As it is, quoted, with its quotes taken away, as JSON, in base64 alone and behind user names of any length."""
    for text in {secret, unquote(secret)}:
        yield from (text, quote(text), quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1])
        for before in ("", "a", "ab", "abc"):
            encoded = base64.b64encode(f"{before}:{text}".encode()).decode()
            # what stands there whatever is before and after, since both may share their last six bits with it
            core = encoded[len(base64.b64encode(f"{before}:".encode()).decode().rstrip("=")) : -4]
            yield from (core, core.translate(str.maketrans("+/", "-_")))
        yield base64.b64encode(text.encode()).decode().rstrip("=")
