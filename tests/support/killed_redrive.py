"""A redrive that ends by SIGKILL: `python -m tests.support.killed_redrive STEP NUMBER`, settings in the environment.

STEP    sent, marked or committed, as `letter_transactions` tells them
NUMBER  of the transaction in which it happens, 1 for the first
"""

from __future__ import annotations

import os
import signal
import sys

from streams.runtime.dead_letter_reader import EVERY_LETTER
from streams.runtime.letter_plan import plan
from streams.runtime.redriving import RedriveOptions, redrive
from streams.runtime.settings import load_settings_file


def main(step: str, number: int) -> None:
    """Redrive every open letter until then."""
    settings = load_settings_file(None)
    met = 0

    def told(this: str) -> None:
        nonlocal met
        met += this == step
        if met == number:
            os.kill(os.getpid(), signal.SIGKILL)

    redrive(settings, plan(settings, EVERY_LETTER), RedriveOptions("the killed"), told=told)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
