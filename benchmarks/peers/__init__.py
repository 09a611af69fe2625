"""The same job as others would write it: programs of their own, run by `side_by_side` in their own processes.

    job            the job itself, one event at a time: both programs below call it
    windows        of it: rolling windows, complaints one by one
    rhythm         of it: purchase days, gaps, decayed sums
    policy         of it: from risk to tier
    message        of it: what is sent at a change of tier
    conventional   Faust, an agent that takes event by event, its state in hashes of Redis
    quix_streams   Quix Streams, its state in RocksDB with a changelog topic
    picture        the results as an image

They import nothing of ours. `conventional` runs in the development environment, the others in `.venv-peers`, made from
`requirements.in` beside this file: Quix Streams needs an older pydantic than we do.
"""
