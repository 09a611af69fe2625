"""What lies on the learner's desk beside its state, and what of it people are still to be told when all is deleted."""

from __future__ import annotations

from alerts.alert import ModelAlert, decode_any
from streams.runtime.learner_papers import ALERT_KEY, FORGOTTEN, Outgoing, Papers
from streams.runtime.topics import ALERTS

DEMOTED_MS = 1_700_000_000_000


def test_an_alert_of_another_release_keeps_nobody_from_telling_that_the_demotion_is_over() -> None:
    newer = Outgoing(ALERTS, ALERT_KEY, b'{"schema": "churnwatch.model-alert/99"}')
    (end,) = Papers(outgoing=[newer], demoted_ms=DEMOTED_MS).ends("mbg_nbd", FORGOTTEN)
    told = decode_any(end.value or b"")
    assert isinstance(told, ModelAlert)
    assert told.status == "resolved"
