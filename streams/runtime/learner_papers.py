"""What lies on the learner's desk beside what it learnt: what is to leave, and what of that matters where much has waited."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import msgspec

from alerts.alert import ModelAlert, decode_any, encode
from alerts.model_alert import build_model_alert
from detectors.learner_rules import Event
from streams.runtime.topics import ALERTS, MODELS
from streams.serving import CHAMPION_PREFIX, Serving, decode_serving

ALERT_KEY = b"model"
FORGOTTEN = "what was learnt is deleted, and learnt anew"
OTHERS = "what was learnt is of other settings or another release, and learnt anew"


class Outgoing(msgspec.Struct, array_like=True, frozen=True):
    """A message that leaves after the commit. topic without prefix; no value: what stands under the key is taken away."""

    topic: str
    key: bytes
    value: bytes | None


def newest(outgoing: Sequence[Outgoing], *, alerts: bool) -> list[Outgoing]:
    """Without what a later one replaces under its key on `churn.models`; alerts: and on `churn.alerts`.

    >>> one, two = Outgoing("churn.models", b"k", b"1"), Outgoing("churn.models", b"k", None)
    >>> newest([one, two], alerts=False) == [two]
    True
    """
    last = {(one.topic, one.key): place for place, one in enumerate(outgoing)}
    replaced = {MODELS, ALERTS} if alerts else {MODELS}
    return [one for place, one in enumerate(outgoing) if one.topic not in replaced or last[one.topic, one.key] == place]


class Papers(msgspec.Struct, array_like=True):
    """What lies on the desk, beside learner and order.

    first_ms        the first tick that was learnt, ms since 1970; 0 = none yet
    refit_ms        the last tick at which it was asked whether a fit is due
    models_offset   of churn.models, from which on commands and a person's parameters are not obeyed yet
    serving         the newest message of what serves; empty before the first
    champions       versions kept, and their days since 1970, oldest first
    outgoing        what leaves once this commit is written and all of the topic is read
    demoted_ms      when the champion was demoted, if it is; 0 = it is not
    anew            whether the past is read from its beginning: what people were told of it is not told again
    former_ms       when the champion was demoted by the state that was given up, if it was; 0 = it was not, or its end is told
    """

    first_ms: int = 0
    refit_ms: int = 0
    models_offset: int = 0
    serving: bytes = b""
    champions: list[tuple[str, int]] = []
    outgoing: list[Outgoing] = []
    demoted_ms: int = 0
    anew: bool = False
    former_ms: int = 0

    def tell(self, event: Event, model: str, *, live: bool) -> None:
        """Alerts about what the gate did. model: what scores from now on."""
        if event.what == "demoted":
            self.demoted_ms = event.at_ms
        elif event.what not in ("recovered", "serving") or not self.demoted_ms:
            return
        resolved = event.what != "demoted"
        alert = build_model_alert(model, event.why, resolved=resolved, since_ms=self.demoted_ms, as_of_ms=event.at_ms, live=live)
        if resolved:
            self.demoted_ms = 0
        self.outgoing.append(Outgoing(ALERTS, ALERT_KEY, encode(alert)))

    def ends(self, model: str, why: str) -> list[Outgoing]:
        """The end of every demotion that people may know of, for when all of this is deleted. model: what scores then."""
        at_ms, live = 0, True
        if self.serving:
            with contextlib.suppress(ValueError):  # of another release
                serving = decode_serving(self.serving)
                at_ms, live = serving.at_ms, serving.tick_ms is None
        waiting = [one for one in self.outgoing if one.topic == ALERTS and _resolved(one)]
        known = [since_ms for since_ms in dict.fromkeys((self.former_ms, self.demoted_ms)) if since_ms]
        return waiting + [end_of(since_ms, model, why, as_of_ms=max(since_ms, at_ms), live=live) for since_ms in known]

    def know(self, found: Mapping[str, Serving], most: int) -> bool:
        """What there is to go back to: of what stands on the topic unknown, the newest fill up the number; the rest goes.

        Returns whether there was any.
        """
        unknown = sorted(found.keys() - {version for version, _ in self.champions}, key=lambda one: (found[one].at_ms, one))
        room, day = max(0, most - len(self.champions)), self.champions[0][1] if self.champions else 0
        gone = unknown[: max(0, len(unknown) - room)]
        self.outgoing += [Outgoing(MODELS, CHAMPION_PREFIX + version.encode(), None) for version in gone]
        self.champions = [*((version, day) for version in unknown[len(gone) :]), *self.champions]
        return bool(unknown)

    def caught_up(self, *, told_demoted: bool, model: str, at_ms: int, live: bool) -> None:
        """The past is learnt: people are told how it stands now, where that is not what they know.

        told_demoted   what they know
        model          what scores now; at_ms   event time, ms; live   whether the system is
        """
        self.anew = False
        self.outgoing = newest(self.outgoing, alerts=True)
        another = self.former_ms not in (0, self.demoted_ms)
        if (told_demoted and not another) == bool(self.demoted_ms):
            self.outgoing = [one for one in self.outgoing if one.topic != ALERTS]
        if another:
            self.outgoing.insert(0, end_of(self.former_ms, model, OTHERS, as_of_ms=max(self.former_ms, at_ms), live=live))
        self.former_ms = 0


def end_of(since_ms: int, model: str, why: str, *, as_of_ms: int, live: bool) -> Outgoing:
    """The alert that a demotion is over, though the champion has not recovered."""
    alert = build_model_alert(model, why, resolved=True, since_ms=since_ms, as_of_ms=as_of_ms, live=live)
    return Outgoing(ALERTS, ALERT_KEY, encode(alert))


def papers_of(fields: Mapping[str, bytes]) -> Papers | None:
    """What lies on the desk by a commit; None where there was none, or it is of a release that wrote it otherwise."""
    try:
        return msgspec.msgpack.decode(fields.get("desk", b""), type=Papers)
    except msgspec.DecodeError:
        return None


def _resolved(one: Outgoing) -> bool:
    try:
        alert = decode_any(one.value or b"")
    except msgspec.DecodeError:  # of another release
        return False
    return isinstance(alert, ModelAlert) and alert.status == "resolved"
