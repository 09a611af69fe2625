"""The same job as others would write it: programs of their own, run by `side_by_side` in their own processes.

    job            the job itself, one event at a time: both programs below call it
    conventional   Faust, an agent that takes event by event, its state in hashes of Redis
    quix_streams   Quix Streams, its state in RocksDB with a changelog topic
    picture        the results as an image

They import nothing of ours. `conventional` runs in the development environment, the others in `.venv-peers`, made from
`requirements.in` beside this file: Quix Streams needs an older pydantic than we do.
"""
