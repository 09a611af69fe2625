"""docs/settings.md, made from the settings' own declarations so that it cannot lag behind them.

Run as a module it prints the page: `python -m streams.runtime.settings_docs > docs/settings.md` (`make docs`).
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.runtime.settings import Settings, section_types, variable_names

HEAD = """# Settings

Made by `make docs` from `streams/runtime/settings_*.py`; edit there.

Settings come from a YAML file (`--config FILE` or `CHURNWATCH_CONFIG`) and from the environment, which wins. A key
`policy.watch` is `watch:` below `policy:` in the file and `CHURNWATCH_POLICY__WATCH` in the environment; a table is JSON
there. An empty variable counts as absent. Unknown keys and unknown `CHURNWATCH_` variables are errors, and all errors
are told at once. `churnwatch settings` prints what is in force, secrets masked.

"""

RANGES = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))


def settings_markdown() -> str:
    """The whole page."""
    return HEAD + "\n".join(_section(name) for name in section_types())


def _section(name: str) -> str:
    variables = {path: variable for variable, path in variable_names().items()}
    lines = [f"## {name}", "", f"{Settings.model_fields[name].description}.", ""]
    lines += ["| setting | variable | default | values | meaning |", "|---|---|---|---|---|"]
    for field_name, field in section_types()[name].model_fields.items():
        cells = (
            f"`{name}.{field_name}`",
            f"`{variables[name, field_name]}`",
            _default(field),
            _values(field),
            field.description or "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):  # a default is no secret: it is in the source
        value = value.get_secret_value()
    if value is None or value == "":
        return "none" if value is None else "empty"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _values(field: FieldInfo) -> str:
    parts = [_type(field.annotation)]
    parts += [form.format(getattr(item, name)) for item in _constraints(field) for name, form in RANGES if hasattr(item, name)]
    return ", ".join(parts)


def _constraints(field: FieldInfo) -> list[Any]:
    """A field's own, and those inside an optional type."""
    inner = [item for part in get_args(field.annotation) for item in getattr(part, "__metadata__", ())]
    return [*field.metadata, *(piece for item in inner for piece in getattr(item, "metadata", [item]))]


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is dict:
        return "table of name to secret" if SecretStr in get_args(annotation) else "table of currency to number"
    options = [part for part in get_args(annotation) if part is not type(None)]
    if options:
        return _type(options[0])
    return {int: "whole number", float: "number", bool: "`true` or `false`", SecretStr: "secret"}.get(annotation, "text")


if __name__ == "__main__":
    sys.stdout.write(settings_markdown())
