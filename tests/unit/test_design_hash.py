"""The name of the design follows what the design does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors import customer_features, design
from detectors.design_hash import DESIGN_HASH, design_hash, probe
from detectors.parameters import SHIPPED


def renamed() -> str:
    return design_hash(design.design(probe(), SHIPPED, 90.0))


def test_it_is_always_the_same():
    assert renamed() == DESIGN_HASH
    assert len(DESIGN_HASH) == 16


@pytest.mark.parametrize("change", ["_CENTRE", "_SCALE", "_KNOT"])
def test_another_constant_of_any_column_is_another_design(monkeypatch, change):
    constants = getattr(design, change)
    for place in range(len(constants)):
        if change != "_KNOT" and place == design.CLOSED_FORM:
            continue  # it stands as it is
        other = constants.copy()
        other[place] += 0.01
        monkeypatch.setattr(design, change, other)
        assert renamed() != DESIGN_HASH, (change, place)


def test_another_bound_is_another_design(monkeypatch):
    monkeypatch.setattr(design, "CLIP", 5.0)
    assert renamed() != DESIGN_HASH


def test_another_formula_of_any_feature_is_another_design(monkeypatch):
    features = customer_features.FEATURES
    for place, feature in enumerate(features):
        other = replace(feature, formula=lambda raw, of=feature.formula: of(raw) * 1.01)
        monkeypatch.setattr(design, "FEATURES", (*features[:place], other, *features[place + 1 :]))
        changed = renamed() != DESIGN_HASH
        assert changed or place == design.CLOSED_FORM, feature.name


def test_the_last_digits_of_another_machine_are_not():
    columns = design.design(probe(), SHIPPED, 90.0)
    assert design_hash(columns * (1.0 + np.finfo(float).eps * 4)) == DESIGN_HASH
