"""Charts as SVG inside the page: lines, dots and bars on two axes, with a legend, and all of it in words for who cannot see it.

Colours and dashes come from the page's style by class, so a chart follows the light and the dark scheme; lines differ by dash
as well as by colour. A point tells its value to a pointer that rests on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from streams.backtest.report_parts.axes import Axis
from streams.backtest.report_parts.markup import Markup, element, together
from streams.backtest.report_parts.words import known

WIDTH, HEIGHT = 440, 260
LEFT, RIGHT, TOP, BOTTOM = 50, 428, 26, 214
"""The plot's edges."""

LABEL_WIDTH = 7
"""About how wide a character of a tick is."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line, row of dots, or row of bars.

    name     for the legend; empty: none
    look     class of the page's style: risk, btyd, idle, frequency, limit, chance
    points   (x, y, what to say of it); a y of None is a gap
    shape    line joins the points, dotted shows each too, dots and rings are all there is of them, bars stand on 0
    sizes    of the dots, a radius each; empty: all alike
    """

    name: str
    look: str
    points: Sequence[tuple[float, float | None, str]]
    shape: Literal["line", "dotted", "dots", "rings", "bars"] = "line"
    sizes: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """title   what is shown, above it
    words   what is seen in it, for who cannot see
    series  in the order of the legend; the first is drawn last, so that it lies on top
    """

    title: str
    words: str
    x: Axis
    y: Axis
    series: Sequence[Series]


def figure(chart: Chart) -> Markup:
    """The chart with its title and legend."""
    return element(
        "figure",
        element("figcaption", chart.title),
        _legend(chart.series),
        element(
            "svg",
            _grid(chart.x, chart.y),
            *(_drawn(series, chart) for series in reversed(chart.series)),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=f"{chart.title}. {chart.words}",
        ),
    )


def ranges(series: Sequence[Series], shown: Callable[[float], str]) -> str:
    """Each series from its lowest to its highest point, in words."""
    told = []
    for one in series:
        values = [y for _, y, _ in one.points if y is not None and known(y)]
        if one.name and values:
            told.append(f"{one.name}: {shown(min(values))} to {shown(max(values))}, last {shown(values[-1])}")
    return "; ".join(told) + "."


def _legend(series: Sequence[Series]) -> Markup | None:
    named = [one for one in series if one.name]
    if len(named) < 2:
        return None
    return element("ul", *(element("li", _swatch(one), one.name) for one in named), class_="legend")


def _swatch(series: Series) -> Markup:
    if series.shape in ("line", "dotted"):
        drawn = element("path", d="M1 6H25", class_=f"line {series.look}")
    else:
        drawn = element("circle", cx=13, cy=6, r=4, class_=_mark(series))
    return element("svg", drawn, viewBox="0 0 26 12", class_="swatch", aria_hidden="true")


def _mark(series: Series) -> str:
    return f"{'ring' if series.shape == 'rings' else 'dot'} {series.look}"


def _grid(x: Axis, y: Axis) -> Markup:
    parts = [element("text", y.label, x=2, y=12, class_="label")]
    for value, written in y.ticks:
        at = _n(y.place(value, BOTTOM, TOP))
        parts.append(element("path", d=f"M{LEFT} {at}H{RIGHT}", class_="grid"))
        parts.append(element("text", written, x=LEFT - 6, y=_n(y.place(value, BOTTOM, TOP) + 4), class_="tick end"))
    for value, written in x.ticks:
        place = x.place(value, LEFT, RIGHT)
        half = LABEL_WIDTH * len(written) / 2
        anchor = "end" if place + half > WIDTH else "middle"
        parts.append(element("path", d=f"M{_n(place)} {BOTTOM}v4", class_="axis"))
        middle = min(place, WIDTH - 2) if anchor == "middle" else WIDTH - 2
        parts.append(element("text", written, x=_n(middle), y=BOTTOM + 18, class_=f"tick {anchor}"))
    parts.append(element("path", d=f"M{LEFT} {BOTTOM}H{RIGHT}", class_="axis"))
    parts.append(element("text", x.label, x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, class_="label middle"))
    return together(*parts)


def _drawn(series: Series, chart: Chart) -> Markup:
    placed = [
        (chart.x.place(x, LEFT, RIGHT), chart.y.place(y, BOTTOM, TOP), said)
        for x, y, said in series.points
        if y is not None and known(y)
    ]
    if series.shape == "bars":
        return _bars(series, placed, chart)
    parts = []
    if series.shape in ("line", "dotted"):
        parts.append(element("path", d=_path(series, chart), class_=f"line {series.look}"))
    if series.shape != "line":
        sizes = series.sizes or [3.0] * len(placed)
        parts += [
            element("circle", element("title", said), cx=_n(x), cy=_n(y), r=_n(r), class_=_mark(series))
            for (x, y, said), r in zip(placed, sizes, strict=True)
        ]
    return together(*parts)


def _bars(series: Series, placed: Sequence[tuple[float, float, str]], chart: Chart) -> Markup:
    floor = chart.y.place(0.0, BOTTOM, TOP)
    wide = max((RIGHT - LEFT) / max(len(series.points), 1) * 0.8, 0.8)
    return together(
        *(
            element(
                "rect",
                element("title", said),
                x=_n(min(max(x - wide / 2, LEFT), RIGHT - wide)),
                y=_n(min(y, floor)),
                width=_n(wide),
                height=_n(abs(floor - y)),
                class_=f"bar {series.look}",
            )
            for x, y, said in placed
        )
    )


def _path(series: Series, chart: Chart) -> str:
    parts, pen_down = [], False
    for x, y, _ in series.points:
        if y is None or not known(y):
            pen_down = False
            continue
        at = f"{_n(chart.x.place(x, LEFT, RIGHT))} {_n(chart.y.place(y, BOTTOM, TOP))}"
        parts.append(("L" if pen_down else "M") + at)
        pen_down = True
    return "".join(parts)


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
