"""The house is in order: every package has its index, files and functions stay readable."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from streams.cli.main import COMMANDS
from tests.architecture.tree import PACKAGES, REPO, package_files, tracked

FILE_LINES = 300  # the aim is 250
FUNCTION_LINES = 60  # the aim is 40


@pytest.mark.parametrize("folder", sorted({path.parent for path in package_files(".py")}), ids=str)
def test_every_package_has_an_index_that_says_what_is_in_it(folder: Path) -> None:
    index = REPO / folder / "__init__.py"
    assert index.is_file(), "a package needs its __init__.py"
    text = ast.get_docstring(ast.parse(index.read_text("utf-8")))
    assert text
    modules = {path.stem for path in package_files(".py") if path.parent == folder} - {"__init__"}
    if folder == Path("streams/cli"):  # its index says that a command's module is named after it
        modules -= {name.replace("-", "_") for name in COMMANDS}
    assert not {name for name in modules if not re.search(rf"\b{name}\b", text)}, "the index leaves these out"


@pytest.mark.parametrize("path", package_files(".py"), ids=str)
def test_a_module_says_what_it_is_and_stays_readable(path: Path) -> None:
    source = (REPO / path).read_text("utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module begins with what it is for"
    assert len(source.splitlines()) <= FILE_LINES
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}


def test_the_packages_are_the_three() -> None:
    assert {path.parts[0] for path in package_files(".py")} == set(PACKAGES)


def test_every_test_module_is_found_by_pytest() -> None:
    """A file of tests under another name would never run."""
    silent = [
        path
        for path in (REPO / "tests").rglob("*.py")
        if not path.name.startswith("test_") and path.parent.name != "oracle" and "\ndef test_" in path.read_text("utf-8")
    ]
    assert not silent


def test_ci_runs_every_folder_of_tests() -> None:
    """It names them, since they run in different ways; one that it left out would never fail."""
    run = (REPO / ".ci" / "run").read_text("utf-8")
    folders = {path.parts[1] for path in tracked() if path.parts[0] == "tests" and path.name.startswith("test_")}
    assert {folder for folder in folders if not re.search(rf"\btests/{folder}\b", run)} == set()
