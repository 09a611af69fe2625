"""`churnwatch causes`: what a complaint speaks of, and learning that from complaints whose cause people have named."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.cause_fit import fit, measure_causes
from detectors.cause_learner import CauseLearner
from detectors.cause_model import CauseModel, Found
from detectors.cause_snapshot import CauseMeasured, CauseSnapshot, dumps
from detectors.causes import CAUSE_CLASSES, Example, controllable
from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.runtime.cause_files import CauseFileError, read_examples, snapshot_in_use

causes_app = typer.Typer(no_args_is_help=True, help="What complaints speak of: try it, or teach it.")


@causes_app.command()
def explain(
    text: Annotated[str, typer.Argument(help="A complaint's words, in any language.")],
    category: Annotated[str, typer.Option(help="Its category, as the events give it.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The cause of one complaint, how sure that is, and the words and characters that decided."""
    with one_line_errors():
        snapshot = snapshot_in_use(settings_from(config))
    found = CauseModel(snapshot).explain(text, category)
    if as_json:
        told = found._asdict() | {"controllable": controllable(found.cause), "model": snapshot.version}
        show_json(told | {"said": [one._asdict() for one in found.said]})
    else:
        Console().print(_told(found, snapshot))


@causes_app.command()
def train(
    file: Annotated[Path, typer.Argument(help="Labelled complaints: CSV or .tsv with cause, and text, category or both.")],
    out: Annotated[Path, typer.Option(help="Write the model to this file (risk.cause_model_file).")],
    fresh: Annotated[bool, typer.Option("--fresh", help="From these complaints alone, and calibrate anew.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn on from labelled complaints, each asked about before it is learnt; the model in use is the start."""
    with one_line_errors():
        settings = settings_from(config)
        start = None if fresh else snapshot_in_use(settings)
    try:
        examples = read_examples(file)
        trained = _fresh(examples, file.name) if start is None else _learnt(start, examples, file.name)
    except (CauseFileError, ValueError) as problem:
        raise CommandError(str(problem), "docs/causes.md says what the file must hold") from None
    try:
        out.write_bytes(dumps(trained.snapshot) + b"\n")
    except OSError as problem:
        raise CommandError(f"--out: {out}: {problem.strerror}", "give a path that can be written") from None
    if as_json:
        show_json(trained.as_dict())
    else:
        typer.echo(trained.sentence())


@dataclass(frozen=True, slots=True)
class Trained:
    """measured   on complaints that the model had not learnt from when it was asked"""

    snapshot: CauseSnapshot
    measured: CauseMeasured

    def as_dict(self) -> dict[str, object]:
        measured = {name: getattr(self.measured, name) for name in CauseMeasured.__struct_fields__}
        return {"model": self.snapshot.version, "examples": self.snapshot.examples, "unseen": measured}

    def sentence(self) -> str:
        unseen = self.measured
        return (
            f"{self.snapshot.version}: {sum(self.snapshot.examples.values())} examples. Of {unseen.complaints} complaints not "
            f"yet learnt, {unseen.named:.0%} were given a cause and {unseen.right:.0%} of these the right one."
        )


def _fresh(examples: Sequence[Example], source: str) -> Trained:
    snapshot = fit(examples, source)
    return Trained(snapshot, snapshot.calibration.measured)


def _learnt(start: CauseSnapshot, examples: Sequence[Example], source: str) -> Trained:
    """Asked, then learnt, in the order of the file (prequential, as everywhere here)."""
    learner = CauseLearner(start)
    answers = []
    for example in examples:
        complaint: dict[Hashable, str] = {"text": example.text, "category": example.category}
        answers.append(list(learner.predict_proba_one(complaint).values()))
        learner.learn_one(complaint, example.cause)
    truth = np.array([CAUSE_CLASSES.index(example.cause) for example in examples], np.intp)
    if not len(truth):
        raise CauseFileError(f"{source} holds no complaint")
    measured = measure_causes(np.array(answers), truth, start.calibration.threshold)
    return Trained(learner.snapshot(f"{start.source}, then {source}"), measured)


def _told(found: Found, snapshot: CauseSnapshot) -> Table:
    control = {True: "controllable", False: "not controllable", None: f"closest: {found.closest}"}[controllable(found.cause)]
    title = f"{found.cause}  {found.confidence:.0%} sure  {control}"
    table = Table("what said so", "weight", title=title, caption=snapshot.version)
    table.columns[1].justify = "right"
    for one in found.said:
        table.add_row(Text(one.feature), f"{one.weight:+.2f}")
    return table
