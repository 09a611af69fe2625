"""Whether what is learnt is good, and goes on being learnt."""

from __future__ import annotations

from panels import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, lines, query, row

STANDINGS = {"waiting": GREY, "serving": GREEN, "demoted": ORANGE, "frozen": BLUE, "rolled_back": YELLOW}


def _measure(title: str, sees: str, name: str) -> dict[str, object]:
    return lines(title, sees, query(f'max by (model) (churnwatch_learner_{name}{{job="$job"}})', "{{model}}"))


LEARNING = row(
    "Learning: is what is learnt any good",
    _measure(
        "Log loss, by model",
        "By the newest labels, nats; what is low is good. Worry when the champion stands above the closed form or idle time for "
        "long: the gate has then taken it out of service.",
        "log_loss",
    ),
    _measure(
        "AUC, by model",
        "P(a leaver is ranked above a stayer), by the newest labels. Worry when the champion falls to the baselines.",
        "auc",
    ),
    lines(
        "The champion stands",
        "waiting: too little is learnt. serving: it scores. demoted: the closed form scores in its place. frozen, rolled_back: "
        "by a person's word, until `churnwatch models thaw`. Worry when demoted lasts for weeks.",
        query('max by (state) (churnwatch_learner_state{job="$job"})', "{{state}}"),
        stacked=True,
        colors=STANDINGS,
        decimals=0,
    ),
    _measure("Brier score, by model", "Mean squared error of the risks, by the newest labels. Worry as with log loss.", "brier"),
    _measure(
        "Calibration error, by model",
        "How far the risks are from the share who leave, by the newest labels. Worry when it climbs and it is no season.",
        "ece",
    ),
    lines(
        "What happened to the champion",
        "Demotions, recoveries, and drift, at which it learns faster. Worry when they come by turns: the evidence is thin, raise "
        "learning.min_labels.",
        query('sum by (what) (increase(churnwatch_learner_events_total{job="$job"}[$__interval]))', "{{what}}"),
        stacked=True,
        bars=True,
    ),
    lines(
        "Labels learnt",
        "Outcomes a second; they come with the midnights. Worry when there are none for days, or many too old to count.",
        query('sum(rate(churnwatch_learner_labels_total{job="$job"}[$__rate_interval]))', "labels"),
        query('sum(rate(churnwatch_learner_labels_too_old_total{job="$job"}[$__rate_interval]))', "too old"),
        unit="ops",
    ),
    lines(
        "Labels known, and the share who left",
        "All that was ever learnt from. Worry when the share nears 0 or 1: risk.horizon_days does not fit the business.",
        query('max(churnwatch_learner_labels_known{job="$job"})', "labels"),
        query('max(churnwatch_learner_left_share{job="$job"})', "share who left"),
    ),
    lines(
        "Messages not learnt",
        "Between what is committed and the end of churn.labels, and those refused, a second. Worry when it grows for minutes: is "
        "the learner well?",
        query('max(churnwatch_learner_lag_messages{job="$job"})', "lag"),
        query('sum(rate(churnwatch_learner_messages_refused_total{job="$job"}[$__rate_interval]))', "refused"),
        query('sum(rate(churnwatch_learner_messages_total{job="$job"}[$__rate_interval]))', "taken"),
    ),
    lines(
        "Age of what serves",
        "Since it was made, and how far event time is behind the present of what is learnt. Worry above some days, live: labels "
        "come daily.",
        query('max(churnwatch_learner_serving_age_seconds{job="$job"})', "what serves"),
        query('time() - max(churnwatch_learner_tick_timestamp_seconds{job="$job"} > 0)', "what is learnt"),
        unit="s",
    ),
    lines(
        "Learners, and partitions that are behind",
        "One process is the learner, others stand by; partitions that a tick of history waits for. Worry when there is none.",
        query('sum(churnwatch_learner_owned{job="$job"})', "learners"),
        query('max(churnwatch_learner_partitions_behind{job="$job"})', "partitions behind"),
        decimals=0,
    ),
    lines(
        "Commits, and models sent",
        "Of the learner, a second. Worry when there are labels and neither.",
        query('sum(rate(churnwatch_learner_commits_total{job="$job"}[$__rate_interval]))', "commits"),
        query('sum(rate(churnwatch_learner_published_total{job="$job"}[$__rate_interval]))', "models"),
        unit="ops",
    ),
    lines(
        "Learner waiting for Redis and Kafka",
        "For how long the oldest call has had no good answer. Worry above a minute: its /readyz says why.",
        query('max by (server) (churnwatch_learner_waiting_seconds{job="$job"})', "{{server}}"),
        unit="s",
        worry=[(60, RED)],
    ),
    lines(
        "Waiting for the learner, by partition",
        "While history is loaded with learning on, a partition waits at each tick until it is learnt. Worry above a minute: is "
        "`churnwatch learner` running, and is every partition owned?",
        query('max by (partition) (churnwatch_model_wait_seconds{job="$job"})', "{{partition}}"),
        unit="s",
        worry=[(60, RED)],
    ),
    lines(
        "Models refused, by worker",
        "On churn.models, and not to be taken up: of other inputs, another horizon, or no model at all. Worry when it is not 0: "
        "learner and workers differ in release or settings; the log says in what.",
        query('sum by (instance) (increase(churnwatch_models_refused_total{job="$job"}[$__interval]))', "{{instance}}"),
        bars=True,
        worry=[(1, ORANGE)],
    ),
    collapsed=True,
)
