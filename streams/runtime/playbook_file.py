"""The playbook's file: strict, checked whole, every problem told at once as those of the settings are.

plays:
  - name: call-key-account     # letters, digits, hyphens
    tier: critical             # the least tier: watch, high or critical
    least_value: 500           # least value at stake, whole units of money.base_currency; 0 by default
    segments: [champions]      # RFM segments; any by default
    causes: [service]          # probable causes; any by default
    action: call
    message: key-account-call  # what the retention tool knows the message by
    every_days: 90             # at most once per customer in so many days
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from alerts.playbook import Play, Playbook, unreachable
from detectors.causes import CauseClass
from streams.runtime.settings import Settings
from streams.runtime.settings_problems import Problem, SettingsError, meant, remedy, shown
from streams.runtime.strict_yaml import BadYaml, Unreadable, read_text, read_yaml
from streams.segments import SEGMENTS

LISTED = "docs/operating.md, Triggers, lists all"
VALUE_MAX = 10**12


def _segment(name: str) -> str:
    if name not in SEGMENTS:
        raise ValueError(f"should be one of {', '.join(SEGMENTS)}")
    return name


Text = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=128)]


class PlayInFile(BaseModel):
    """A play as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    tier: Literal["watch", "high", "critical"]
    least_value: Annotated[int, Field(ge=0, le=VALUE_MAX)] = 0
    segments: Annotated[list[Annotated[str, AfterValidator(_segment)]], Field(min_length=1)] | None = None
    causes: Annotated[list[CauseClass], Field(min_length=1)] | None = None
    action: Text
    message: Text
    every_days: Annotated[int, Field(ge=1, le=3650)]

    def play(self) -> Play:
        """The play that it describes."""
        values = self.model_dump() | {"segments": tuple(self.segments or ()), "causes": tuple(self.causes or ())}
        return Play(**values)


def load_playbook(text: str, name: str = "playbook") -> Playbook:
    """The playbook in YAML `text`; `name` is what messages call it. Raises SettingsError with every problem found.

    >>> load_playbook("plays: [{name: call, tier: high, action: call, message: m1, every_days: 30}]").plays[0].tier
    'high'
    """
    try:
        values = read_yaml(text)
    except BadYaml as error:
        raise SettingsError([Problem(error.place(name), None, str(error))]) from None
    if not isinstance(values, dict):
        raise SettingsError([Problem(name, None, "should be a mapping: `plays:` with a list of plays below it")])
    problems = [
        Problem(f"{key} ({name})", None, "is nothing that a playbook has" + meant(str(key), ["plays"], listed=LISTED))
        for key in values
        if key != "plays"
    ]
    written = values.get("plays")
    if not isinstance(written, list) or not written:
        fix = "should be a list of plays, at least one; for none at all remove triggers.playbook_file"
        raise SettingsError([*problems, Problem(f"plays ({name})", None if written is None else shown(written), fix)])
    plays: dict[int, Play] = {}
    for k, one in enumerate(written):
        play, wrong = _checked(one, _where(k, one), name)
        problems += wrong
        if play is not None:
            plays[k] = play
    problems += [*_repeated(written, name), *_hidden(plays, written, name)]
    if problems:
        raise SettingsError(problems)
    return Playbook(tuple(plays.values()))


def read_playbook(path: str) -> Playbook:
    """The playbook in a file. Raises SettingsError, also when the file cannot be read."""
    try:
        return load_playbook(read_text(path), path)
    except Unreadable as error:
        fix = f"{error}; give the path of a readable YAML file"
        raise SettingsError([Problem("playbook", path, fix)]) from None


def playbook_of(settings: Settings) -> Playbook | None:
    """The playbook that the settings name, None where they name none. Raises SettingsError."""
    path = settings.triggers.playbook_file
    return None if path is None else read_playbook(path)


def _checked(one: Any, where: str, name: str) -> tuple[Play | None, list[Problem]]:
    if not isinstance(one, dict):
        return None, [
            Problem(f"{where} ({name})", shown(one), "should be a mapping with name, tier, action, message, every_days")
        ]
    try:
        return PlayInFile.model_validate(one).play(), []
    except ValidationError as error:
        return None, [_problem(item, where, name) for item in error.errors(include_url=False)]


def _problem(item: Mapping[str, Any], where: str, name: str) -> Problem:
    field, *inner = item["loc"]
    place = f"{where}, {field} ({name})"
    if item["type"] == "extra_forbidden":
        return Problem(place, None, "is nothing that a play has" + meant(str(field), PlayInFile.model_fields, listed=LISTED))
    if item["type"] == "too_short":
        return Problem(place, None, "is empty, so the play would match nobody: name some, or leave it out for any")
    if item["type"] == "missing":
        return Problem(place, None, "is missing: every play needs it")
    return Problem(
        place, shown(item["input"]), remedy(item["msg"], tuple(f"entry {at + 1}" for at in inner if isinstance(at, int)))
    )


def _repeated(written: list[Any], name: str) -> list[Problem]:
    names = [one.get("name") if isinstance(one, dict) else None for one in written]
    return [
        Problem(f"play {k + 1}, name ({name})", shown(called), f"play {names.index(called) + 1} has it already: give another")
        for k, called in enumerate(names)
        if isinstance(called, str) and called in names[:k]
    ]


def _hidden(plays: dict[int, Play], written: list[Any], name: str) -> list[Problem]:
    places = list(plays)
    return [
        Problem(
            f"{_where(places[k], written[places[k]])} ({name})",
            None,
            f"would never be reached: play {places[j] + 1} above matches all that it matches; put the stricter one first",
        )
        for k, j in unreachable(list(plays.values()))
    ]


def _where(k: int, one: Any) -> str:
    called = one.get("name") if isinstance(one, dict) else None
    return f"play {k + 1} {called}" if isinstance(called, str) and len(called) <= 64 and called.isprintable() else f"play {k + 1}"
