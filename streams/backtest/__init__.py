"""History: read from files, made up with a known truth, written into the topics.

files, mapping, rows       a file's rows, by the mapping that names its columns (mappings/ has the two public sets)
history                    all events of some files, in the order in which they happened
payloads, windows          events as the messages of their topics, a tick's worth at a time
replaying, resume, pace    into Kafka, from where the last replay stopped, at a chosen speed
simulation                 customers with latent lifetimes, and the truth about them; simulation_files writes both
populations                such customers with one known effect each
run                        a history through the engine without Kafka and Redis
gain, calibration_table    of scores at cut-offs: who is found first, and whether 30 % means 30 of 100
thresholds, profit         what each threshold would have caught and cost
weak_spots, judged         of which customers the risk knows little; all of this as parts of report.json
report_html                what report.json holds as one page for people; its parts are in report_parts/
"""
