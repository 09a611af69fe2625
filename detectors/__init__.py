"""How likely a customer is to leave, and why. Numbers in, numbers and words out: nothing here touches the world.

In the order to read:

    column      what a column is: contiguous float64, checked, one value a customer
    parameters  the versioned snapshot that the closed form runs on; the one that ships
    btyd        MBG/NBD: risk = P(no purchase in the next h days), its logit, basis points, likelihood
    silence     the second baseline: idle time against the customer's own rhythm
    fit         parameters from histories, by maximum likelihood
    bg_nbd      the elder sister model, for published numbers and comparison
    reasons     the risk in parts that add up, and in words
    causes      the probable cause class: what the last complaint spoke of, else a rule
    cause_text, cause_tally   a complaint's sentences as hashed features; how often each was seen with each cause
    cause_snapshot, cause_model   that as versioned data; at work: the cause of a complaint, or "unknown"
    cause_learner, cause_fit   learning on from labelled complaints; a model from examples alone
    actions     what to do, by tier and cause
"""
