"""What learning brings, beside what others would have used: `make bench-learning`, or `python -m benchmarks.learning --help`.

The same frozen snapshots, outcomes and cut-offs go to everybody; nobody sees an outcome before it was known. Read in this order:

    bases     which histories: two public sets, and simulated customers whose truth is known
    frozen    a backtest, and what it learnt from and scored, kept
    batch     LightGBM, fitted anew at every cut-off to all that was known by then, in the peers' environment
    measured  everybody's measures, their means over the cut-offs; the targets
    report    as tables for people

How fast it is learnt is measured by `benchmarks.learning_speed`.
"""
