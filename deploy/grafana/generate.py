"""Writes the board of docker-compose.yml's Grafana.

    python deploy/grafana/generate.py > deploy/grafana/dashboards/churnwatch.json

A test compares the file with this. Customers stand first, then events, then what leaves, then the machine. `$job` is the
system, `$worker` one or all of its workers; customers and partitions are summed over workers, since each shows its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # run as a file, from anywhere

from board_challengers import CHALLENGERS
from board_customers import CUSTOMERS, GLANCE
from board_events import EVENTS
from board_learning import LEARNING
from board_machine import DELIVERY, MACHINE
from panels import DATASOURCE, placed


def variable(name: str, label: str, sees: str, values: str, **more: Any) -> dict[str, Any]:
    """A choice above the board: `values` is Grafana's own label_values(…)."""
    query = {"qryType": 1, "query": values, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    kind = {"type": "query", "name": name, "label": label, "description": sees, "datasource": DATASOURCE}
    return kind | {"definition": values, "query": query, "refresh": 2, "sort": 1} | more


def board() -> dict[str, Any]:
    """The whole board."""
    job = variable("job", "System", "Prometheus' job of these workers", "label_values(churnwatch_build_info, job)")
    worker = variable(
        "worker",
        "Worker",
        "Narrows the row about the machine",
        'label_values(churnwatch_build_info{job="$job"}, instance)',
        multi=True,
        includeAll=True,
        current={"text": ["All"], "value": ["$__all"]},
    )
    alarms = {
        "name": "Alarms about churnwatch",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Churnwatch.+", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }
    return {
        "uid": "churnwatch",
        "title": "churnwatch",
        "description": "Customers at risk, the events behind it, and how the workers are. Made by deploy/grafana/generate.py.",
        "tags": ["churnwatch"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # one crosshair over all panels
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [job, worker]},
        "annotations": {"list": [alarms]},
        "links": [],
        "panels": placed([GLANCE, CUSTOMERS, EVENTS, LEARNING, CHALLENGERS, DELIVERY, MACHINE]),
    }


def text() -> str:
    """The file's content."""
    return json.dumps(board(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
