"""Tables: numbers to the right, the first column names the row, and a narrow screen scrolls the table and not the page."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from streams.backtest.report_parts.markup import Markup, element

BROAD = 5
"""Columns above which a table is not squeezed into a narrow screen but scrolls."""


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    words: Collection[int] = (),
    marked: Collection[int] = (),
) -> Markup:
    """A table.

    caption   what it shows; above it
    head      one title a column; all empty: none is shown
    rows      cells, escaped unless Markup; the first names the row
    words     columns that hold words, to the left; the first does always
    marked    numbers of the rows that are set off
    """
    left = {0, *words}
    header = element("tr", *(element("th", title, scope="col", class_=_side(k in left)) for k, title in enumerate(head)))
    body = [
        element(
            "tr",
            *(
                element("th" if k == 0 else "td", cell, scope="row" if k == 0 else None, class_=_side(k in left))
                for k, cell in enumerate(row)
            ),
            class_="marked" if number in marked else None,
        )
        for number, row in enumerate(rows)
    ]
    broad = "broad" if len(head) > BROAD else None
    whole = element(
        "table",
        element("caption", caption),
        element("thead", header) if any(head) else None,
        element("tbody", *body),
        class_=broad,
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def folded(summary: str, *content: Markup) -> Markup:
    """Content that is opened on demand."""
    return element("details", element("summary", summary), *content)


def _side(left: bool) -> str | None:
    return "words" if left else None
