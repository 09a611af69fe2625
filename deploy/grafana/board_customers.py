"""What analysts look at first: how many are at risk, which, and what came of it."""

from __future__ import annotations

from panels import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, heatmap, lines, matrix, number, query, ranking, row, strip

TIER_COLORS = {"critical": RED, "high": ORANGE, "watch": YELLOW, "none": GREEN}

GLANCE = strip(
    number(
        "Customers",
        "Customers that the workers hold. Worry when it drops: partitions are without a worker, or state was lost.",
        'sum(churnwatch_customers{job="$job"})',
        decimals=0,
    ),
    number(
        "Of them high or critical",
        "Share of customers whose alert stands at tier high or critical. What is much is yours to know: worry when it leaves "
        "its usual range.",
        'sum(churnwatch_customers{job="$job", tier=~"high|critical"}) / (sum(churnwatch_customers{job="$job"}) > 0)',
        unit="percentunit",
        decimals=1,
    ),
    number(
        "Alerts begun",
        "Alerts that fired in this period. Prometheus estimates between scrapes, so it can be off by one.",
        'sum(increase(churnwatch_alerts_total{job="$job", decision="fired"}[$__range]))',
        decimals=0,
    ),
    number(
        "Came back",
        "Alerts of this period that ended with a purchase.",
        'sum(increase(churnwatch_alerts_total{job="$job", decision="resolved_returned"}[$__range]))',
        decimals=0,
    ),
    number(
        "Slowest partition",
        "How far the slowest partition's event time is behind the present. Live, it stands at time.lateness_s (a day by "
        "default) and goes no further; worry at two days. While history is loaded it is the age of the history.",
        'time() - min(churnwatch_watermark_timestamp_seconds{job="$job"} > 0)',
        unit="s",
        worry=[(1.5 * 86400, YELLOW), (2 * 86400, RED)],
        decimals=1,
    ),
    number(
        "Alarms about churnwatch",
        "Rules of deploy/prometheus/rules.yml that fire now. Worry at 1: Alertmanager has the names and what to do.",
        'count(ALERTS{alertname=~"Churnwatch.+", alertstate="firing"}) or vector(0)',
        worry=[(1, RED)],
        decimals=0,
    ),
)

CUSTOMERS = row(
    "Customers: who is at risk, and why",
    matrix(
        "Customers now, by segment and tier",
        "RFM segment against the tier at which the customer's alert stands (none: no alert). The row to act on first is "
        "cannot-lose, then at-risk.",
        'sum by (segment, tier) (churnwatch_customers{job="$job"})',
        rows="segment",
        columns="tier",
        order=("critical", "high", "watch", "none"),
        width=12,
        height=11,
    ),
    lines(
        "Share of customers at risk, by tier",
        "Customers with an alert, by tier, as a share of all. Worry when it climbs for days, or jumps: a jump of all tiers at "
        "once is more often missing events than customers who leave (see the clock's state below).",
        query(
            'sum by (tier) (churnwatch_customers{job="$job", tier!="none"}) '
            '/ on () group_left () (sum(churnwatch_customers{job="$job"}) > 0)',
            "{{tier}}",
        ),
        unit="percentunit",
        width=12,
        height=11,
        stacked=True,
        colors=TIER_COLORS,
    ),
    lines(
        "Alerts begun and escalated, by tier",
        "Messages on churn.alerts that tell of a new alert (fired) or a higher tier (escalated), by the tier from then on.",
        query(
            'sum by (decision, tier) (increase(churnwatch_alerts_total{job="$job", decision="fired", '
            'tier!="none"}[$__interval]))',
            "{{decision}}: {{tier}}",
        ),
        query(
            'sum by (decision, tier) (increase(churnwatch_alerts_total{job="$job", decision="escalated", '
            'tier=~"high|critical"}[$__interval]))',
            "{{decision}}: {{tier}}",
        ),
        width=12,
        stacked=True,
        bars=True,
        colors={
            "fired: watch": YELLOW,
            "fired: high": ORANGE,
            "fired: critical": RED,
            "escalated: high": "light-orange",
            "escalated: critical": "light-red",
        },
    ),
    lines(
        "Alerts eased and ended, by how",
        "resolved_returned: ended with a purchase. resolved_risk_fell: ended without one. resolved_cancelled: the customer has "
        "ended the relationship. deescalated: a lower tier from then on. Worry when alerts begin and none of them ends with a "
        "purchase.",
        query(
            'sum by (decision) (increase(churnwatch_alerts_total{job="$job", decision=~"deescalated|resolved_.+"}[$__interval]))',
            "{{decision}}",
        ),
        width=12,
        stacked=True,
        bars=True,
        colors={"resolved_returned": GREEN, "resolved_risk_fell": BLUE, "resolved_cancelled": RED, "deescalated": GREY},
    ),
    heatmap(
        "Risk of evaluations over time",
        "Each column: how many evaluations gave which risk, P(no purchase within risk.horizon_days). A customer is evaluated "
        "at every event and when silent for long, so the lively count more often. Worry when the dark band moves up.",
        'sum by (le) (increase(churnwatch_risk_bucket{job="$job"}[$__interval]))',
        unit="percentunit",
        top=1,
        width=16,
        height=9,
    ),
    ranking(
        "Risk of evaluations in this period",
        "The same for the whole period: evaluations by risk, each bar up to the number at its side.",
        query(
            'sum by (le) (increase(churnwatch_risk_bucket{job="$job", le!="+Inf"}[$__range]))',
            "{{le}}",
            now=True,
            shape="heatmap",
        ),
    ),
    ranking(
        "Why evaluations ended as they did",
        "Every evaluation of this period by its reason. below_threshold and steady: nothing to tell. Most of the others are "
        "breaches that the policy keeps back for now; those that send a message are fired to resolved_….",
        query('sort_desc(sum by (reason) (increase(churnwatch_decisions_total{job="$job"}[$__range])))', "{{reason}}", now=True),
    ),
    lines(
        "Breaches kept back, by reason",
        "Evaluations at or above a tier that did not become an alert, and alerts that stand although risk fell a little. Worry "
        "when too_few_purchases or cooling_down is most of it: policy.min_purchases or policy.cool_down_s may be too strict.",
        query(
            'sum by (reason) (increase(churnwatch_decisions_total{job="$job", '
            'reason=~"too_few_purchases|awaiting_breaches|breach_too_soon|cooling_down|held_by_hysteresis"}[$__interval]))',
            "{{reason}}",
        ),
        width=16,
        height=9,
        stacked=True,
        bars=True,
    ),
)
