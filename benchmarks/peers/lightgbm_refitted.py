"""LightGBM fitted anew at every cut-off: `python -m benchmarks.peers.lightgbm_refitted frozen.npz logits.npz`.

Reads what `benchmarks/learning/batch.py` has frozen; writes the log odds of leaving of every try at every cut-off. While it
runs it prints [fits done, of all] as JSON. Where nobody, or everybody, has left yet, it says what the closed form says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm  # type: ignore[import-not-found]  # it lives in .venv-peers
import numpy as np

FIXED = {"objective": "binary", "seed": 1, "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbose": -1}


def main() -> None:
    """Read the one file, write the other."""
    source, target = map(Path, sys.argv[1:])
    with np.load(source) as stored:
        frozen = {name: stored[name] for name in stored.files}
    found, done = {}, 0
    tries, cut_offs = frozen["tries"].tolist(), range(len(frozen["known"]))
    for k in cut_offs:
        for name, columns, given in tries:
            found[f"{name}/{k}"] = _logit(frozen, k, columns, json.loads(given))
            done += 1
            print(json.dumps([done, len(tries) * len(cut_offs)]), flush=True)  # noqa: T201
    np.savez(target, **found)


def _logit(frozen: Mapping[str, Any], k: int, columns: str, given: Mapping[str, float]) -> Any:
    """Log odds of leaving of the customers of cut-off `k`."""
    known = int(frozen["known"][k])
    left = frozen["left"][:known]
    if known == 0 or left.min() == left.max():
        return frozen[f"{k}/logit"]
    x = np.column_stack([frozen[f"labels/{columns}"][:known], frozen[f"{k}/known_logit"]])
    fitted = lightgbm.train(FIXED | given, lightgbm.Dataset(x, left))
    return fitted.predict(np.column_stack([frozen[f"{k}/{columns}"], frozen[f"{k}/logit"]]), raw_score=True)


if __name__ == "__main__":
    main()
