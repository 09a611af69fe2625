"""`churnwatch doctor`: look at everything a system needs and say what to do."""

from __future__ import annotations

import typer

from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_findings
from streams.runtime.diagnosis import diagnose
from streams.runtime.findings import has_error


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check packages, broker, topics, clocks, Redis, the learner and parameters. Exit code 1 if anything is wrong."""
    with one_line_errors():
        findings = diagnose(settings_from(config))
    show_findings(findings, as_json=as_json)
    raise typer.Exit(int(has_error(findings)))
