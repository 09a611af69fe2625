"""Parameter snapshots survive the way through a file, and a wrong one is refused by field, value and fix."""

from __future__ import annotations

import msgspec
import pytest

from detectors.parameters import SHIPPED, dumps, loads

TEXT = dumps(SHIPPED).decode()


def test_shipped_parameters_are_the_published_ones_in_days():
    assert (SHIPPED.r, SHIPPED.a, SHIPPED.b) == (0.525, 0.891, 1.614)
    assert SHIPPED.alpha_days == pytest.approx(43.281)
    assert (SHIPPED.version, SHIPPED.customers) == ("shipped-cdnow-1", 2357)


def test_a_snapshot_comes_back_bit_for_bit_and_equal_content_is_equal_bytes():
    odd = msgspec.structs.replace(SHIPPED, r=0.1 + 0.2, fitted_at_ms=875_664_000_000, log_likelihood=None)
    assert loads(dumps(odd)) == odd
    assert dumps(loads(dumps(odd))) == dumps(odd)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("0.525", "-0.5"), r"r = -0.5: must be above 0"),
        (TEXT.replace("0.525", "0"), r"r = 0.0: must be above 0"),
        (TEXT.replace("0.525", '"half"'), r"`\$.r` \(value 'half'\); correct the file"),
        (TEXT.replace('"a"', '"A"'), "unknown field `A`"),
        (TEXT.replace('"mbg_nbd"', '"pareto"'), r"pareto"),
        (TEXT.replace('"shipped-cdnow-1"', '""'), "version = ''"),
        (TEXT.replace("2357", "-1"), "customers = -1"),
        ("{}", "missing required field `model`"),
        ("[]", "Expected `object`"),
        ("{", "not JSON"),
        (TEXT.replace("0.525", '"half"').replace("2357", "?"), r"`\$.r`; correct the file"),
        ("[" * 100_000, "Expected `object`"),
        ('{"model": "mbg_nbd", "x": ' + "[" * 100_000, "unknown field `x`"),
        ('{"model": 1, "x": ' + "[" * 100_000, r"`\$.model`; correct the file"),
    ],
)
def test_a_wrong_file_is_refused_by_field_and_fix(text, message):
    with pytest.raises(ValueError, match=message) as refusal:
        loads(text.encode())
    assert "churnwatch fit" in str(refusal.value)


def test_bytes_that_are_not_text_are_refused():
    with pytest.raises(ValueError, match="not JSON"):
        loads(b"\xff\xfe")


@pytest.mark.parametrize("fitted_at_ms", [-1, 253_402_300_800_000, 10**400])
def test_a_date_that_is_none_is_refused(fitted_at_ms):
    with pytest.raises(ValueError, match="fitted_at_ms = "):
        loads(TEXT.replace('"fitted_at_ms": null', f'"fitted_at_ms": {fitted_at_ms}').encode())


@pytest.mark.parametrize("changes", [{"alpha_days": float("nan")}, {"b": float("inf")}, {"log_likelihood": float("inf")}])
def test_no_parameter_is_infinite_or_missing_a_value(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"{name} = "):
        type(SHIPPED)(**{**msgspec.structs.asdict(SHIPPED), **changes})
