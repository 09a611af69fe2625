"""HTML in which nothing but what is written here is markup: every other text is escaped where it enters.

Names of files and customers come from outside and may hold anything: tags, quotes, controls, signs that turn the direction of
writing around. Tags become text, and what cannot be seen is written out as its code.
"""

from __future__ import annotations

import html
import re

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]")
"""Controls, zero-width and direction signs, halves of characters that no file can hold."""

_VOID = frozenset({"meta", "br", "path", "line", "rect", "circle"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """`value` as text in a page: escaped unless it is Markup.

    >>> text("<b>\\u202e&")
    '&lt;b&gt;\\\\u202e&amp;'
    """
    if isinstance(value, Markup):
        return value
    seen = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(value))
    return Markup(html.escape(seen, quote=True))


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. Children are escaped unless they are Markup; None is nothing.

    attributes   class_ is class, other underscores are hyphens; None leaves one out, True gives it no value

    >>> element("a", "x<y", class_="k", aria_label='"')
    '<a class="k" aria-label="&quot;">x&lt;y</a>'
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID and not children:
        return Markup(f"<{name}{given}>" if name in {"meta", "br"} else f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{together(*children)}</{name}>")


def together(*children: object) -> Markup:
    """Children one after another, escaped as in `element`."""
    return Markup("".join(text(child) for child in children if child is not None))


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
