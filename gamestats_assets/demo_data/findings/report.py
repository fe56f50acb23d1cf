"""Writes a run's report: one HTML file with charts, which needs no network and can be shared as it is.

Plotly draws the charts in the browser; its code is in the file. Colours follow the reader's light or dark setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gamestats_assets.demo_data.findings.deviations import Deviations
from gamestats_assets.demo_data.findings.measured import Funnel, Measured
from gamestats_assets.demo_data.findings.truths import Verdict
from gamestats_assets.demo_data.rules.configuration import RetentionTruth
from gamestats_assets.lakehouse.files.local import write_whole

TEMPLATE = "report.html.j2"
_MOST_EVENTS = 15
_MOST_COUNTRIES = 10
_MOST_BARS = 60
_MOST_FUNNELS = 8
_FUNNELS = ("funnel", "onboarding")

_PLAIN = {"showgrid": False, "zeroline": False}

Figure = dict[str, Any]


def write_report(
    path: Path,
    measured: Measured,
    verdicts: Sequence[Verdict],
    generated: Mapping[str, Any],
    before: Deviations | None = None,
    after: Deviations | None = None,
) -> None:
    """Writes the report.

    Args:
        path: path of the HTML file; a missing folder is created.
        generated: optional facts that the files do not contain: `taxonomy` (its name), `rules_by` (the maker of the
        rules: `analyst`, `cache`, `anthropic ...`), `segments` (users by segment), `seconds` (wall clock of the run)
            and `files` (number of files).
        before: deviations of the data from the rules; of a refined run, those of the first round.
        after: of a refined run, deviations of the last round from the same rules.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("gamestats_assets.demo_data.findings", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": "{:,.0f}".format, "rate": _rate, "value": _value}
    page = environment.get_template(TEMPLATE).render(
        product=measured.configuration.product,
        configuration=measured.configuration,
        last_day=measured.configuration.start + timedelta(days=measured.configuration.days - 1),
        measured=measured,
        generated=generated,
        tiles=list(_tiles(measured, verdicts, generated)),
        figures=figures(measured, generated),
        verdicts=[(verdict, _scale(verdict)) for verdict in verdicts if verdict.truth != "dirt"],
        dirt=_dirt(measured, verdicts),
        before=before,
        after=after,
        plotly_js=Markup(get_plotlyjs()),
    )
    write_whole(path, page)


# --------------------------------------------------------------------------- numbers in words


def _rate(share: float) -> str:
    """Formats a share in percent, with as many digits as matter."""
    if not math.isfinite(share):
        return "–"
    percent = 100 * share
    if not percent or percent >= 10:
        return f"{percent:.1f} %"
    return f"{percent:.2f} %" if percent >= 0.1 else f"{percent:.2g} %"


def _value(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "–"
    return {"share": _rate(value), "change": f"{100 * value:+.1f} %"}.get(unit, f"× {value:.3f}")


def _duration(seconds: float) -> str:
    return "–" if not math.isfinite(seconds) else f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _tiles(
    measured: Measured, verdicts: Sequence[Verdict], generated: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yields name, number and remark of each tile."""
    days = measured.configuration.days
    sessions = measured.session_s
    yield "Users with activity", f"{measured.users:,}", f"of {measured.configuration.users:,} in the run"
    yield "Days", f"{days:,}", f"from {measured.configuration.start:%d %b %Y}"
    seconds = generated.get("seconds")
    speed = f"{_bytes(measured.size_bytes)} of files"
    if seconds:
        speed += f", made at {measured.records / seconds:,.0f} per second"
    yield "Records", f"{measured.records:,}", speed
    yield "Daily active users", f"{measured.active_user_days / days:,.0f}", "mean of the days"
    length = _duration(sessions.quantile(0.5))
    yield "Sessions", f"{sessions.n:,}", f"median length {length}, {measured.session_events.mean:.1f} events on average"
    judged = [verdict for verdict in verdicts if verdict.holds is not None]
    if verdicts:
        yield (
            "Truths found",
            f"{sum(bool(v.holds) for v in judged)} of {len(judged)}",
            _undecided(len(verdicts) - len(judged)),
        )


def _undecided(count: int) -> str:
    return f"{count} undecided in this run" if count else "dirt included"


def _scale(verdict: Verdict) -> dict[str, float] | None:
    """Returns the positions of interval, found and planted value, in percent of the drawn line."""
    if verdict.holds is None:
        return None
    low, high = min(verdict.low, verdict.planted), max(verdict.high, verdict.planted)
    width = (high - low) or 1.0
    return {
        name: round(8 + 84 * (getattr(verdict, name) - low) / width, 2) for name in ("low", "high", "found", "planted")
    }


def _dirt(measured: Measured, verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Returns the rows of the table of dirt: kinds, and their records in the files."""
    found = measured.dirt
    rows = (
        ("late", "In the file of a later day", found.late),
        ("duplicate", "Copies with the same #uuid", found.duplicates),
        ("out of order", "Behind later records in their file", found.out_of_order),
        ("null", "With a property that is null", found.nulls),
        ("schema drift", "With another type, or an undeclared property", found.off_schema),
        ("unknown event", "Of a kind that is not in the taxonomy", found.unknown_events),
        ("truncated", "Unreadable lines", found.unreadable),
    )
    judged = {verdict.what: verdict for verdict in verdicts if verdict.truth == "dirt"}
    return [{"kind": k, "what": what, "records": n, "verdict": judged.get(k)} for k, what, n in rows]


# --------------------------------------------------------------------------- charts


def figures(measured: Measured, generated: Mapping[str, Any]) -> list[Figure]:
    """Returns every chart: `id`, `title`, `note`, and Plotly's `data` and `layout`; colours are named on the page."""
    found = [_days(measured), _retention(measured), _hours(measured), _lengths(measured)]
    found += [_segments(generated["segments"])] if generated.get("segments") else []
    found.append(_countries(measured))
    tried = [funnel for funnel in measured.funnels if funnel.kind in _FUNNELS and funnel.reached[0]]
    found += [_funnel(funnel) for funnel in sorted(tried, key=lambda funnel: -funnel.reached[0])[:_MOST_FUNNELS]]
    found.append(_top_events(measured))
    return [figure for figure in found if figure]


def _figure(name: str, title: str, note: str, data: list[Any], x: str, y: str, **layout: Any) -> Figure:
    axes = {
        "xaxis": {"title": {"text": x}, "automargin": True},
        "yaxis": {"title": {"text": y}, "automargin": True},
    }
    for axis in ("xaxis", "yaxis"):
        axes[axis] |= layout.pop(axis, {})
    return {"id": name, "title": title, "note": note, "data": data, "layout": axes | layout}


def _trace(kind: str, x: Sequence[Any], y: Sequence[Any], hover: str, *, name: str = "", **more: Any) -> dict[str, Any]:
    """Returns one series of a chart; the hover text ends with its name."""
    named = {"name": name} if name else {}
    colours = {"marker": {"color": "--series-1"}}
    return {"type": kind, **named, "x": x, "y": y, "hovertemplate": f"{hover}<extra>{name}</extra>"} | colours | more


def _days(measured: Measured) -> Figure:
    start = measured.configuration.start
    dates = [(start + timedelta(days=day)).isoformat() for day in range(measured.configuration.days)]
    new = [users - before for users, before in zip(measured.active_users, measured.active_before, strict=True)]
    series = [
        ("From before the run", list(measured.active_before), "--series-1"),
        ("Signed up in the run", new, "--series-2"),
    ]
    data = [
        _trace("bar", dates, counts, "%{x|%a %d %b}: %{y:,} users", name=name, marker={"color": colour})
        for name, counts, colour in series
        if sum(counts)
    ]
    return _figure(
        "days", "Daily active users", "People with at least one event on the day.", data,
        "Day (UTC)", "Users", barmode="stack",
        xaxis={"type": "date", "tickformat": "%a<br>%d %b", "nticks": 6, "tickangle": 0, **_PLAIN},
    )  # fmt: skip


_OF_SIGN_UPS = "Share of users with a sign-up in the run who were active on exactly that day."
_OF_EVERYBODY = "Sign-ups are unknown. Share of all users seen in the run who were active on exactly that day."


def _retention(measured: Measured) -> Figure | None:
    signed_up = any(measured.sign_ups)
    retained = measured.retained if signed_up else measured.seen_again
    shares = {day: 100 * (active / users) for day, (users, active) in enumerate(retained) if day and users}
    if not shares:
        return None
    hover = "day %{x}: %{y:.1f} %"
    line = {"color": "--series-1", "width": 2.5}
    data = [
        _trace("scatter", [*shares], [*shares.values()], hover, name="Found", mode="lines+markers", line=line),
    ]
    truth = next((t for t in measured.configuration.truths if isinstance(t, RetentionTruth)), None)
    if truth is not None:
        days = [day for day in shares if min(truth.curve) <= day <= max(truth.curve)]
        planted = [100 * truth.share(day) for day in days]
        dashed = {"color": "--series-2", "width": 2.5, "dash": "dash"}
        data.append(_trace("scatter", days, planted, hover, name="Planted", mode="lines", line=dashed))
    return _figure(
        "retention", "Retention", _OF_SIGN_UPS if signed_up else _OF_EVERYBODY, data,
        "Days since the sign-up" if signed_up else "Days since the first event in the run", "Share of users (%)",
        xaxis={"rangemode": "tozero", "dtick": max(1, len(shares) // 10)}, yaxis={"rangemode": "tozero"},
    )  # fmt: skip


def _hours(measured: Measured) -> Figure:
    bars = _trace("bar", [*range(24)], list(measured.events_by_hour), "%{x}:00 to %{x}:59: %{y:,} events")
    return _figure(
        "hours", "Events by hour", "All days together, all countries.", [bars],
        "Hour of the day (UTC)", "Events", bargap=0.15, xaxis={"dtick": 3, "range": [-0.6, 23.6], **_PLAIN},
    )  # fmt: skip


def _lengths(measured: Measured) -> Figure:
    counts = measured.session_s.counts
    most = measured.session_s.quantile(0.98) if measured.session_s.n else 0.0
    width = max(1, math.ceil(most / 60 / _MOST_BARS))
    last = max(10, math.ceil(most / 60 / width))
    by_bar = np.bincount(np.minimum(np.arange(counts.size) // (60 * width), last), weights=counts, minlength=last + 1)
    starts = [width * place for place in range(last + 1)]
    spans = [f"{start} to {start + width}" for start in starts[:-1]] + [f"{starts[-1]} and more"]
    middles = [start + width / 2 for start in starts]
    hover = "%{customdata} min: %{y:,} sessions"
    bars = _trace("bar", middles, by_bar.astype(int).tolist(), hover, customdata=spans)
    note = "From the first event to the last; half an hour without events ends it. The last bar holds all longer ones."
    return _figure(
        "sessions", "Length of sessions", note, [bars],
        "Length (minutes)", "Sessions", bargap=0.1, xaxis={"rangemode": "tozero", **_PLAIN},
    )  # fmt: skip


def _funnel(funnel: Funnel) -> Figure:
    reached = list(funnel.reached)
    note = f"Attempts that reached each step within a session ({funnel.kind})."
    if len(set(funnel.steps)) < len(funnel.steps):
        note += " A step that may repeat appears as often."
    texts = [f"{n:,} · {n / reached[0]:.0%}" for n in reached]
    names = [f"{place}. {name}" for place, name in enumerate(funnel.steps, 1)]
    title = f"Funnel: {funnel.name.replace('_', ' ')}"
    return _ranking(f"funnel-{funnel.name}", title, note, names, reached, texts, "Attempts")


def _ranking(
    name: str, title: str, note: str, names: Sequence[str], counts: Sequence[float], texts: Sequence[str], x: str
) -> Figure:
    """Returns horizontal bars, each with its name and its number."""
    places = list(range(len(names)))
    bars = _trace(
        "bar", list(counts), places, "%{customdata}: %{text}",
        customdata=list(names), text=list(texts), orientation="h", textposition="auto", cliponaxis=False,
    )  # fmt: skip
    return _figure(
        name, title, note, [bars], x, "", bargap=0.25, height=max(220, 90 + 30 * len(names)),
        xaxis={"rangemode": "tozero"},
        yaxis={
            "autorange": "reversed", "showgrid": False, "zeroline": False,
            "tickmode": "array", "tickvals": places, "ticktext": [_short(one) for one in names],
        },
    )  # fmt: skip


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _segments(segments: Mapping[str, int]) -> Figure:
    total = sum(segments.values()) or 1
    names = [name.replace("_", " ") for name in segments]
    shares = [100 * count / total for count in segments.values()]
    texts = [f"{count:,} · {count / total:.0%}" for count in segments.values()]
    note = "All users of the run, with or without activity; logs do not contain segments."
    return _ranking("segments", "Segments", note, names, shares, texts, "Share of users (%)")


def _countries(measured: Measured) -> Figure:
    top = dict(list(measured.users_by_country.items())[:_MOST_COUNTRIES])
    total = sum(measured.users_by_country.values()) or 1
    texts = [f"{count:,} · {count / total:.0%}" for count in top.values()]
    systems = ", ".join(f"{name} {count / total:.0%}" for name, count in list(measured.users_by_os.items())[:5])
    note = f"By each user's first event. Systems: {systems}." if systems else ""
    return _ranking("countries", "Users by country", note, [*top], [*top.values()], texts, "Users")


def _top_events(measured: Measured) -> Figure:
    top = dict(list(measured.records_by_event.items())[:_MOST_EVENTS])
    more = len(measured.records_by_event) - len(top)
    note = "Records in the files, copies included." + (f" {more} more kinds of event are rarer." if more else "")
    texts = [f"{count:,}" for count in top.values()]
    return _ranking("events", "Most frequent events", note, [*top], [*top.values()], texts, "Records")
