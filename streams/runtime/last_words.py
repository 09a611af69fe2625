"""What a process says beside its log, without secrets: tracebacks of faults, and warnings of libraries that nobody asked for."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType

from streams.runtime.logs import hidden_texts, redact


def hide_secrets(secrets: Iterable[str]) -> None:
    """From now on mask these in every traceback that ends a thread or the process, and in what is logged without a handler."""
    hidden = hidden_texts(secrets)

    def told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        lines = traceback.format_exception(kind, error, trace)
        sys.stderr.write(str(redact("".join(lines), hidden)))

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        told(found.exc_type, found.exc_value, found.exc_traceback)

    def in_thread(found: threading.ExceptHookArgs) -> None:
        told(found.exc_type, found.exc_value, found.exc_traceback)

    sys.excepthook, sys.unraisablehook, threading.excepthook = told, unraisable, in_thread
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Masking(hidden))


class _Masking(logging.Formatter):
    def __init__(self, hidden: tuple[str, ...]) -> None:
        super().__init__()
        self._hidden = hidden

    def format(self, record: logging.LogRecord) -> str:
        return str(redact(super().format(record), self._hidden))
