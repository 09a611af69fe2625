"""Charts: points stand where their values are, axes are round, colours can be seen."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.backtest.calibration_table import calibration_rows
from streams.backtest.report_parts.axes import Axis, number_axis, round_step, share_axis, time_axis
from streams.backtest.report_parts.calibrated import section
from streams.backtest.report_parts.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Series, figure
from streams.backtest.report_parts.markup import element
from streams.backtest.report_parts.style import STYLE

VALUES = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))


@given(values=st.lists(VALUES, max_size=20), most=st.integers(2, 8), zero=st.booleans())
@example(values=[0.1, 0.1], most=5, zero=False)
@example(values=[-3.0], most=5, zero=True)
def test_an_axis_holds_all_values_between_round_ends(values, most, zero):
    axis = number_axis("y", values, most=most, zero=zero)
    wide = axis.high - axis.low
    assert wide > 0
    assert all(axis.low - 1e-6 * wide <= value <= axis.high + 1e-6 * wide for value in values)
    if zero:
        assert axis.low <= 0 <= axis.high
    ticks = [value for value, _ in axis.ticks]
    assert (ticks[0], ticks[-1]) == (axis.low, axis.high)
    assert 2 <= len(ticks) <= most + 3
    steps = [after - before for before, after in pairwise(ticks)]
    assert max(steps) == pytest.approx(min(steps))
    assert len({written for _, written in axis.ticks}) == len(ticks), "no two ticks read alike"


@given(least=st.floats(1e-12, 1e12))
def test_a_step_is_1_2_or_5_times_a_power_of_ten_and_not_too_large(least):
    step = round_step(least)
    assert least * (1 - 1e-9) <= step <= least * 2.5 * (1 + 1e-9)
    assert re.match(r"[125]\.0+e", f"{step:.6e}")


@given(first=st.integers(700_000, 740_000), length=st.integers(0, 9_000), most=st.integers(3, 6))
def test_months_written_beside_a_time_axis_are_in_it_and_not_too_many(first, length, most):
    axis = time_axis("day", [first, first + length], most=most)
    assert (axis.low, axis.high) == (first, max(first + length, first + 1))
    assert len(axis.ticks) <= most
    assert all(axis.low <= value <= axis.high for value, _ in axis.ticks)


def test_shares_are_written_as_per_cent():
    assert [written for _, written in share_axis("s").ticks] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert [written for _, written in share_axis("s", high=0.25).ticks] == ["0%", "10%", "20%", "30%"]


POINT = st.tuples(st.floats(0, 100), st.none() | st.floats(-50, 50), st.just("said"))
PLOT = {"x": Axis("x", 0, 100, ((0, "0"), (100, "100"))), "y": Axis("y", -50, 50, ((-50, "−50"), (50, "50")))}


def drawn(series: Series) -> ElementTree.Element:
    html = figure(Chart("title", "1.", PLOT["x"], PLOT["y"], [series]))
    return ElementTree.fromstring(re.search(r"<svg.*?</svg>", html)[0])


def value_of(x: str, y: str) -> tuple[float, float]:
    """What stands at these coordinates of the picture."""
    across, up = (float(x) - LEFT) / (RIGHT - LEFT), (BOTTOM - float(y)) / (BOTTOM - TOP)
    return 100 * across, -50 + 100 * up


@given(points=st.lists(POINT, max_size=12))
def test_a_line_goes_through_its_values_and_stops_at_gaps(points):
    (path,) = [p for p in drawn(Series("", "risk", points)).iter("path") if "line" in p.get("class")]
    steps = re.findall(r"([ML])(\S+) ([^ML]+)", path.get("d"))
    assert len(steps) == len([y for _, y, _ in points if y is not None])
    known = iter(steps)
    before = None
    for x, y, _ in points:
        if y is not None:
            pen, at_x, at_y = next(known)
            assert value_of(at_x, at_y) == pytest.approx((x, y), abs=0.06)
            assert pen == ("M" if before is None else "L")
        before = y


@given(points=st.lists(POINT, max_size=12), shape=st.sampled_from(["dots", "rings", "dotted"]))
def test_dots_stand_at_their_values_and_say_them(points, shape):
    dots = list(drawn(Series("", "risk", points, shape)).iter("circle"))
    wanted = [(x, y) for x, y, _ in points if y is not None]
    assert [value_of(dot.get("cx"), dot.get("cy")) for dot in dots] == [pytest.approx(want, abs=0.06) for want in wanted]
    assert all(dot.findtext("title") == "said" for dot in dots)


@given(heights=st.lists(st.floats(-50, 50), min_size=1, max_size=30))
def test_bars_stand_on_zero(heights):
    bars = list(drawn(Series("", "risk", [(k, y, "") for k, y in enumerate(heights)], "bars")).iter("rect"))
    for bar, height in zip(bars, heights, strict=True):
        top = float(bar.get("y"))
        ends = [value_of("0", str(edge))[1] for edge in (top, top + float(bar.get("height")))]
        assert sorted(ends) == pytest.approx(sorted([0.0, height]), abs=0.12)


def test_a_legend_is_there_where_there_is_something_to_tell_apart():
    one, two = (Series(name, "risk", [(1, 1, "")]) for name in ("first", "second"))
    alone, both = (figure(Chart("t", "1.", PLOT["x"], PLOT["y"], series)) for series in ([one], [one, two]))
    assert "legend" not in alone
    assert both.index("first") < both.index("second")


def colours(scheme: str) -> dict[str, str]:
    """Name -> colour of the light or the dark scheme."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", {"light": light, "dark": dark}[scheme]))


def contrast(one: str, other: str) -> float:
    """As the Web Content Accessibility Guidelines define it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_lines_stand_out_from_what_is_behind_them(scheme):
    found = colours(scheme)
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    for behind in ("page", "card", "mark"):
        assert contrast(found["ink"], found[behind]) >= 4.5
        assert contrast(found["soft"], found[behind]) >= 4.5
    for line in ("risk", "btyd", "idle", "frequency", "limit", "good", "bad"):
        assert contrast(found[line], found["page"]) >= 3.0


def test_children_are_escaped_and_nothing_is_left_out_but_none():
    assert element("p", "a<b", None, 0, class_="x", hidden=True, title=None) == '<p class="x" hidden>a&lt;b0</p>'


def test_a_bar_stands_in_its_tenth_where_its_mean_is_rounded_below_it():
    p = np.r_[np.full(399, 0.9), 0.85]
    rows = [asdict(row) for row in calibration_rows(p, np.ones(400, bool))]
    assert rows[1]["p"] < 0.9, "which is what a bar by the mean would be misled by"
    html = section({"calibration": {"risk": rows, "btyd": rows}, "mean": {}})
    assert re.findall(r"<title>(\d+–\d+%: \d+)</title>", html) == ["80–90%: 1", "90–100%: 399"]
