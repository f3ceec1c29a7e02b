"""The self-contained page: one HTML file with Plotly inside, which asks no network for anything."""

import json
from html import escape
from pathlib import Path

from ..evaluation.panels import Figure, Grid, Item, Maps, Matrix, Number, Panel, Passages
from ..files import write_atomically
from .maps import draw_maps

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #5b6472; --paper: #fff; --line: #dde2e8; --accent: #0b7fab; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --quiet: #a4adb9; --paper: #14181d; --line: #323a44; --accent: #58b4d8; } }
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1160px; margin: 0 auto; padding: 2rem 1rem 4rem }
h1 { font-size: 1.7rem; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; border-top: 1px solid var(--line); padding-top: 1.4rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem } p, figcaption { color: var(--quiet); margin: .2rem 0 .8rem; max-width: 75ch }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0 }
td { white-space: nowrap } td.prose { white-space: normal; min-width: 22rem }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top } th { color: var(--quiet); font-weight: 600 }
.pairs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 0 1.2rem } .pairs figure { min-width: 0 }
td.number { text-align: right } figure { margin: 1rem 0 } .plot { min-height: 400px }
.passage { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .8rem; margin: .9rem 0; max-width: 80ch; overflow-wrap: anywhere; white-space: pre-wrap }
.passage b { display: block; font-size: .9rem; color: var(--quiet); white-space: normal } mark { color: inherit; border-radius: 3px; background: none }
td.cell { text-align: right; padding: .5rem .8rem; min-width: 4.5rem } th.name { white-space: nowrap }
.maps { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem } .map { margin: .2rem 0; overflow-x: auto; max-width: 100% } h4 { font-size: .85rem; font-weight: 600; color: var(--quiet); margin: 0 }
.map svg { max-width: none; font: 11px ui-monospace, monospace } .map text { fill: var(--ink) } .map text.row { text-anchor: end }
.map rect { width: 17px; height: 17px; fill: var(--accent); stroke: var(--line); stroke-width: .5 } .map rect:hover { stroke: var(--ink); stroke-width: 1.5 }
.better { color: #2e8b57; font-weight: 600 } .worse { color: #d1495b; font-weight: 600 }
"""
_LONG = 36  # letters; a longer text is broken into lines
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_SCRIPT = """
for (const place of document.querySelectorAll('.plot')) {
  const figure = JSON.parse(document.getElementById(place.id + '-data').textContent);
  const ink = getComputedStyle(document.documentElement).getPropertyValue('--quiet').trim();
  figure.layout.font.color = ink;
  Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displaylogo: false });
}
"""


def write_page(path: Path, title: str, lead: str, panels: list[Panel]) -> None:
    """Writes a report.

    Args:
        path: The file; replaced as a whole if it exists.
        title: The page's heading.
        lead: A sentence below it.
        panels: What to show, in order.
    """
    drawn = any(isinstance(item, Figure) for panel in panels for item in panel.items)
    sections = "\n".join(_section(number, panel) for number, panel in enumerate(panels))
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(lead)}</p>
{sections}
</main>
{_plotly() if drawn else ""}
</body>
</html>
"""
    write_atomically(path, page.encode())


def _plotly() -> str:
    """What draws figures; a page without any goes without it."""
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>\n<script>{_SCRIPT}</script>"


def _section(number: int, panel: Panel) -> str:
    items = "\n".join(_item(f"plot-{number}-{position}", item) for position, item in enumerate(panel.items))
    prose = f"<p>{escape(panel.prose)}</p>" if panel.prose else ""
    items = f'<div class="pairs">\n{items}\n</div>' if panel.side_by_side else items
    return f"<section>\n<h2>{escape(panel.heading)}</h2>\n{prose}\n{items}\n</section>"


def _item(identifier: str, item: Item) -> str:
    if isinstance(item, Figure):
        return _figure(identifier, item)
    if isinstance(item, Matrix):
        return _matrix(item)
    if isinstance(item, Maps):
        return draw_maps(item)
    return _passages(item) if isinstance(item, Passages) else _grid(item)


def _matrix(matrix: Matrix) -> str:
    head = "".join(f'<th class="name">{escape(name)}</th>' for name in matrix.names)
    rows = []
    for name, counts in zip(matrix.names, matrix.counts, strict=True):
        total = max(1, sum(counts))
        cells = "".join(
            f'<td class="cell" style="background: rgba(11,127,171,{0.75 * count / total:.2f})">{count:,}</td>'
            for count in counts
        )
        rows.append(f'<tr><th class="name">{escape(name)}</th>{cells}</tr>')
    corner = f"{escape(matrix.row_label)} \u2193 {escape(matrix.column_label)} \u2192"
    return (
        f'<figure><h3>{escape(matrix.title)}</h3><div class="wide"><table><thead><tr><th>{corner}</th>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>{_caption(matrix.caption)}</figure>"
    )


def _passages(passages: Passages) -> str:
    entries = []
    for entry in passages.entries:
        under = entry.underlined or [0.0] * len(entry.pieces)
        text = "".join(map(_piece, entry.pieces, entry.strengths, under))
        entries.append(f'<div class="passage"><b>{escape(entry.heading)}</b>{text}</div>')
    return f"<figure><h3>{escape(passages.title)}</h3>{''.join(entries)}{_caption(passages.caption)}</figure>"


def _piece(piece: str, strength: float, underlined: float) -> str:
    colour = "46,139,87" if strength > 0 else "209,73,91"
    shade = f"background: rgba({colour},{0.65 * min(1.0, abs(strength)):.2f})" if abs(strength) >= 0.05 else ""
    line = f"box-shadow: inset 0 -3px rgba(11,127,171,{min(1.0, underlined):.2f})" if underlined >= 0.1 else ""
    style = "; ".join(filter(None, (shade, line)))
    return f'<mark style="{style}">{escape(piece)}</mark>' if style else escape(piece)


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>" if text else ""


def _figure(identifier: str, figure: Figure) -> str:
    from .figures import figure_document

    content = json.dumps(figure_document(figure)).replace("<", "\\u003c")
    caption = _caption(figure.caption)
    return (
        f'<figure><div class="plot" id="{identifier}" role="img" aria-label="{escape(figure.title)}"></div>{caption}'
        f'<script type="application/json" id="{identifier}-data">{content}</script></figure>'
    )


def _grid(grid: Grid) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in grid.header)
    rows = "\n".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in grid.rows)
    return (
        f'<figure><h3>{escape(grid.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_caption(grid.caption)}</figure>"
    )


def _cell(value: str | Number) -> str:
    if isinstance(value, str):
        kind = value if value in ("better", "worse") else "prose" if len(value) > _LONG else ""
        return f'<td class="{kind}">{escape(value)}</td>' if kind else f"<td>{escape(value)}</td>"
    if value is None:
        return "<td></td>"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f'<td class="number">{shown}</td>'
