"""What `churnwatch backtest` is made of.

asked     what is asked of it: days, settings, assumptions about money, policies to compare
running   the history in, lived through, the reports out; and whether a system sent the same alerts
show      progress and a summary on the terminal
"""
