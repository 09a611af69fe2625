"""The parts of `report.html`, each a function from `report.json`'s content to HTML.

markup      elements; every text is escaped where it enters
words       numbers and days as people read them
axes, charts, tables   pictures as SVG, and tables
style       the page's one style sheet: light, dark, narrow, on paper
headline    the answer in words
quality     quality over time against the baselines
calibrated  whether risk can be read as a probability
found       gain and lift, with their caps
warnings    the alerts: how right, how early, how many a day
choosing    what each threshold would have caught and cost
failing     customers about whom the model knows little
learning    what was learnt, and which model served
comparing   two policies on the same history
small_print   settings and definitions
"""
