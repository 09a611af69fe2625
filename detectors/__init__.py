"""How likely a customer is to leave, and why. Numbers in, numbers and words out: nothing here touches the world.

In the order to read:

    column      what a column is: contiguous float64, checked, one value a customer
    parameters  the versioned snapshot that the closed form runs on; the one that ships
    btyd        MBG/NBD: risk = P(no purchase in the next h days), its logit, basis points, likelihood
    silence     the second baseline: idle time against the customer's own rhythm
    fit         parameters from histories, by maximum likelihood
    bg_nbd      the elder sister model, for published numbers and comparison
    reasons     the risk in parts that add up, and in words (reason_words)
    causes      the probable cause class: what the last complaint spoke of, else a rule
    cause_text, cause_tally   a complaint's sentences as hashed features; how often each was seen with each cause
    cause_snapshot, cause_model   that as versioned data; at work: the cause of a complaint, or "unknown"
    cause_learner, cause_fit   learning on from labelled complaints; a model from examples alone
    actions     what to do, by tier and cause

What is learnt from outcomes:

    model_inputs       the raw inputs that a snapshot freezes, by name
    labels             a customer as it was, and what it then did
    customer_features  the features of the linear model, one formula each
    design             its columns: features scaled and clipped, hinges, products; design_hash: what they are, as a name
    online_logit       Bayesian logistic regression, one outcome at a time; its prior is the closed form
    linear_model       what was learnt, as numbers
    served             the model that scores: the closed form, or the linear one on top of it
    watched            whom the risk is for: by them the champion is judged, and their mean risk is kept
    scored, shift      what customers were scored; the constant that puts the mean risk where the closed form has it

How good it is, and who serves:

    measures      AUC, PR-AUC, log loss, Brier, calibration error, lift against its cap
    prequential   the same over labels as they come, of several models, in bounded memory
    evidence      log losses of champion and baselines over the last days
    champion      the gate: who serves, and why
    drift         when the champion is no longer what it was, and how it learns faster then
    idle_time     idle time as a probability: the baseline that asks for nothing but labels
    as_served     what each model said when the snapshot was taken: what a label judges
    challengers   models of River as they come, measured beside the champion on the same labels
    learner       labels in, the model that serves out; with learner_rules, learner_state (bytes), learner_report
"""
