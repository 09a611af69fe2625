"""The page's one style sheet: light and dark by the reader's choice, narrow screens, paper.

No font, picture or script comes from elsewhere; the page's own content policy forbids it (see `report_html`).
"""

from __future__ import annotations

_LIGHT = """
  --page: #ffffff; --card: #f5f6f8; --ink: #1b1f24; --soft: #545d68; --rule: #d5d9df; --mark: #fff3d6;
  --risk: #0a58b8; --btyd: #b3500f; --idle: #0b7a64; --frequency: #8a2fb0; --limit: #7a828c; --good: #176b3a; --bad: #b3261e;
"""
_DARK = """
  --page: #14171b; --card: #1e2228; --ink: #e8eaed; --soft: #a8b0ba; --rule: #3a414a; --mark: #3d3316;
  --risk: #6cb2ff; --btyd: #f2a25c; --idle: #4fd0b3; --frequency: #d19bea; --limit: #98a1ab; --good: #6fd08f; --bad: #ff8a80;
"""

STYLE = (
    f":root {{ color-scheme: light dark; {_LIGHT} }}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}\n"
    """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  -webkit-text-size-adjust: 100%; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, ul.said { max-width: 44rem; margin: .5rem 0; }
ul.said { padding-left: 1.2rem; }
ul.said li { margin: .3rem 0; }
.under, .small, figcaption, caption, .tile span { color: var(--soft); }
.under { margin: 0 0 1.25rem; overflow-wrap: anywhere; }
.small, .small p { font-size: .875rem; }
.verdict { font-size: 1.15rem; line-height: 1.4; font-weight: 600; padding: .1rem 0 .1rem .8rem;
  border-left: 4px solid var(--limit); }
.verdict.good { border-color: var(--good); }
.verdict.bad { border-color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; }
.tile { background: var(--card); border-radius: .5rem; padding: .7rem .8rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: .85rem; line-height: 1.35; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 1.5rem;
  margin: 1rem 0; }
.charts > .scroll { margin: -.25rem 0 0; }
.charts > .scroll + figure { align-self: start; }
figure { margin: 0; max-width: 34rem; min-width: 0; break-inside: avoid; display: flex; flex-direction: column; }
figcaption { font-size: .9rem; font-weight: 600; }
figure > svg { display: block; width: 100%; height: auto; overflow: visible; margin-top: auto; }
.legend { list-style: none; margin: .2rem 0 .3rem; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8rem; }
.legend li { display: flex; align-items: center; gap: .35rem; }
.swatch { width: 26px; height: 12px; flex: none; }
svg text { fill: var(--soft); font-size: 12px; font-family: inherit; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
.grid { stroke: var(--rule); stroke-width: 1; fill: none; }
.axis { stroke: var(--limit); stroke-width: 1; fill: none; }
.line { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.dot { stroke: var(--page); stroke-width: 1; }
.ring { fill: none; stroke-width: 1.75; }
.line.risk { stroke: var(--risk); stroke-width: 2.75; }
.line.btyd { stroke: var(--btyd); stroke-dasharray: 7 3; }
.line.idle { stroke: var(--idle); stroke-dasharray: 2 3; stroke-width: 2.25; }
.line.frequency { stroke: var(--frequency); stroke-dasharray: 9 3 2 3; }
.line.limit { stroke: var(--limit); }
.line.chance { stroke: var(--limit); stroke-dasharray: 4 4; stroke-width: 1.25; }
.dot.risk, .bar.risk { fill: var(--risk); }
.dot.btyd { fill: var(--btyd); }
.ring.btyd { stroke: var(--btyd); }
.dot.idle { fill: var(--idle); }
.dot.frequency { fill: var(--frequency); }
.dot.limit, .bar.limit { fill: var(--limit); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
table.broad { min-width: 44rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--rule); font-weight: 400; vertical-align: top; }
thead th { font-weight: 600; vertical-align: bottom; }
td, tbody th { white-space: nowrap; }
th.words, td.words { text-align: left; white-space: normal; }
td.words:last-child { min-width: 12rem; }
th:first-child, td:first-child { padding-left: .3rem; }
tr.marked > * { background: var(--mark); }
.settings td { overflow-wrap: anywhere; max-width: 30rem; }
details { margin: .75rem 0; }
summary { cursor: pointer; font-size: .9rem; }
dl { margin: .5rem 0; max-width: 48rem; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; color: var(--soft); }
code { font-family: ui-monospace, SFMono-Regular, Consolas, monospace; font-size: .9em; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--risk); outline-offset: 2px; }
@media (max-width: 30rem) {
  main { padding: 1rem .8rem 2rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .tile b { font-size: 1.25rem; }
  .tile:last-child:nth-child(odd) { grid-column: span 2; }
}
@page { margin: 14mm; }
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2, h3, h2 + p, caption, figcaption, dt { break-after: avoid; }
  p, dd, li { break-inside: avoid; }
  .tiles { grid-template-columns: repeat(5, 1fr); }
  table.broad { min-width: 0; }
  tr, figure, .tile, dt { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding: .2rem .45rem; }
  .tile, tr.marked > *, .bar, .dot { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
)
