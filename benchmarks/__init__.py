"""What the system costs on real parts, beside what others would have used: `make bench`, or `python -m benchmarks --help`.

Read in this order:

    stream              what is measured on
    parts, apart        broker and Redis; processes of their own
    engine              the fold alone
    decode, worker      fetching and decoding alone: the ceiling; all of the worker
    jobs, peers/        one turn of a job; the same job as others would write it
    side_by_side        turns of all jobs on one stream, and `equality`: that they have kept the same
    owners              partitions owned by this process, for the parts of the worker alone:
    base                a base of many customers: footprint (bytes of Redis), sweep (looks at the silent)
    commits, latency    how long a commit takes; from an event to its alert
    run                 one whole run
    summary, targets    bench.json; what it should say
    report, machine     how it is told, and what it was measured on
    learning/, learning_speed   what learning brings, beside LightGBM, and how fast it is: runs of their own

CPU per event is what compares; events/s depend on what else the machine does. Nothing here is a test: figures are
reported and not asserted, but a run fails when work is left undone or when two implementations differ.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # numpy reads them when it is first imported, so it cannot be done later
