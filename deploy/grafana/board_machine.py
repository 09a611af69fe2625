"""Whether what was decided gets out, and how the workers are."""

from __future__ import annotations

from panels import ORANGE, RED, YELLOW, Panel, lines, query, row, table

WORKER = 'job="$job", instance=~"$worker"'


def quantiles(metric: str) -> tuple[Panel, Panel]:
    """Median and 99th percentile of a histogram over the chosen workers."""
    buckets = f"sum by (le) (rate({metric}_bucket{{{WORKER}}}[$__rate_interval]))"
    return query(f"histogram_quantile(0.5, {buckets})", "p50"), query(f"histogram_quantile(0.99, {buckets})", "p99")


DELIVERY = row(
    "Delivery: do alerts get out",
    lines(
        "Outbox, by partition",
        "Messages that are committed and that Kafka has not acknowledged. Worry when it does not come back to 0: alerts are "
        "decided and nobody gets them.",
        query('sum by (partition) (churnwatch_outbox_depth{job="$job"})', "{{partition}}"),
    ),
    lines(
        "Messages acknowledged by Kafka, by topic",
        "A second. churn.journal has one a commit, so it never stops; worry when it does.",
        query('sum by (topic) (rate(churnwatch_outbox_published_total{job="$job"}[$__rate_interval]))', "{{topic}}"),
        unit="ops",
    ),
    lines(
        "Retention triggers, by outcome",
        "What the playbook made of alerts that began or escalated: triggered, or why not (triggers.playbook_file). Worry when "
        "most are no_play: the playbook leaves tiers out. past: decided about history, which triggers nothing.",
        query('sum by (outcome) (increase(churnwatch_triggers_total{job="$job"}[$__interval]))', "{{outcome}}"),
        stacked=True,
        bars=True,
    ),
    lines(
        "Alerts to channels, by channel and outcome",
        "What became of each message beyond Kafka. digested: told in one message with others, since the channel's minute was "
        "full or its receiver refused it. past, holdout, below_tier, repeat: kept back on purpose. Worry when alerts begin and "
        "delivered stays at 0.",
        query(
            'sum by (channel, outcome) (increase(churnwatch_channel_messages_total{job="$job"}[$__interval]))',
            "{{channel}}: {{outcome}}",
        ),
        stacked=True,
        bars=True,
    ),
    lines(
        "Waiting for a channel",
        "Records of churn.alerts that the channel has not settled. Worry when it does not come back to 0: its receiver is away, "
        "and its alerts wait in Kafka.",
        query('max by (channel) (churnwatch_channel_backlog{job="$job"})', "{{channel}}"),
    ),
    lines(
        "Attempts that a channel's receiver did not take",
        "Each is tried again, and what is refused for good joins the next digest. Worry when it goes on for minutes.",
        query('sum by (channel) (increase(churnwatch_channel_failures_total{job="$job"}[$__interval]))', "{{channel}}"),
        stacked=True,
        bars=True,
    ),
    collapsed=True,
)

MACHINE = row(
    "Machine: workers, commits, memory, versions",
    lines(
        "Partitions owned, by worker",
        "Stacked, so the top is all that have a worker. Worry when it is below kafka.partitions for minutes: those customers "
        "are not watched.",
        query(f"sum by (instance) (churnwatch_partitions_owned{{{WORKER}}})", "{{instance}}"),
        stacked=True,
        decimals=0,
    ),
    lines(
        "Workers that answer",
        "1: it answers the scrape. Worry at 0, unless it was stopped on purpose.",
        query(f"max by (instance) (up{{{WORKER}}})", "{{instance}}"),
        decimals=0,
    ),
    lines(
        "Epoch, by partition",
        "A partition's epoch goes up by one when it gets an owner. Worry when it climbs steadily: workers take it from each "
        "other.",
        query('max by (partition) (churnwatch_epoch{job="$job"})', "{{partition}}"),
        decimals=0,
    ),
    lines(
        "Time to commit to Redis",
        "Median and 99th percentile. Worry when p99 stays above 1 s: Redis' disk, other load, the network to it.",
        *quantiles("churnwatch_commit_seconds"),
        unit="s",
        worry=[(1, RED)],
    ),
    lines(
        "Time to fold a batch",
        "Median and 99th percentile of the worker's own computing. Worry when it grows while batches do not.",
        *quantiles("churnwatch_fold_seconds"),
        unit="s",
    ),
    lines(
        "Events in a batch",
        "Median and 99th percentile. Small when caught up, up to engine.max_rows when behind; worry when it stays at that limit.",
        *quantiles("churnwatch_batch_rows"),
    ),
    lines(
        "Batches committed, by worker",
        "A second; those without events do not count. Worry when it is 0 while there is lag.",
        query(f"sum by (instance) (rate(churnwatch_batches_total{{{WORKER}}}[$__rate_interval]))", "{{instance}}"),
        unit="ops",
    ),
    lines(
        "Commits sent again, by worker",
        "Each after an unclear answer. Worry when it is not 0 for more than a failover: Redis or the way to it is unwell.",
        query(f"sum by (instance) (rate(churnwatch_commit_retries_total{{{WORKER}}}[$__rate_interval]))", "{{instance}}"),
        unit="ops",
        worry=[(0.1, ORANGE)],
    ),
    lines(
        "Waiting for Redis and Kafka, by worker",
        "For how long the oldest call has had no good answer. Worry above a minute: the worker's /readyz says why. Nothing is "
        "lost meanwhile.",
        query(f"max by (instance, server) (churnwatch_waiting_seconds{{{WORKER}}})", "{{instance}}: {{server}}"),
        unit="s",
        worry=[(60, RED)],
    ),
    lines(
        "Time since the last commit, by partition",
        "Quiet partitions commit every engine.heartbeat_commit_s too. Worry when one climbs and the others do not: it is stuck.",
        query(f"max by (partition) (churnwatch_commit_age_seconds{{{WORKER}}})", "{{partition}}"),
        unit="s",
        worry=[(300, RED)],
    ),
    lines(
        "Fetched and not yet folded, by worker",
        "At most engine.intake_bytes. At that limit the worker reads no more until it has folded; worry when it stays there.",
        query(f"sum by (instance) (churnwatch_intake_buffered_bytes{{{WORKER}}})", "{{instance}}"),
        unit="bytes",
    ),
    lines(
        "Customers in memory, by worker",
        "Rows kept, at most engine.cached_customers a partition and about 1 kB each. At that limit cold customers are read "
        "from Redis again.",
        query(f"sum by (instance) (churnwatch_cache_rows{{{WORKER}}})", "{{instance}}"),
    ),
    lines(
        "Age of the parameters in use",
        "Since they were fitted. Worry at half a year: run `churnwatch fit`. The parameters that ship have no age.",
        query(f"max by (model) (churnwatch_model_age_seconds{{{WORKER}}})", "{{model}}"),
        unit="s",
        worry=[(180 * 86400, YELLOW)],
    ),
    table(
        "What runs",
        "Versions of churnwatch and Python. Worry when workers differ for longer than an upgrade takes.",
        f"max by (instance, version, python) (churnwatch_build_info{{{WORKER}}})",
        columns=("instance", "version", "python"),
        width=4,
        height=8,
    ),
    table(
        "Parameters in use",
        "Model and version of each worker. Worry when workers differ.",
        f"max by (instance, model, version) (churnwatch_model_info{{{WORKER}}})",
        columns=("instance", "model", "version"),
        width=4,
        height=8,
    ),
    collapsed=True,
)
