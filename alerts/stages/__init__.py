"""The rules that stand between a risk and an alert, one a file, in the order in which policy.py asks them:

    ended.py          has the customer ended the relationship?
    quality_gate.py   is the history long enough to have a rhythm?
    hysteresis.py     which tier does the risk propose, and which does it still hold up?
    breaches.py       has it been proposed often enough, and well apart?
    cool_down.py      is the last episode long enough ago?
    holdout.py        whom retention leaves alone: flags an alert, stops none
    budget.py         how many a channel tells in a minute; asked by delivery.py for what leaves

Each takes plain columns and settings and knows nothing of the others.
"""
