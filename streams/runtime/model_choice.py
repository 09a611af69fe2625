"""Which model scores by what stands on `churn.models`, for whoever has these settings: the same for workers and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.learner_rules import Staying
from detectors.parameters import SHIPPED, BtydParameters, loads
from detectors.served import ServedModel
from streams.serving import CLOSED_FORM_KEY, SERVING_KEY, Serving, decode_serving


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """pinned         parameters of `risk.parameters_file`; None: there is none
    learns         whether what was learnt may score
    horizon_days, staying   of the settings
    """

    pinned: BtydParameters | None
    learns: bool
    horizon_days: int
    staying: Staying

    @property
    def asks(self) -> bool:
        """Whether anything on the topic matters."""
        return self.pinned is None or self.learns

    def alone(self, sent: BtydParameters | None) -> ServedModel:
        """The closed form, where nothing is learnt. sent: the newest parameters of a person; None: there are none."""
        return ServedModel(self.pinned or sent or SHIPPED, float(self.horizon_days))

    def learnt(self, serving: Serving) -> ServedModel:
        """What serves. Raises ValueError where it was learnt by other settings, on another closed form or by another release."""
        model = serving.served_model(self.horizon_days, self.staying)
        if self.pinned is not None and model.closed_form != self.pinned:
            raise ValueError(
                f"closed form {model.closed_form.version}: risk.parameters_file is {self.pinned.version} here; give both one"
            )
        return model

    def choose(self, found: Mapping[bytes, bytes]) -> ServedModel:
        """What scores by the newest values of the topic. Raises ValueError for what would be refused."""
        if self.learns and SERVING_KEY in found:
            return self.learnt(decode_serving(found[SERVING_KEY]))
        sent = found.get(CLOSED_FORM_KEY) if self.pinned is None else None
        return self.alone(None if sent is None else loads(sent))
