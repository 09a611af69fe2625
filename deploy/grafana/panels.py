"""Kinds of panels, in Grafana's classic JSON (schema 41, Grafana 11.6), and their places on the board.

A panel is made without id and place; `placed` gives it both. Widths and heights are in Grafana's grid: 24 columns, a row
of 30 pixels and a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

Panel = dict[str, Any]

COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}  # as provisioning/datasources/prometheus.yml has it
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
LEGEND: Panel = {"displayMode": "list", "placement": "bottom", "calcs": []}
TABLE = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
GREEN, BLUE, YELLOW, ORANGE, RED, GREY = "green", "blue", "yellow", "orange", "red", "text"


def query(expr: str, legend: str = "", *, now: bool = False, shape: str = "time_series") -> Panel:
    """One PromQL expression.

    now     its value at the end of the period; otherwise a value for each step of it
    shape   time_series, table or heatmap (buckets of a histogram, which Grafana then takes apart)
    """
    kind = {"instant": True, "range": False} if now else {"instant": False, "range": True}
    return {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend or "__auto", "format": shape} | kind


def panel(kind: str, title: str, sees: str, queries: Sequence[Panel], width: int, height: int, **more: Any) -> Panel:
    """Any panel. sees: what it shows and when to worry, for the (i) beside its title."""
    targets = [one | {"refId": chr(ord("A") + number)} for number, one in enumerate(queries)]
    place = {"gridPos": {"w": width, "h": height}, "datasource": DATASOURCE, "targets": targets}
    return {"type": kind, "title": title, "description": sees} | place | more


def lines(
    title: str,
    sees: str,
    *queries: Panel,
    unit: str = "short",
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    bars: bool = False,
    colors: dict[str, str] | None = None,
    worry: Sequence[tuple[float, str]] = (),
    decimals: int | None = None,
) -> Panel:
    """Values over time, from 0 up.

    bars     counts of a step each, at most a hundred; otherwise lines
    colors   series -> colour, where a colour means something
    worry    (value, colour): dashed lines at these values
    """
    custom: Panel = {"drawStyle": "bars" if bars else "line", "lineWidth": 1, "showPoints": "never", "spanNulls": False}
    custom |= {"fillOpacity": 70 if bars else 40 if stacked else 8, "axisSoftMin": 0}
    custom |= {"stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    custom |= {"thresholdsStyle": {"mode": "dashed" if worry else "off"}}
    defaults = _field(unit, worry, decimals) | {"custom": custom, "min": 0, "color": {"mode": "palette-classic"}}
    options = {
        "legend": {"showLegend": True} | LEGEND,
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    more = {"maxDataPoints": 100, "interval": "1m"} if bars else {}
    field = {"defaults": defaults, "overrides": _colored(colors or {})}
    return panel("timeseries", title, sees, queries, width, height, fieldConfig=field, options=options, **more)


def number(
    title: str, sees: str, expr: str, *, unit: str = "short", worry: Sequence[tuple[float, str]] = (), decimals: int | None = None
) -> Panel:
    """One number with its recent course behind it."""
    options: Panel = {"reduceOptions": LAST, "textMode": "value", "wideLayout": True, "orientation": "auto"}
    options |= {"showPercentChange": False, "percentChangeColorMode": "standard"}
    options |= {"colorMode": "value", "graphMode": "area" if "$__range" not in expr else "none", "justifyMode": "center"}
    defaults = _field(unit, worry, decimals) | {"color": {"mode": "thresholds"}, "noValue": "–"}
    field = {"defaults": defaults, "overrides": []}
    queries = [query(expr, now="$__range" in expr)]
    return panel("stat", title, sees, queries, 4, 4, fieldConfig=field, options=options)


def ranking(title: str, sees: str, one: Panel, *, width: int = 8, height: int = 9, unit: str = "short") -> Panel:
    """Horizontal bars, one a series."""
    options: Panel = {"reduceOptions": LAST, "orientation": "horizontal", "displayMode": "basic", "valueMode": "color"}
    options |= {"namePlacement": "left", "showUnfilled": False, "sizing": "auto", "legend": {"showLegend": False} | LEGEND}
    options |= {"minVizWidth": 8, "minVizHeight": 8, "maxVizHeight": 40}
    defaults = _field(unit, (), 0) | {"color": {"mode": "fixed", "fixedColor": BLUE}, "min": 0}
    field = {"defaults": defaults, "overrides": []}
    return panel("bargauge", title, sees, [one], width, height, fieldConfig=field, options=options)


def heatmap(title: str, sees: str, expr: str, *, unit: str, top: float, width: int, height: int) -> Panel:
    """Buckets of a histogram over time; `top` is the upper end of the axis."""
    options: Panel = {"calculate": False, "cellGap": 1, "yAxis": {"unit": unit, "min": 0, "max": top}}
    shades = {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "scale": "exponential", "exponent": 0.5, "steps": 64}
    options |= {"color": shades | {"reverse": False}, "showValue": "never", "exemplars": {"color": "rgba(255,0,255,0.7)"}}
    options |= {"rowsFrame": {"layout": "auto"}, "filterValues": {"le": 1e-9}, "legend": {"show": True}}
    options |= {"tooltip": {"mode": "single", "yHistogram": True}, "cellValues": {"decimals": 0}}
    buckets = query(expr, "{{le}}", shape="heatmap")
    return panel("heatmap", title, sees, [buckets], width, height, options=options, maxDataPoints=100, interval="1m")


def matrix(title: str, sees: str, expr: str, *, rows: str, columns: str, order: Sequence[str], width: int, height: int) -> Panel:
    """A table of one label against another, the larger the number the darker. order: the columns from left to right."""
    corner = f"{rows}\\{columns}"
    places = {name: place for place, name in enumerate((corner, *order))}
    transformations = [
        {"id": "groupingToMatrix", "options": {"rowField": rows, "columnField": columns, "valueField": "Value"}},
        {"id": "organize", "options": {"indexByName": places, "renameByName": {corner: rows}, "excludeByName": {}}},
    ]
    shade = {"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "right", "inspect": False}
    defaults = _field("short", (), 0) | {"color": {"mode": "continuous-YlRd"}, "custom": shade}
    plain = [{"id": "custom.cellOptions", "value": {"type": "auto"}}, {"id": "custom.align", "value": "left"}]
    overrides = [{"matcher": {"id": "byName", "options": rows}, "properties": plain}]
    field = {"defaults": defaults, "overrides": overrides}
    more = {"fieldConfig": field, "transformations": transformations, "options": TABLE}
    return panel("table", title, sees, [query(expr, now=True, shape="table")], width, height, **more)


def table(title: str, sees: str, expr: str, *, columns: Sequence[str], width: int, height: int) -> Panel:
    """The series of an info metric, one a line, by these labels."""
    places = {name: place for place, name in enumerate(columns)}
    organize = {"excludeByName": {"Time": True, "Value": True}, "indexByName": places, "renameByName": {}}
    more = {"fieldConfig": {"defaults": {}, "overrides": []}, "options": TABLE}
    more |= {"transformations": [{"id": "organize", "options": organize}]}
    return panel("table", title, sees, [query(expr, now=True, shape="table")], width, height, **more)


def strip(*panels: Panel) -> Panel:
    """Panels without a title above them."""
    return {"type": "strip", "panels": list(panels)}


def row(title: str, *panels: Panel, collapsed: bool = False) -> Panel:
    """Panels under a title, which folds them away."""
    return {"type": "row", "title": title, "collapsed": collapsed, "panels": list(panels)}


def placed(parts: Sequence[Panel]) -> list[Panel]:
    """The panels of strips and rows with ids and places, from left to right and top to bottom.

    As Grafana has it, a folded row holds its panels and takes one line; an open row's panels follow it.
    """
    ids, y, found = count(1), 0, []
    for part in parts:
        title = [part | {"id": next(ids), "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}] if part["type"] == "row" else []
        y += len(title)
        panels, end = _flow(part["panels"], y, ids)
        folded = part.get("collapsed", False)
        for one in title:
            one["panels"] = panels if folded else []
        found += title if folded else title + panels
        y = y if folded else end
    return found


def _flow(panels: Sequence[Panel], y: int, ids: Iterator[int]) -> tuple[list[Panel], int]:
    x, tallest, found = 0, 0, []
    for one in panels:
        width, height = one["gridPos"]["w"], one["gridPos"]["h"]
        if x + width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        found.append(one | {"id": next(ids), "gridPos": {"x": x, "y": y, "w": width, "h": height}})
        x, tallest = x + width, max(tallest, height)
    return found, y + tallest


def _field(unit: str, worry: Sequence[tuple[float, str]], decimals: int | None) -> Panel:
    steps = [{"color": GREEN, "value": None}, *({"color": color, "value": value} for value, color in worry)]
    exact = {} if decimals is None else {"decimals": decimals}
    return {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}} | exact


def _colored(colors: dict[str, str]) -> list[Panel]:
    return [
        {
            "matcher": {"id": "byName", "options": series},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for series, color in colors.items()
    ]
