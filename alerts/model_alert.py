"""The message that what was learnt was demoted, or serves again. An episode runs from the one to the other.

>>> fallen = build_model_alert("mbg-1", "why", resolved=False, since_ms=0, as_of_ms=0, live=True)
>>> back = build_model_alert("logit-9", "why", resolved=True, since_ms=0, as_of_ms=86_400_000, live=True)
>>> fallen.alert_id == back.alert_id, fallen.transition, back.transition, back.as_of
(True, 1, 2, '1970-01-02T00:00:00.000Z')
"""

from __future__ import annotations

from alerts.alert import ModelAlert
from alerts.ids import alert_id, rfc3339


def build_model_alert(model: str, text: str, *, resolved: bool, since_ms: int, as_of_ms: int, live: bool) -> ModelAlert:
    """One of the two messages of an episode.

    model      version of what scores from now on
    text       why, in words
    since_ms   event time of the demotion, ms; as_of_ms   event time of this message, ms
    live       False: about the past, while history was loaded
    """
    episode = alert_id("model", "model", since_ms // 1000)
    transition = 2 if resolved else 1
    return ModelAlert(
        alert_id=episode,
        message_id=f"{episode}-{transition}",
        transition=transition,
        status="resolved" if resolved else "firing",
        rule="model",
        model=model,
        live=live,
        since=rfc3339(since_ms),
        as_of=rfc3339(as_of_ms),
        text=text,
    )
