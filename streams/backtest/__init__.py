"""History: read from files, made up with a known truth, written into the topics.

files, mapping, rows       a file's rows, by the mapping that names its columns (mappings/ has the two public sets)
history                    all events of some files, in the order in which they happened
payloads, windows          events as the messages of their topics, a tick's worth at a time
replaying, resume, pace    into Kafka, from where the last replay stopped, at a chosen speed
simulation                 customers with latent lifetimes, and the truth about them; simulation_files writes both
populations                such customers with one known effect each
run                        a history through the engine without Kafka and Redis
loading, event_log         a history of any length as rows in order of time on disk (event_rows; numbered: customers by number)
csv_columns, ids_apart     usual parts of a CSV file at once; no event id in two files
stretches, tables          that log cut into what is folded at a time, and the customers it is folded into
lanes, event_ids           one policy living through it; the ids of its events, where alerts are told in words
against, sent, alert_topic a system's alerts against those of its file
backtesting                a history through the product: folded, refitted (refits), learnt from (learning), scored and judged
cut_offs, scores, judging  when and who is scored, by what, and what they then did
occasions, window_counts, silences   who bought how often, and for how long not, in memory that grows with customers
alert_log, alert_outcomes  every message, and what it was worth
gain, calibration_table    of scores at cut-offs: who is found first, and whether 30 % means 30 of 100
thresholds, budgets, profit   what each threshold would have caught and cost, and which to choose for so many contacts a day
weak_spots, judged         of which customers the risk knows little; all of this as parts of report.json
settings_used              all that decides, and its hash
report_json                report.json: what a backtest found, for programs
report_html                what report.json holds as one page for people; its parts are in report_parts/
"""
