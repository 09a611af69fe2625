"""Models of River as they come, measured beside what is learnt: would they do better?"""

from __future__ import annotations

from panels import ORANGE, lines, query, row


def _measure(title: str, sees: str, *names: str) -> dict[str, object]:
    """By the labels of watched customers, on which champion and closed form stand beside them."""
    watched = '{job="$job",among="watched"}'
    queries = [query(f"max by (model) (churnwatch_challengers_{name}{watched})", "{{model}}") for name in names[:1]]
    return lines(title, sees, *queries, *(query(f"max(churnwatch_challengers_{name}{watched})", "cap") for name in names[1:]))


CHALLENGERS = row(
    "Challengers: would a model of River do better",
    _measure(
        "Log loss of challengers",
        "Unshifted, by the newest labels of watched customers, nats; what is low is good. Worry when a challenger stands below "
        "the champion for months.",
        "log_loss",
    ),
    _measure("AUC of challengers", "P(a leaver is ranked above a stayer), by the same. Worry as with log loss.", "auc"),
    _measure("PR-AUC of challengers", "Average precision, by the same. Worry as with log loss.", "pr_auc"),
    _measure("Brier score of challengers", "Mean squared error, unshifted, by the same. Worry as with log loss.", "brier"),
    _measure("Calibration error of challengers", "By the same, unshifted: more than what serves has. No cause to worry.", "ece"),
    _measure(
        "Lift of the riskiest tenth, and its cap",
        "Share who left among them over that among all. Worry when a challenger stands nearer to the cap than the "
        "champion for months.",
        "lift_at_10",
        "lift_cap",
    ),
    lines(
        "Labels that challengers learnt, and that measured",
        "Since the topic's beginning. Worry when they stand still and those of the learner do not.",
        query('max(churnwatch_challengers_labels_known{job="$job"})', "learnt"),
        query('max by (among) (churnwatch_challengers_labels_judged{job="$job"})', "{{among}}"),
        query('max(churnwatch_challengers_scores_waiting{job="$job"})', "scores kept"),
    ),
    lines(
        "Messages that challengers have not read",
        "Up to the end of churn.labels; and those taken and refused, a second. Worry when it grows for hours: set "
        "learning.challengers_share.",
        query('max(churnwatch_challengers_lag_messages{job="$job"})', "lag"),
        query('sum(rate(churnwatch_challengers_messages_total{job="$job"}[$__rate_interval]))', "taken"),
        query('sum(rate(churnwatch_challengers_messages_refused_total{job="$job"}[$__rate_interval]))', "refused"),
    ),
    lines(
        "Age of what challengers learnt",
        "Since the newest outcome was known, in event time. Worry above a few days, where labels come daily.",
        query('time() - max(churnwatch_challengers_newest_timestamp_seconds{job="$job"} > 0)', "newest"),
        unit="s",
        worry=[(7 * 86_400, ORANGE)],
    ),
    collapsed=True,
)
