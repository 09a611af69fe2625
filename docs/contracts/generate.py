"""Writes the JSON Schema files of what churnwatch emits, from the types that it emits them with.

    python docs/contracts/generate.py

A test compares the files with these types, so a changed contract cannot leave without its schema.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run from a checkout, installed or not

from alerts.alert import Alert, IngestionAlert  # noqa: E402 - needs the path above

MESSAGES = {"alert.schema.json": Alert, "ingestion-alert.schema.json": IngestionAlert}


def documents() -> dict[str, str]:
    """File name -> content, for every contract."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        name: json.dumps(dialect | msgspec.json.schema(message), indent=2, ensure_ascii=False) + "\n"
        for name, message in MESSAGES.items()
    }


if __name__ == "__main__":
    for name, content in documents().items():
        (HERE / name).write_text(content, encoding="utf-8")
