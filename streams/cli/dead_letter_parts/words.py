"""What a record holds, made fit for a terminal: it must not be able to steer the terminal of who reads it."""

from __future__ import annotations


def printable(text: str, kept: str = "\n\t") -> str:
    """Control and format characters made visible, save those that are kept.

    >>> printable("a\\x1b[31m b\\u202e")
    'a\\\\x1b[31m b\\\\u202e'
    """
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)


def printable_bytes(data: bytes, kept: str = "\n\t") -> str:
    """The same of bytes that should be UTF-8.

    >>> printable_bytes(b"caf\\xc3\\xa9 \\xff")
    'café \\\\xff'
    """
    return printable(data.decode("utf-8", errors="backslashreplace"), kept)


def one_line(data: bytes | None) -> str:
    """A key or a header's value: nothing in it may look like a line of ours.

    >>> one_line(b"a\\nid  b"), one_line(None)
    ('a\\\\nid  b', 'none')
    """
    return "none" if data is None else printable_bytes(data, kept="")
