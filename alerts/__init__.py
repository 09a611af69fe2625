"""From risk to an alert that a person can act on. Pure: only `channels/` touches the world.

The flow, in the order to read it:

    rules.py      the numbers that decide, checked
    stages/       one rule a file, each over columns of customers
    policy.py     the stages in order: decide(state, risk, ...) -> new state, one reason a customer, when to look again
    facts.py      what is known of one customer at one time
    context.py    what all alerts of a run share
    ids.py        names and dates: an episode's id depends on nothing that a replay would change
    alert.py      the message of a transition, its bytes, the contract of churn.alerts (foreign_json: read without surprises)
    lost_events.py   the message that events were deleted before they were read
    model_alert.py   the message that what was learnt was demoted, or serves again
    render.py     the same for people: a headline, a card
    playbook.py   what retention does about whom: plays, the first that matches
    triggers.py   which alerts set off a play, and why the others do not
    trigger_event.py   what leaves for the retention tool: a CloudEvent, the contract of churn.triggers
    selection.py  which messages a channel tells people
    digest.py     many messages told as one
    delivery.py   a channel's messages from being read to being settled: retries, budget, digest
    channels/     ways out other than Kafka

An episode begins with FIRED and ends with RESOLVED_*; each message between is a change of tier. Schemas for whoever
reads churn.alerts and churn.triggers are in docs/contracts/.
"""
