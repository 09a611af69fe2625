"""Packages point one way, and what is pure reads no clock, draws no chance, touches no file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, REPO, pure_files

ALLOWED = {
    *("__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "numbers", "operator", "re", "string", "struct"),
    *("hmac", "textwrap", "types", "typing", "unicodedata", "zlib", "zoneinfo"),
    *("msgspec", "numpy", "river", "scipy", "xxhash"),
    *PACKAGES,
}
"""Imports that give the same answer on every machine at every time; of River what draws no chance, or draws it from a seed."""

WORLD_CALLS = {"open", "print", "input", "eval", "exec", "breakpoint", "__import__"}
WORLD_ATTRIBUTES = {"now", "utcnow", "today", "getenv", "environ", "urandom", "default_rng", "random"}
"""Such as datetime.now, date.today, np.random: worldly parts of modules that are allowed."""

WORLD_OF_NUMPY = {"load", "save", "savez", "loadtxt", "savetxt", "fromfile", "tofile", "memmap", "genfromtxt"}


def broken(source: str, name: str) -> Iterator[str]:
    """Each thing in a pure module's source that touches the world."""
    for node in ast.walk(ast.parse(source)):
        for module in _imported(node):
            if module.split(".")[0] not in ALLOWED:
                yield f"{name}:{node.lineno} imports {module}"  # type: ignore[attr-defined]  # an import has a line
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLD_CALLS:
            yield f"{name}:{node.lineno} calls {node.func.id}()"
        if isinstance(node, ast.Attribute) and node.attr in WORLD_ATTRIBUTES | WORLD_OF_NUMPY:
            yield f"{name}:{node.lineno} uses .{node.attr}"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if node.level == 0 else ["a relative name"]
    return []


@pytest.mark.parametrize("path", pure_files(), ids=str)
def test_a_pure_module_does_not_touch_the_world(path: Path) -> None:
    assert not list(broken((REPO / path).read_text("utf-8"), str(path)))


def test_the_pure_modules_were_found() -> None:
    found = {path.as_posix() for path in pure_files()}
    assert {"streams/engine.py", "streams/columns.py", "alerts/policy.py", "detectors/btyd.py"} <= found


@pytest.mark.parametrize(
    "source",
    [
        *(
            "import time",
            "from os import path",
            "import asyncio",
            "from random import random",
            "import numpy.random as r; r.random()",
        ),
        *(
            "x = open('f')",
            "print(1)",
            "from datetime import datetime\nd = datetime.now()",
            "from datetime import date; date.today()",
        ),
        *("import numpy as np\nnp.random.default_rng(1)", "import numpy as np\nnp.load('f')", "from . import columns"),
        *("def f():\n    import redis", "import logging"),
    ],
)
def test_the_check_sees_what_it_is_there_for(source: str) -> None:
    assert list(broken(source, "x"))


def test_the_contracts_of_import_linter_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
