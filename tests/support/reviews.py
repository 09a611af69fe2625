"""Real complaints in Chinese: restaurant reviews of the ASAP sample whose aspects people have judged good, neutral or bad.

The data set is not part of the repository; it is looked for beside it.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass

import pytest

from tests.architecture.tree import REPO

ASPECTS = {
    "product": ("dish_portion", "dish_taste", "dish_look", "environment_decoration", "environment_noise", "environment_space",
                "environment_cleaness"),
    "price": ("price_level", "price_cost_effective", "price_discount"),
    "service": ("service_wait_time", "service_waiters_attitude", "service_parking_convenience", "service_serving_speed"),
}  # fmt: skip
"""Cause -> the aspects of a restaurant that belong to it; location and recommendation belong to none."""
BAD = "-1"


@dataclass(frozen=True)
class Review:
    """stars 1 to 5; `bad` the causes with an aspect that was judged bad."""

    text: str
    stars: float
    bad: frozenset[str]


def reviews() -> list[Review]:
    """All 300. Skips, saying why, where the file is absent."""
    path = REPO.parent / "shared" / "data" / "asap_reviews_300.csv.gz"
    if not path.exists():
        pytest.skip(f"ASAP's reviews are not beside the repository: no {path.name} in ../shared/data")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300, "not the sample that the numbers are for"
    return [
        Review(
            row["reviewbody"],
            float(row["star"]),
            frozenset(cause for cause, aspects in ASPECTS.items() if any(row[name] == BAD for name in aspects)),
        )
        for row in rows
    ]
