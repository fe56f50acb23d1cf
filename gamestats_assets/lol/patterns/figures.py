"""Charts of the report for Plotly, and numbers in words.

Colours are names such as `--series-1`, which the page resolves for its light or dark mode.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gamestats_assets.lol.patterns.patterns import LEVEL

UNITS: Mapping[str, tuple[float, str, str]] = {
    "win_rate": (100, "+.1f", "points"),
    "dpm": (1, "+.1f", "damage per minute"),
    "correlation": (1, "+.3f", "rank correlation"),
}
_ABBREVIATIONS: Mapping[str, str] = {"cs": "CS", "dpm": "DPM", "kda": "KDA", "xp": "XP", "diff": "lead", "s": "(s)"}

_FADED = 0.22

Row = Mapping[str, Any]
Figure = dict[str, Any]

# --------------------------------------------------------------------------- numbers in words


def rate(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def effect_text(value: float | None, unit: str) -> str:
    """Returns an effect with its sign, on the unit's scale, without the unit's name."""
    if value is None:
        return "–"
    scale, form, _ = UNITS[unit]
    return format(scale * value, form)


def size_text(value: float, unit: str) -> str:
    """Returns the size of an effect with its unit."""
    scale, form, name = UNITS[unit]
    size = format(scale * value, form.lstrip("+"))
    return f"a {name} of {size}" if unit == "correlation" else f"{size} {name}"


def q_text(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def clock(seconds: float | None) -> str:
    return "–" if seconds is None else f"{int(seconds // 60)}:{int(seconds % 60):02}"


def gold_text(value: float | None) -> str:
    return "gold unknown" if value is None else f"{value:+,.0f} gold"


def plural(count: int, name: str, plural: str | None = None) -> str:
    return f"{count:,} {name if count == 1 else plural or f'{name}s'}"


def variable_words(variable: str) -> str:
    """Returns a variable's name for readers: `lane_gold_diff_at_10` becomes Lane gold lead at 10."""
    words = " ".join(_ABBREVIATIONS.get(word, word) for word in variable.split("_"))
    return words[:1].upper() + words[1:]


# --------------------------------------------------------------------------- charts


def figure(name: str, title: str, note: str, data: list[Any], *, wide: bool = False, **layout: Any) -> Figure:
    return {"id": name, "title": title, "note": note, "wide": wide, "data": data, "layout": layout}


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a chart of intervals: the value, its interval, and a value to compare with."""

    label: str
    korean: str | None
    more: str
    value: float | None
    low: float | None
    high: float | None
    beside: float | None = None
    hover: str = ""


def intervals_chart(
    name: str,
    title: str,
    note: str,
    marks: Sequence[Mark],
    x: str,
    *,
    series: str,
    beside: str | None = None,
    line: tuple[float, str] | None = None,
    wide: bool = True,
    whole: str = ".1f",
) -> Figure:
    """Returns a chart of rows with a dot and its interval, from top to bottom.

    Args:
        series: meaning of the dots.
        beside: meaning of the hollow marks.
        line: position and name of a reference line; a non-empty name appears in the legend.
        whole: format of numbers.
    """
    places = list(range(len(marks)))
    # Plotly interprets a few tags in texts, so names are escaped.
    beside_label = [
        [_plain(each) for each in (mark.korean, mark.more) if each and each != mark.label] for mark in marks
    ]
    labels, tall = (
        [
            f"{_plain(mark.label)}<br>{_SMALL}{apart.join(more)}</span>"
            for mark, more in zip(marks, beside_label, strict=True)
        ]
        for apart in (" · ", f"</span><br>{_SMALL}")
    )
    values = [value for mark in marks for value in (mark.value, mark.low, mark.high, mark.beside) if value is not None]
    values += [line[0]] if line else []
    margin = 0.05 * (max(values) - min(values)) or 1.0
    data: list[Any] = []
    if line is not None:
        at, called = line
        ends = {"line": {"color": "--quiet", "width": 1.5, "dash": "dot"}, "showlegend": bool(called)}
        data.append(_trace("lines", called, [at, at], [-0.6, len(marks) - 0.4], hoverinfo="skip", **ends))
    if beside is not None:
        circles = {"color": "--series-2", "symbol": "circle-open", "size": 11, "line": {"width": 2}}
        hover = f"%{{customdata}}<br>{beside}: %{{x:{whole}}}<extra></extra>"
        names = [_plain(mark.label) for mark in marks]
        beside_values = [mark.beside for mark in marks]
        data.append(
            _trace("markers", beside, beside_values, places, customdata=names, marker=circles, hovertemplate=hover)
        )
    hovers = [f"{_plain(mark.label)}<br>{series}: {_between(mark, whole)}{_plain(mark.hover)}" for mark in marks]
    bars = {
        "type": "data", "symmetric": False, "color": "--series-1", "thickness": 2, "width": 4,
        "array": [_apart(mark.high, mark.value) for mark in marks],
        "arrayminus": [_apart(mark.value, mark.low) for mark in marks],
    }  # fmt: skip
    data.append(
        _trace(
            "markers", series, [mark.value for mark in marks], places, customdata=hovers, error_x=bars,
            marker={"color": "--series-1", "size": 9}, hovertemplate="%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    drawn = figure(
        name, title, note, data, wide=wide, height=110 + 42 * len(marks),
        xaxis={"title": {"text": x}, "automargin": True, "range": [min(values) - margin, max(values) + margin]},
        yaxis={
            "range": [len(marks) - 0.4, -0.6], "automargin": True, "showgrid": False, "zeroline": False,
            "tickmode": "array", "tickvals": places, "ticktext": labels,
        },
    )  # fmt: skip
    return drawn | {"labels": tall, "lines": 1 + max(map(len, beside_label), default=0)}


def _trace(mode: str, name: str, x: list[Any], y: list[Any], **more: Any) -> dict[str, Any]:
    return {"type": "scatter", "mode": mode, "name": name, "x": x, "y": y, **more}


_SMALL = "<span style='font-size:10.5px'>"


def _plain(text: str) -> str:
    return html.escape(text, quote=False)


def _between(mark: Mark, form: str) -> str:
    if mark.value is None:
        return "unknown"
    ends = "" if mark.low is None or mark.high is None else f" ({mark.low:{form}} to {mark.high:{form}})"
    return f"{mark.value:{form}}{ends}"


def _apart(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def scaled(scale: float, *values: float | None) -> tuple[float | None, ...]:
    return tuple(None if value is None else scale * value for value in values)


def heatmap(rows: Sequence[Row]) -> tuple[Figure, int]:
    """Returns a map of correlations between variables, without title, and the number of pairs faded as uncertain."""
    pairs = {(row["variable"], row["other_variable"]): row for row in rows}
    names = clustered(pairs)
    labels = [variable_words(name) for name in names]
    sure: list[list[float | None]] = []
    unsure: list[list[float | None]] = []
    hover: list[list[str]] = []
    for name in names:
        found = [pairs.get((name, other)) or pairs.get((other, name)) for other in names]
        sure.append([row["spearman"] if row and is_sure(row) else None for row in found])
        unsure.append([row["spearman"] if row and not is_sure(row) else None for row in found])
        hover.append([_pair_words(name, other, row) if row else "" for other, row in zip(names, found, strict=True)])
    common = {
        "type": "heatmap", "x": labels, "y": labels, "customdata": hover, "zmin": -1, "zmax": 1, "xgap": 1, "ygap": 1,
        "hoverongaps": False, "colorscale": [[0, "--series-2"], [0.5, "--even"], [1, "--series-1"]],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
    bar = {"thickness": 12, "outlinewidth": 0, "len": 0.5, "y": 1, "yanchor": "top", "title": {"text": ""}}
    data = [
        {**common, "name": "sure", "z": sure, "colorbar": bar},
        {**common, "name": "faded", "z": unsure, "opacity": _FADED, "showscale": False},
    ]
    axis = {"showgrid": False, "zeroline": False, "automargin": True, "tickmode": "linear", "tickfont": {"size": 11}}
    drawn = figure(
        "correlation-map", "", "", data, wide=True, height=230 + 20 * len(names),
        xaxis={**axis, "tickangle": -90}, yaxis={**axis, "autorange": "reversed"},
    )  # fmt: skip
    return drawn | {"broad": True}, sum(not is_sure(row) for row in rows)


def _pair_words(name: str, other: str, row: Row) -> str:
    q = "unknown" if row["spearman_q_value"] is None else q_text(row["spearman_q_value"])
    return f"{variable_words(name)}<br>{variable_words(other)}<br>{row['spearman']:+.3f}, q {q}, {row['rows']:,} rows"


def is_sure(row: Row) -> bool:
    return row["spearman_q_value"] is not None and row["spearman_q_value"] <= LEVEL


def clustered(pairs: Mapping[tuple[str, str], Row]) -> list[str]:
    """Returns variables in an order that places strongly correlated ones next to each other, whatever the sign."""
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    names = sorted({name for pair in pairs for name in pair})
    if len(names) < 3:
        return names
    place = {name: number for number, name in enumerate(names)}
    distance = np.ones((len(names), len(names)))
    np.fill_diagonal(distance, 0)
    for (one, other), row in pairs.items():
        distance[place[one], place[other]] = distance[place[other], place[one]] = max(0.0, 1 - abs(row["spearman"]))
    return [names[leaf] for leaf in leaves_list(linkage(squareform(distance), "average", optimal_ordering=True))]
