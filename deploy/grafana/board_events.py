"""Whether events come in, are fresh, and count."""

from __future__ import annotations

from panels import BLUE, GREEN, ORANGE, RED, YELLOW, lines, query, row

CLOCK_COLORS = {
    "advance": GREEN,
    "wait": BLUE,
    "low_inflow_released": YELLOW,
    "low_inflow": ORANGE,
    "heartbeat_missing": ORANGE,
    "lag_not_shrinking": RED,
    "broker_unreachable": RED,
    "clocks_apart": RED,
}

EVENTS = row(
    "Events: do they come, are they fresh, do they count",
    lines(
        "Events applied, by topic",
        "Events a second that changed a customer. Worry when a topic that usually flows falls to nothing.",
        query('sum by (topic) (rate(churnwatch_events_total{job="$job"}[$__rate_interval]))', "{{topic}}"),
        unit="ops",
    ),
    lines(
        "Lag, by topic",
        "Records between what is committed and the topic's end. Worry when it grows for minutes: more workers, or see Redis.",
        query('sum by (topic) (churnwatch_lag_events{job="$job"})', "{{topic}}"),
    ),
    lines(
        "Lag, by partition",
        "The same by partition. Worry when one stands out: its worker hangs, or a few customers send most of the events.",
        query('sum by (partition) (churnwatch_lag_events{job="$job"})', "{{partition}}"),
    ),
    lines(
        "Age of the watermark, by partition",
        "How far event time is behind the present. Live, it stands at time.lateness_s (a day by default); worry above two "
        "days, where silent customers are no longer noticed in time. While history is loaded it is the age of the history.",
        query('time() - min by (partition) (churnwatch_watermark_timestamp_seconds{job="$job"} > 0)', "{{partition}}"),
        unit="s",
        worry=[(2 * 86400, RED)],
    ),
    lines(
        "Partitions, by state of their clock",
        "advance: silence is noticed. wait: catching up first. low_inflow_released: inflow stayed low and is taken for the "
        "truth. Worry at any other for more than minutes: silence alerts are held, since events may be missing. Nothing here "
        "while history is loaded.",
        query('sum by (state) (churnwatch_clock_state{job="$job"})', "{{state}}"),
        stacked=True,
        colors=CLOCK_COLORS,
        decimals=0,
    ),
    lines(
        "Records refused, by reason",
        "Dead letters. Worry above what you are used to, most of all after a source was changed: `churnwatch dead-letters "
        "list` shows them.",
        query('sum by (reason) (increase(churnwatch_dead_letters_total{job="$job"}[$__interval]))', "{{reason}}"),
        stacked=True,
        bars=True,
    ),
    lines(
        "Duplicates dropped, by topic",
        "Events whose id was seen before. A few are normal (producers send again); worry when they are a good part of all "
        "events.",
        query('sum by (topic) (rate(churnwatch_duplicates_total{job="$job"}[$__rate_interval]))', "{{topic}}"),
        unit="ops",
    ),
    lines(
        "Events lost to retention, by topic",
        "Offsets that Kafka deleted before a worker read them, since the workers' start. Worry above 0: those events do not "
        "come back. Lengthen the topic's retention.",
        query('sum by (topic) (churnwatch_events_lost_total{job="$job"})', "{{topic}}"),
        worry=[(1, RED)],
    ),
    lines(
        "Customers erased and forgotten, and events that were erased",
        "Erasures that were asked for; customers forgotten after retention.inactive_days; events dropped because they are "
        "older than their customer's erasure. Worry when those go on for long: a source still sends what was to be forgotten.",
        query('sum (increase(churnwatch_erasures_total{job="$job"}[$__interval]))', "erased"),
        query('sum (increase(churnwatch_customers_forgotten_total{job="$job"}[$__interval]))', "forgotten"),
        query('sum by (topic) (increase(churnwatch_events_erased_total{job="$job"}[$__interval]))', "events of {{topic}}"),
        bars=True,
    ),
    lines(
        "Unknown fields, by topic",
        "Fields outside the contract, counted in a sample of the events. They are ignored; worry when they appear after a "
        "source was changed.",
        query('sum by (topic) (rate(churnwatch_unknown_fields_total{job="$job"}[$__rate_interval]))', "{{topic}}"),
        unit="ops",
    ),
)
