"""What scores: parameters that are shipped, from a file or on `churn.models`; and what was learnt, where there is learning."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

import structlog

from detectors.parameters import BtydParameters, loads
from detectors.served import ServedModel
from streams.runtime.backoff import Backoff
from streams.runtime.follower import Follower
from streams.runtime.metrics import Metrics
from streams.runtime.model_choice import ModelChoice
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS
from streams.serving import CLOSED_FORM_KEY, SERVING_KEY, Serving, decode_serving

log = structlog.get_logger()

TICKS_KEPT = 4_000
"""Models of so many ticks of history are kept, some 2 kB each."""


class ModelFeed:
    """The model of each moment.

    A file of parameters in the settings is pinned. Otherwise the newest parameters on the topic score from the next batch on.
    Where there is learning, what serves comes from the learner as soon as it has sent anything; while history is loaded, each
    tick has its own model, also if the tick is passed anew. What cannot be read or does not fit is refused, told and counted, and
    what is in use stays. A broker that is away is waited for.

    current      what scores now, where no history is loaded
    backoff      pauses between attempts; its patience must have no end
    on_failure   told what ended the following, should it ever end unasked
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, backoff: Backoff, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._metrics, self._choice = metrics, choice_of(settings)
        self._learns, self._pinned = self._choice.learns, self._choice.pinned
        self.current = self._before = self._alone = self._choice.alone(None)
        self._ticks: list[int] = []
        self._by_tick: dict[int, ServedModel] = {}
        self._learnt_live = False
        topic = settings.kafka.topic_prefix + MODELS
        self._follower = Follower(settings.kafka, topic, backoff, on_failure, lambda record: self._take(record.key, record.value))
        self._tell(self.current.closed_form.fitted_at_ms)

    async def start(self) -> None:
        """Follow the topic; returns once what is already there has been read, or the following has failed."""
        if self._choice.asks:
            await self._follower.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._follower.stop()

    def model(self, tick_ms: int | None) -> ServedModel:
        """What scores.

        tick_ms   while history is loaded: the last tick that was passed, 0 = none; None: live
        """
        if tick_ms is None or not self._learns:
            return self.current
        place = bisect_right(self._ticks, tick_ms)
        if place:
            return self._by_tick[self._ticks[place - 1]]
        return self._before if tick_ms == 0 else self.current

    def awaits(self, tick_ms: int) -> bool:
        """Whether the learner has not come as far as this tick of history: nothing behind it can be scored yet."""
        return self._learns and not self._learnt_live and tick_ms > (self._ticks[-1] if self._ticks else 0)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            if key == SERVING_KEY and self._learns:
                self._forget()
            return
        try:
            if key == CLOSED_FORM_KEY and self._pinned is None:
                self._fitted(loads(value))
            elif key == SERVING_KEY and self._learns:
                self._learnt(decode_serving(value))
        except ValueError as problem:
            self._metrics.models_refused.inc()
            log.error("model refused, the former one stays", error=str(problem), in_use=self.current.version)

    def _fitted(self, parameters: BtydParameters) -> None:
        """Parameters that a person has sent: the learner takes them up by itself, and tells so."""
        self._alone = self._choice.alone(parameters)
        if not self._ticks and not self._learnt_live:
            self.current = self._before = self._alone
            log.info("parameters in use", version=parameters.version, source=parameters.source)
            self._now_in_use(parameters.fitted_at_ms)

    def _learnt(self, serving: Serving) -> None:
        model = self._choice.learnt(serving)
        if serving.tick_ms is None:
            self._learnt_live = True
        else:
            self._at_tick(serving.tick_ms, model)
        self.current = model
        self._now_in_use(serving.at_ms)

    def _forget(self) -> None:
        """What was learnt is taken away: as before the learner's first message."""
        self._ticks, self._by_tick, self._learnt_live = [], {}, False
        self.current = self._before = self._alone
        self._now_in_use(self._alone.closed_form.fitted_at_ms)

    def _at_tick(self, tick_ms: int, model: ServedModel) -> None:
        if tick_ms not in self._by_tick:
            self._ticks.insert(bisect_right(self._ticks, tick_ms), tick_ms)
        self._by_tick[tick_ms] = model
        if len(self._ticks) > TICKS_KEPT:
            del self._by_tick[self._ticks.pop(0)]

    def _now_in_use(self, made_at_ms: int | None) -> None:
        log.debug("model in use", model=self.current.name, version=self.current.version)
        self._tell(made_at_ms)

    def _tell(self, made_at_ms: int | None) -> None:
        self._metrics.model(self.current.name, self.current.version, None if made_at_ms is None else made_at_ms / 1000)


def choice_of(settings: Settings) -> ModelChoice:
    """By these settings. Raises ValueError where their file of parameters cannot be read."""
    risk = settings.risk
    pinned = None if risk.parameters_file is None else read_parameters(risk.parameters_file)
    return ModelChoice(pinned, settings.learning.serves, risk.horizon_days, risk.staying)


def read_parameters(path: str) -> BtydParameters:
    """The parameters in a file written by `churnwatch fit`. Raises ValueError naming the file and the fix."""
    try:
        return loads(Path(path).read_bytes())
    except OSError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem.strerror}; give a file written by `churnwatch fit`") from None
    except ValueError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem}") from None
