"""The learner at work: messages in, the model that serves out, and all that must be kept of it between two commits.

A message goes through the order of labels; what that releases is learnt at once. A tick of history, in this order (see
detectors/learner.py): refit where it is due, what was scored, what became known. Live, the tick is the midnight at which, or
before which, it became known.

Nothing here waits but for the fit. What leaves (models to keep, alerts) is written down with the commit and sent after it, once
all is read; whoever takes over sends it again, and consumers know it by its key or id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from detectors.champion import Standing
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import Event, LearnerRules, new_events
from detectors.parameters import BtydParameters, dumps
from streams.columns import DAY_MS
from streams.label_order import LabelOrder, Release
from streams.labels import LabelMessage
from streams.model_control import ControlMessage
from streams.refits import refit_due, refit_version
from streams.runtime.learner_papers import Outgoing, Papers, newest, papers_of
from streams.runtime.topics import MODELS
from streams.serving import CHAMPION_PREFIX, FITTED_PREFIX, Serving, decode_serving, encode_serving, serving_of

log = structlog.get_logger()

AT_ONCE = 2_000
"""Labels learnt before anything else gets its turn: about a fifth of a second."""


class NotNow(Exception):
    """Parameters cannot be fitted as at that tick any more; say why."""


class Fitter(Protocol):
    """Where parameters come from."""

    async def fit(self, at_ms: int, *, exact: bool) -> BtydParameters:
        """The closed form's parameters as at a tick, by that tick's name.

        exact   what the store holds now is what it held at the tick
        Raises ValueError where there is too little to fit to, NotNow where it is not exact and they were not published then.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeskRules:
    """partitions    that tell of their labels
    learner       how it is learnt
    refit_days    between two fits of the closed form; None: it is pinned
    keep_models   champions to keep
    """

    partitions: int
    learner: LearnerRules
    refit_days: int | None
    keep_models: int


class LearnerDesk:
    """closed_form   what serves until there is something better
    fields        what the last commit wrote; empty before the first. Raises ValueError for that of another release or system

    next_offset   of churn.labels, from which on messages are to be taken
    """

    def __init__(self, rules: DeskRules, closed_form: BtydParameters, fields: Mapping[str, bytes], fitter: Fitter) -> None:
        self.rules, self._fitter = rules, fitter
        self.learner, self.order = Learner(rules.learner, closed_form), LabelOrder(rules.partitions)
        self.papers = Papers(anew=True)
        self._looked_at_champions = False
        if fields:
            self._read(fields)
        self.next_offset = self.order.next_offset
        self.labels = 0  # learnt since this desk was taken

    def _read(self, fields: Mapping[str, bytes]) -> None:
        try:
            self.learner = Learner.from_bytes(fields["learner"], self.rules.learner)
            self.order = LabelOrder.from_bytes(fields["order"], self.rules.partitions)
            self.papers = msgspec.msgpack.decode(fields["desk"], type=Papers)
        except (KeyError, msgspec.DecodeError) as problem:
            raise ValueError(f"learner state: {problem}; learn again from the labels") from None

    # -- in ---------------------------------------------------------------------------------------------------------

    async def take(self, offset: int, message: LabelMessage | None) -> bool:
        """The message at this offset of churn.labels; None for one that is not ours. Returns whether it let anything be learnt.

        Raises NotPushed for one that cannot be; then nothing of it was taken. Anything else that is raised is no matter of this
        message alone, since a tick releases what all partitions told: the desk is not to be written then.
        """
        released = self.order.push(offset, message)
        self.next_offset = offset + 1
        for release in released:
            before = self.learner.events
            if release.tick_ms is None:
                await self._live(release)
            else:
                await self._tick(release, release.tick_ms)
            self._tell_of(new_events(before, self.learner.events), live=release.tick_ms is None)
        return bool(released)

    def instead_of(self, fields: Mapping[str, bytes]) -> None:
        """This desk is new, since what a commit wrote is of other settings or another release; people know what it told."""
        former = papers_of(fields)
        self.papers.former_ms = (former.former_ms or former.demoted_ms) if former is not None else 0

    def read_from(self, offset: int) -> None:
        """Messages come from this offset on, since those at `next_offset` are not to be had."""
        self.order.read_from(offset)
        self.next_offset = offset

    async def refit_live(self, watermark_ms: int) -> bool:
        """Fit to what is known now, where that is due; returns whether there are new parameters."""
        at_ms = watermark_ms // DAY_MS * DAY_MS
        if self.order.loading or at_ms <= self.papers.refit_ms or not await self._refit(at_ms, exact=True):
            return False
        self._close()
        return True

    def obey(self, offset: int, command: ControlMessage, champions: Mapping[str, Serving]) -> None:
        """What a person asks, at this offset of churn.models. champions: by version."""
        self.papers.models_offset = offset + 1
        at_ms, said = self.learner.tick_ms, {"action": command.action, "version": command.version, "by": command.by}
        if command.action == "freeze":
            self.learner.freeze(at_ms)
        elif command.action == "thaw":
            self.learner.release(at_ms)
        elif (chosen := champions.get(command.version)) is None:
            log.error("there is no such model to go back to", **said)
            return
        else:
            try:
                rules = self.rules.learner
                model = msgspec.structs.replace(chosen, serves=True).served_model(rules.horizon_days, rules.staying)
            except ValueError as problem:
                log.error("that model cannot serve here", **said, why=str(problem))
                return
            self.learner.roll_back(model, at_ms)
        log.warning("obeyed", **said)

    def fitted(self, offset: int, parameters: BtydParameters) -> None:
        """A person's parameters of the closed form, at this offset of churn.models."""
        self.papers.models_offset = offset + 1
        if self.rules.refit_days is not None:
            log.info("parameters of a person taken up", version=parameters.version)
            self.learner.refit(parameters)
            self._close()

    def told(self, before: Sequence[Event]) -> list[Event]:
        """What the learner did about itself since its events were these."""
        return new_events(before, self.learner.events)

    # -- out --------------------------------------------------------------------------------------------------------

    def write(self, now_ms: int) -> dict[str, bytes]:
        """What a commit writes; makes what serves. now_ms: wall clock, ms since 1970, of no meaning while history is loaded."""
        self._serve(now_ms)
        self.papers.outgoing = newest(self.papers.outgoing, alerts=self.papers.anew)
        return {
            "next_offset": str(self.order.next_offset).encode(),
            "order": self.order.to_bytes(),
            "learner": self.learner.to_bytes(),
            "desk": msgspec.msgpack.encode(self.papers),
        }

    def arrived(self, told: bytes, champions: Mapping[str, Serving]) -> bool:
        """All of churn.labels is learnt: drop what need not leave. Returns whether that is to be written.

        told        what serves by churn.models; empty: nothing
        champions   that stand there, by version
        """
        changed = False
        if self.papers.champions and not self._looked_at_champions:
            self._looked_at_champions = True
            changed = self.papers.know(champions, self.rules.keep_models)
        ends = self.papers.anew and bool(self.papers.first_ms)
        if ends:
            learner, live = self.learner, not self.order.loading
            self.papers.caught_up(told_demoted=_demoted(told), model=learner.served().version, at_ms=learner.tick_ms, live=live)
        return changed or ends

    @property
    def leaving(self) -> list[Outgoing]:
        """What may leave by the last commit, once all is read."""
        return [] if self.papers.anew else self.papers.outgoing

    def sent(self) -> None:
        """What was to leave has left."""
        self.papers.outgoing = []

    @property
    def serving(self) -> Serving | None:
        """What serves by the last commit; None before the first tick or label."""
        return decode_serving(self.papers.serving) if self.papers.serving else None

    # -- within -----------------------------------------------------------------------------------------------------

    async def _tick(self, release: Release, tick_ms: int) -> None:
        """A tick of history is complete."""
        at_ms = max(tick_ms, self.learner.tick_ms)
        self.papers.first_ms = self.papers.first_ms or at_ms
        await self._refit(at_ms, exact=self.order.stand_at(tick_ms))
        await self._learn(release, at_ms)

    async def _live(self, release: Release) -> None:
        known_ms = [int(release.labels.known_ms.max(initial=0)), *(at_ms for at_ms, _ in release.scored)]
        at_ms = max(-(-max(known_ms) // DAY_MS) * DAY_MS, self.learner.tick_ms)
        if not self.papers.first_ms:
            self.papers.first_ms = self.papers.refit_ms = at_ms
        await self._learn(release, at_ms)

    async def _learn(self, release: Release, at_ms: int) -> None:
        self.learner.scored([scored for _, scored in release.scored], at_ms)
        for start in range(0, max(len(release.labels), 1), AT_ONCE):
            self.learner.learn(release.labels.take(slice(start, start + AT_ONCE)), at_ms)
            await asyncio.sleep(0)
        self.labels += len(release.labels)

    def _close(self) -> None:
        """Close the tick anew, with new parameters."""
        self.learner.learn(Labels.none(), self.learner.tick_ms)

    async def _refit(self, at_ms: int, *, exact: bool) -> bool:
        papers, days = self.papers, self.rules.refit_days
        done_ms = papers.refit_ms or papers.first_ms - DAY_MS
        if days is None or not papers.first_ms or not refit_due(papers.first_ms, done_ms, at_ms, days):
            papers.refit_ms = max(papers.refit_ms, at_ms) if papers.first_ms else 0
            return False
        try:
            parameters = await self._fitter.fit(at_ms, exact=exact)
        except NotNow as why:
            log.warning("closed form not fitted; at the next tick", tick_ms=at_ms, why=str(why))
            return False
        except ValueError as problem:
            log.warning("closed form not fitted, the former stays", tick_ms=at_ms, why=str(problem))
            papers.refit_ms = at_ms
            return False
        log.info("closed form fitted", version=parameters.version, customers=parameters.customers)
        papers.refit_ms = at_ms
        papers.outgoing.append(Outgoing(MODELS, FITTED_PREFIX + refit_version(at_ms).encode(), dumps(parameters)))
        self.learner.refit(parameters)
        return True

    def _serve(self, now_ms: int) -> None:
        if not self.papers.first_ms:
            return
        tick_ms = self.order.complete_ms if self.order.loading else None
        serving = serving_of(self.learner, tick_ms, now_ms if tick_ms is None else tick_ms)
        former = self.serving
        if former is None or msgspec.structs.replace(serving, at_ms=former.at_ms) != former:
            self.papers.serving = encode_serving(serving)
            self._keep(serving)

    def _keep(self, serving: Serving) -> None:
        """A champion of each day, to go back to; the oldest go."""
        champions, day = self.papers.champions, self.learner.tick_ms // DAY_MS
        model = self.learner.past.latest.model
        if model.linear is None or (champions and champions[-1][1] >= day):
            return
        kept = serving_of(self.learner, serving.tick_ms, serving.at_ms, model)
        self.papers.outgoing.append(Outgoing(MODELS, CHAMPION_PREFIX + model.linear.version.encode(), encode_serving(kept)))
        champions = [*(one for one in champions if one[0] != model.linear.version), (model.linear.version, day)]
        for version, _ in champions[: -self.rules.keep_models]:
            self.papers.outgoing.append(Outgoing(MODELS, CHAMPION_PREFIX + version.encode(), None))
        self.papers.champions = champions[-self.rules.keep_models :]

    def _tell_of(self, events: Sequence[Event], *, live: bool) -> None:
        for event in events:
            log.info("learner", what=event.what, why=event.why, at_ms=event.at_ms)
            self.papers.tell(event, self.learner.served().version, live=live)


def _demoted(told: bytes) -> bool:
    """Whether a serving message says that the champion is demoted. One that cannot be read says nothing, and is written over."""
    try:
        return bool(told) and decode_serving(told).standing == Standing.DEMOTED
    except ValueError as problem:
        log.warning("what serves by churn.models cannot be read", why=str(problem))
        return False
