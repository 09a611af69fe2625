"""What lies on the learner's desk beside what it learnt: what is to leave, and what of that matters where much has waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from streams.runtime.topics import ALERTS, MODELS
from streams.serving import CHAMPION_PREFIX, Serving

ALERT_KEY = b"model"


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
    """

    first_ms: int = 0
    refit_ms: int = 0
    models_offset: int = 0
    serving: bytes = b""
    champions: list[tuple[str, int]] = []
    outgoing: list[Outgoing] = []
    demoted_ms: int = 0
    anew: bool = False

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

    def caught_up(self, *, told_demoted: bool) -> None:
        """The past is learnt: people are told how it stands now, where that is not what they know."""
        self.anew = False
        self.outgoing = newest(self.outgoing, alerts=True)
        if told_demoted == bool(self.demoted_ms):
            self.outgoing = [one for one in self.outgoing if one.topic != ALERTS]
