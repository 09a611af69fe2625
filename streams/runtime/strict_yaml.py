"""YAML as an operator's file must be: readable, and no key twice in one mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class BadYaml(Exception):
    """The text is no YAML, or has a key twice. `line` counts from 1, None where unknown; the text says what is wrong."""

    def __init__(self, line: int | None, what: str) -> None:
        super().__init__(what)
        self.line = line

    def place(self, name: str) -> str:
        """Where it is, in a file of this name."""
        return name if self.line is None else f"{name}, line {self.line}"


class Unreadable(Exception):
    """A file that cannot be read as text; says why."""


def read_yaml(text: str) -> Any:
    """The values in a YAML text; None for an empty one. Raises BadYaml."""
    try:
        return yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"is not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}"
        raise BadYaml(mark.line + 1 if mark else None, what) from None
    except RecursionError:
        raise BadYaml(None, "is nested too deeply, or refers to itself") from None
    except (ValueError, TypeError, AttributeError, OverflowError) as error:  # PyYAML's own, of values that only look like some
        raise BadYaml(None, f"has a date, number or tag that is none: {str(error)[:100]}") from None


def read_text(path: str | Path) -> str:
    """The text of a file. Raises Unreadable."""
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win in silence. Here it is an error."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is there twice", node.value[position][0].start_mark)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
