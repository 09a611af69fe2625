"""What the system costs, measured on real parts: `make bench`, or `python -m benchmarks --help`.

Read in this order: `stream` (what is measured on), `engine` (the fold alone), `parts` (broker and Redis), `decode`
(fetching and decoding alone), `worker` (all of it), `run` (one whole run), `report` (how it is told).

CPU per event is what compares; events/s depend on what else the machine does. Nothing here is a test: figures are
reported and not asserted, but a run fails when work is left undone.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # numpy reads them when it is first imported, so it cannot be done later
