"""What a command says when it cannot do its work."""

from __future__ import annotations


class CommandError(Exception):
    """One line for the person at the terminal: what went wrong, with the field and value, and what to do. No secrets.

    >>> print(CommandError("customer 'x' is unknown", "look it up in Kafka, or wait until it has bought"))
    customer 'x' is unknown; look it up in Kafka, or wait until it has bought
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix
