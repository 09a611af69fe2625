"""Tracebacks of faults and stray warnings of libraries leave the process without secrets."""

from __future__ import annotations

import subprocess
import sys

SECRET = "hunter2/+x"
PROGRAM = f"""
import base64, logging, threading, urllib.parse
from streams.runtime.last_words import hide_secrets

SECRET = {SECRET!r}
QUOTED = urllib.parse.quote(SECRET, safe="")
hide_secrets([SECRET])

class Finalised:
    def __del__(self):
        raise LookupError(QUOTED)

logging.getLogger("library").warning("refused %s", base64.b64encode(("me:" + SECRET).encode()).decode())
thread = threading.Thread(target=lambda: int(SECRET))
thread.start()
thread.join()
Finalised()
raise RuntimeError(SECRET) from KeyError(QUOTED)
"""


def test_last_words_hold_no_secret_in_any_form() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False).stderr
    assert [kind for kind in ("refused", "ValueError", "LookupError", "KeyError", "RuntimeError") if kind not in said] == []
    assert said.count("***") == 5
    assert "hunter2" not in said
    assert "odW50ZXIy" not in said, "in base64, behind three characters"
