"""A complaint's cause as one would work it out on paper: the oracle for detectors/cause_tally.py and cause_model.py.

Counts are kept by the name of the feature in plain dicts; there is no hash, no table, no vector. Only the splitting of text
into features is shared, which has tests of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from detectors.cause_snapshot import Calibration
from detectors.cause_text import sentences
from detectors.causes import Example

CAUSES = ("product", "price", "service", "benefit", "policy", "industry", "natural")
CLASSES = (*CAUSES, "unknown")


class CauseTwin:
    def __init__(self, examples: Iterable[Example]) -> None:
        self.seen = {cause: Counter[str]() for cause in CLASSES}
        self.examples = Counter[str]()
        for example in examples:
            self.examples[example.cause] += 1
            self.seen[example.cause].update({name for one in sentences(example.text, example.category) for name in one})

    def weight(self, name: str, cause: str) -> float:
        """Rounded to 1/1024, as the text of cause_tally says."""
        known = {name for counter in self.seen.values() for name in counter}
        if name not in known:
            return 0.0
        logs = {c: math.log((self.seen[c][name] + 0.1) / (self.seen[c].total() + 0.1 * len(known))) for c in CLASSES}
        return round(1024 * (logs[cause] - sum(logs.values()) / len(CLASSES))) / 1024

    def evidence(self, sentence: Sequence[str], cause: str) -> float:
        return sum(self.weight(name, cause) for name in sentence) / math.sqrt(len(sentence))

    def probabilities(self, text: str, category: str, calibration: Calibration) -> dict[str, float]:
        told = sentences(text, category)
        share = {c: math.log((self.examples[c] + 1) / (self.examples.total() + len(CLASSES))) for c in CAUSES}
        score = {"unknown": calibration.silence}
        for cause in CAUSES:
            odds = sum(max(0.0, self.evidence(one, cause) - self.evidence(one, "unknown")) for one in told)
            mean = sum(share.values()) / len(CAUSES)
            score[cause] = share[cause] - mean + calibration.temperature * odds / math.sqrt(max(len(told), 1))
        total = sum(map(math.exp, score.values()))
        return {cause: math.exp(score[cause]) / total for cause in CLASSES}
