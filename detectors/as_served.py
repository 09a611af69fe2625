"""What each model said of a customer when the snapshot was taken: what the label is to judge.

A label is known a horizon after its snapshot, and the champion has learnt much in between, even labels whose outcomes lie in
the same weeks. Asked now, it would be judged on what it could not know then. So what was offered at each tick is kept, as
numbers, until no label can come from its time, and a label is judged by the last tick before its snapshot, with shift and
parameters of then. The champion is asked whether or not it served; `served` is what did.

    champion      the linear model                closed_form   MBG/NBD
    idle          idle time alone                 served        what scored customers: one of the others, or a pinned model

Source: Grzenda, Gomes & Bifet 2020 (evaluation with delayed labels).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.idle_time import idle_p, idle_z
from detectors.labels import DAY_MS, Labels
from detectors.linear_model import LinearModel
from detectors.parameters import BtydParameters
from detectors.served import ServedModel

NAMES: Final = ("champion", "closed_form", "idle", "served")


class LinearState(msgspec.Struct, frozen=True):
    """A linear model, exactly."""

    weights: bytes
    version: str
    labels: int
    first_at_ms: int
    last_at_ms: int
    shift: float


class ServedState(msgspec.Struct, frozen=True):
    """A served model, exactly."""

    closed_form: BtydParameters
    horizon_days: float
    linear: LinearState | None
    serves: bool


class OfferState(msgspec.Struct, frozen=True):
    """An offer, exactly."""

    tick_ms: int
    model: ServedState
    level: float
    slope: float
    pinned: ServedState | None
    on_record: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What there was to score with from a tick on.

    tick_ms        the tick, ms since 1970 UTC; snapshots taken after it are scored so
    model          closed form and champion, and whether the champion serves
    level, slope   of idle time
    pinned         what scores by a person's word, whatever `model` says; None: `model` does
    on_record      whether the champion had served before: what it says now is held against it
    """

    tick_ms: int
    model: ServedModel
    level: float
    slope: float
    pinned: ServedModel | None = None
    on_record: bool = False

    def said(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities by `NAMES`, one row a customer. There must be a champion."""
        champion = replace(self.model, serves=True).risk(inputs)
        closed_form = replace(self.model, linear=None).risk(inputs)
        idle = idle_p(self.level, self.slope, idle_z(inputs))
        served = closed_form if self.model.serving is None else champion
        if self.pinned is not None:
            served = self.pinned.risk(inputs)
        return np.stack([champion, closed_form, idle, served], axis=1)


class Said(NamedTuple):
    """Of n labels: p (n, models); whether there was a champion to judge, else the row is 0; whether it is on the record."""

    p: NDArray[np.float64]
    judged: NDArray[np.bool_]
    on_record: NDArray[np.bool_]


class AsServed:
    """The offers of the last `kept_days` days, oldest first."""

    def __init__(self, kept_days: int) -> None:
        self.kept_days = kept_days
        self._offers: list[Offer] = []

    @property
    def latest(self) -> Offer:
        """The offer in force; there must have been one."""
        return self._offers[-1]

    def offer(self, offer: Offer) -> None:
        """What there is from its tick on; takes the place of an offer at the same tick."""
        offers = self._offers
        while offers and offers[-1].tick_ms >= offer.tick_ms:
            offers.pop()
        if not offers or replace(offers[-1], tick_ms=offer.tick_ms) != offer:
            offers.append(offer)
        oldest_ms = offer.tick_ms - self.kept_days * DAY_MS
        while len(offers) > 1 and offers[1].tick_ms < oldest_ms:
            offers.pop(0)

    def pinned(self, since_ms: int = 0) -> list[ServedModel]:
        """What scored by a person's word at some time after `since_ms`, oldest first, as far as is kept."""
        ends_ms = [*(offer.tick_ms for offer in self._offers[1:]), math.inf]
        found = zip(self._offers, ends_ms, strict=False)
        return [offer.pinned for offer, end_ms in found if offer.pinned is not None and end_ms > since_ms]

    def said(self, labels: Labels) -> Said:
        """What each model said of each label's snapshot."""
        p, judged, on_record = (
            np.zeros((len(labels), len(NAMES))),
            np.zeros(len(labels), np.bool_),
            np.zeros(len(labels), np.bool_),
        )
        ticks = [offer.tick_ms for offer in self._offers]
        times, where = np.unique(labels.at_ms, return_inverse=True)
        before = np.array([bisect_left(ticks, at_ms) - 1 for at_ms in times.tolist()], np.int64)[where]
        for place in np.unique(before).tolist():
            if place >= 0 and self._offers[place].model.linear is not None:
                rows = before == place
                p[rows] = self._offers[place].said(np.ascontiguousarray(labels.inputs[rows]))
                judged |= rows
                on_record[rows] = self._offers[place].on_record
        return Said(p, judged, on_record)

    def state(self) -> list[OfferState]:
        """All that a continuation needs."""
        return [_offer_state(offer) for offer in self._offers]

    @staticmethod
    def from_state(kept_days: int, state: list[OfferState]) -> AsServed:
        """Inverse of `state`."""
        found = AsServed(kept_days)
        found._offers = [_offer_of(offer) for offer in state]
        return found


def served_state(model: ServedModel) -> ServedState:
    """As it is stored."""
    linear = None if model.linear is None else _linear_state(model.linear)
    return ServedState(model.closed_form, model.horizon_days, linear, model.serves)


def served_of(state: ServedState) -> ServedModel:
    """Inverse of `served_state`."""
    linear = None if state.linear is None else _linear_of(state.linear)
    return ServedModel(state.closed_form, state.horizon_days, linear, state.serves)


def _offer_state(offer: Offer) -> OfferState:
    pinned = None if offer.pinned is None else served_state(offer.pinned)
    return OfferState(offer.tick_ms, served_state(offer.model), offer.level, offer.slope, pinned, offer.on_record)


def _offer_of(state: OfferState) -> Offer:
    pinned = None if state.pinned is None else served_of(state.pinned)
    return Offer(state.tick_ms, served_of(state.model), state.level, state.slope, pinned, state.on_record)


def _linear_state(linear: LinearModel) -> LinearState:
    weights = linear.weights.astype("<f8").tobytes()
    return LinearState(weights, linear.version, linear.labels, linear.first_at_ms, linear.last_at_ms, linear.shift)


def _linear_of(state: LinearState) -> LinearModel:
    weights = np.frombuffer(state.weights, "<f8").astype(np.float64)
    return LinearModel(weights, state.version, state.labels, state.first_at_ms, state.last_at_ms, state.shift)
