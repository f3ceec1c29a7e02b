"""Maps of attention as drawings of lines and squares (SVG), whose values are told where one points at them."""

from collections.abc import Sequence
from html import escape

from ..evaluation.panels import Maps

_CELL, _LETTER, _GAP = 18, 6.6, 8  # sizes of a square, of a letter, and between names and squares
_LONGEST = 16  # letters of a name that are shown


def draw_maps(maps: Maps) -> str:
    """The maps one beside the other, as HTML."""
    drawn = "".join(
        f'<figure class="map"><h4>{escape(heading)}</h4>{_map(maps, heading, weights)}</figure>'
        for heading, weights in maps.maps
    )
    caption = f"<figcaption>{escape(maps.caption)}</figcaption>" if maps.caption else ""
    return f'<figure><h3>{escape(maps.title)}</h3><div class="maps">{drawn}</div>{caption}</figure>'


def _map(maps: Maps, heading: str, weights: Sequence[Sequence[float]]) -> str:
    rows, columns = ([_short(name) for name in names] for names in (maps.rows, maps.columns))
    left = _LETTER * max(map(len, rows), default=0) + _GAP
    top = _LETTER * max(map(len, columns), default=0) + _GAP
    width, height = left + _CELL * len(columns) + _GAP, top + _CELL * len(rows)
    parts = [
        f'<text class="row" x="{left - _GAP:.0f}" y="{top + _CELL * (place + 0.7):.0f}">{escape(name)}</text>'
        for place, name in enumerate(rows)
    ]
    parts += [
        f'<text x="0" y="0" transform="translate({left + _CELL * (place + 0.7):.0f} {top - _GAP:.0f}) rotate(-90)">'
        f"{escape(name)}</text>"
        for place, name in enumerate(columns)
    ]
    for row, (name, own) in enumerate(zip(maps.rows, weights, strict=True)):
        for column, (other, weight) in enumerate(zip(maps.columns, own, strict=True)):
            x, y = left + _CELL * column, top + _CELL * row
            told = f"{escape(name)} takes {weight:.3f} from {escape(other)}"
            parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" fill-opacity="{weight:.3f}"><title>{told}</title></rect>')
    label = f"{maps.title}, {heading}: how much each of {len(rows)} pieces takes from each of {len(columns)}"
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}">{"".join(parts)}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
