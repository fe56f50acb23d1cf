"""The patterns of a patch as one HTML file with charts that can be shown as it is: it needs no network.

The charts are drawn in the browser by Plotly, whose code is in the file; colours follow the reader's light or dark
setting. Every number is one of a gold table's; win rates are told in percent, their differences in points.
"""

from __future__ import annotations

import html
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import write_whole
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.tables import POSITIONS, ParticipantFeatures
from gamestats_assets.lol.patterns.patterns import LEVEL, POINTS, SUPPORT, WANTED_POWER, is_tried
from gamestats_assets.lol.patterns.tables import FAMILIES, DiscoveredPatterns, PatternHistory, PatternTests
from gamestats_assets.lol.questions.questions import Names, games_set_aside
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.reference.versions import patch_number
from gamestats_assets.lol.statistics.build_stats import FEWEST_GAMES
from gamestats_assets.lol.statistics.tables import (
    ALL_POSITIONS,
    FirstObjectiveStats,
    ItemBuildStats,
    ObjectiveDecisionTree,
    SkillOrderStats,
    VariableCorrelations,
    VisionSurvival,
)

TEMPLATE = "report.html.j2"
STATISTICS: tuple[type[Table], ...] = (
    ItemBuildStats,
    SkillOrderStats,
    FirstObjectiveStats,
    VisionSurvival,
    VariableCorrelations,
    ObjectiveDecisionTree,
    PatternTests,
)
"""Tables by patch and queue of which one is enough for a report."""
_MOST_BUILDS = 12
_MOST_DRAWN = 25
_MOST_LISTED = 100
_MOST_HISTORIES = 30
_MOST_PATCHES = 6
_FADED = 0.22

_FAMILY_TITLES: Mapping[str, str] = {
    "item": "Core items",
    "item_path": "First two core items in their order",
    "skill_order": "Skill orders",
    "objective": "First objectives",
    "vision": "Vision",
}
_UNITS: Mapping[str, tuple[float, str, str]] = {
    "win_rate": (100, "+.1f", "points"),
    "dpm": (1, "+.1f", "damage per minute"),
    "correlation": (1, "+.3f", "rank correlation"),
}
_SHORT_UNITS: Mapping[str, str] = {"win_rate": "points", "dpm": "DPM", "correlation": "rank corr."}
_UNIT_OF_OUTCOME: Mapping[str, str] = {"win_rate": "win_rate", "dpm": "dpm", "deaths": "correlation"}
_ABBREVIATIONS: Mapping[str, str] = {"cs": "CS", "dpm": "DPM", "kda": "KDA", "xp": "XP", "diff": "lead", "s": "(s)"}

Row = Mapping[str, Any]
Figure = dict[str, Any]


class NothingToReportError(GamestatsError):
    """No patch has statistics: nothing was materialised."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about.

    Attributes:
        patches: patches with statistics of the queue, from the oldest.
        champion: of the champion's charts, in English.
        champion_ko: the same in Korean.
        position: the champion's most played position, or ALL.
        champion_games: games of the champion in it.
        matches: matches of the patch and queue that statistics are made from.
    """

    patch: str
    patches: tuple[str, ...]
    queue: str
    champion_id: int
    champion: str
    champion_ko: str | None
    position: str
    champion_games: int
    matches: int

    @property
    def where(self) -> str:
        """Patch and queue in words."""
        return f"on patch {self.patch} in {self.queue}"

    @property
    def who(self) -> str:
        """Champion and position in words."""
        return self.champion if self.position == ALL_POSITIONS else f"{self.champion} ({self.position})"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its charts, and what is said where there is nothing to draw."""

    name: str
    title: str
    notes: Sequence[str]
    figures: Sequence[Figure] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Family(Section):
    """A family of patterns: also its rows, and how many more there are than stand here."""

    rows: Sequence[Row] = ()
    more: int = 0


def write_report(
    path: Path, lake: Lake, *, patch: str | None = None, queue: str | None = None, champion: str | None = None
) -> None:
    """Write the report.

    Args:
        path: of the HTML file; its folder is made where it is missing.
        lake: holds the gold tables.
        patch: such as 13.14; the newest that has statistics by default.
        queue: group of queues, such as ranked_solo; by default the one with most games on the patch.
        champion: name in English or Korean, or key; by default the one played most there.

    Raises:
        NothingToReportError: when no patch has statistics.
        UnknownNameError: when there are no statistics of the patch or queue, the champion is unknown, or nobody
            played it there.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    subject = chosen(lake, patch, queue, champion)
    tests = _rows(lake, PatternTests, subject)
    tested = [row for row in tests if row["reason"] is None]
    found = _rows(lake, DiscoveredPatterns, subject)
    of_champion = [_builds(lake, subject), _skill_orders(lake, subject)]
    families = [
        _family(family, [r for r in tested if r["family"] == family], [r for r in found if r["family"] == family])
        for family in sorted(FAMILIES, key=[*_FAMILY_TITLES].index)
    ]
    of_patch = [_objectives(lake, subject), _vision(lake, subject), _correlations(lake, subject)]
    environment = Environment(
        loader=PackageLoader("gamestats_assets.lol.patterns", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": "{:,.0f}".format, "rate": _rate, "effect": _effect, "q": _q}
    environment.filters["unit"] = _SHORT_UNITS.__getitem__
    environment.tests["tried"] = is_tried
    page = environment.get_template(TEMPLATE).render(
        subject=subject,
        set_aside=games_set_aside(lake),
        level=LEVEL,
        power=WANTED_POWER,
        tiles=list(_tiles(subject, tests, found)),
        family_words=_of_all_families(lake, subject, tests, found),
        of_champion=of_champion,
        families=families,
        of_patch=of_patch,
        tree=sorted(_rows(lake, ObjectiveDecisionTree, subject), key=lambda leaf: -(leaf["win_rate"] or 0)),
        history=_history(lake, subject),
        figures=[figure for section in (*of_champion, *families, *of_patch) for figure in section.figures],
        plotly_js=Markup(get_plotlyjs()),
    )
    write_whole(path, page)


# --------------------------------------------------------------------------- what it is about


def chosen(lake: Lake, patch: str | None, queue: str | None, champion: str | None) -> Subject:
    """What the report is about; see `write_report`."""
    played = (
        lake.scan(ParticipantFeatures)
        .group_by("patch", "queue_group", "champion_id", "champion_key", pl.col("position").fill_null(ALL_POSITIONS))
        .agg(games=pl.len())
        .collect()
    )
    told = pl.concat([lake.scan(table).select("patch", "queue_group") for table in STATISTICS]).unique().collect()
    slices = (
        played.group_by("patch", "queue_group")
        .agg(pl.col("games").sum())
        .join(told, on=["patch", "queue_group"], how="semi")
        .sort(patch_number(pl.col("patch")), "games", "queue_group", descending=[False, True, False])
    )
    aside = games_set_aside(lake)
    if slices.is_empty() and played.height:
        matches = lake.scan(ParticipantFeatures).group_by("patch").agg(pl.col("match_id").n_unique()).collect()
        there = ", ".join(
            f"{_plural(count, 'match', 'matches')} on patch {name}"
            for name, count in matches.sort(patch_number(pl.col("patch"))).iter_rows()
        )
        raise NothingToReportError(
            f"There are no statistics to report yet: {there}.{f' {aside}' if aside else ''} Each patch has too few "
            "games, or its statistics were not made: bring more matches of one patch, then gamestats materialize"
        )
    if slices.is_empty():
        raise NothingToReportError(
            f"There are no statistics to report. {aside}"
            if aside
            else "There are no statistics to report yet. Bring match and timeline files and make the tables: "
            "gamestats ingest lol PATH, then gamestats materialize"
        )
    of_queue = slices if queue is None else slices.filter(pl.col("queue_group") == queue)
    patches = slices.get_column("patch").unique(maintain_order=True).to_list()
    if patch is None:
        # Without the queue anywhere, what there is on the newest patch is told.
        patch = str((of_queue if of_queue.height else slices).get_column("patch")[-1])
    elif patch not in patches:
        raise UnknownNameError(f"There are no statistics of patch {patch!r}; there are those of {', '.join(patches)}.")
    here = slices.filter(pl.col("patch") == patch)
    if queue is None:
        queue = str(here.get_column("queue_group")[0])
    elif queue not in here.get_column("queue_group"):
        games = here.select("queue_group", "games").iter_rows()
        queues = ", ".join(f"{name} ({_plural(count, 'game')} of players)" for name, count in games)
        raise UnknownNameError(f"There are no statistics of queue {queue!r} on patch {patch}; there are: {queues}.")
    in_slice = (pl.col("patch") == patch) & (pl.col("queue_group") == queue)
    # Ties of games are settled by number, so that the same tables give the same report.
    candidates = played.filter(in_slice).with_columns(total=pl.col("games").sum().over("champion_id"))
    candidates = candidates.sort("total", "champion_id", "games", "position", descending=[True, False, True, False])
    if champion is not None:
        ids = Names(lake).champion(champion)
        most = candidates.get_column("champion_key").unique(maintain_order=True).head(5)
        candidates = candidates.filter(pl.col("champion_id").is_in(ids))
        if candidates.is_empty():
            raise UnknownNameError(
                f"Nobody played {champion} on patch {patch} in {queue}; played most there: {', '.join(most)}."
            )
    champion_id, key, position, games = candidates.select("champion_id", "champion_key", "position", "games").row(0)
    names = (
        pl.concat(
            lake.scan(table, [patch])
            .filter(pl.col("champion_id") == champion_id)
            .select("champion_name", "champion_name_ko")
            for table in (ItemBuildStats, SkillOrderStats)
        )
        .drop_nulls("champion_name")
        .head(1)
        .collect()
    )
    name, korean = names.row(0) if names.height else (key, None)
    matches = lake.scan(ParticipantFeatures).filter(in_slice).select(pl.col("match_id").n_unique()).collect().item()
    patches = slices.filter(pl.col("queue_group") == queue).get_column("patch").to_list()
    return Subject(patch, tuple(patches), queue, champion_id, name, korean, position, games, matches)


def _rows(lake: Lake, table: type[Table], subject: Subject, *conditions: pl.Expr) -> list[Row]:
    """Rows of a table of the patch and queue, by key."""
    rows = lake.scan(table, [subject.patch]).filter(pl.col("queue_group") == subject.queue, *conditions)
    return [*rows.sort(table.primary_key()).collect().iter_rows(named=True)]


def _of_champion(subject: Subject) -> pl.Expr:
    return (pl.col("champion_id") == subject.champion_id) & (pl.col("position") == subject.position)


# --------------------------------------------------------------------------- numbers in words


def _rate(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _effect(value: float | None, unit: str) -> str:
    """An effect with its sign, in the unit's own measure, without the unit's name."""
    if value is None:
        return "–"
    scale, form, _ = _UNITS[unit]
    return format(scale * value, form)


def _size(value: float, unit: str) -> str:
    """The size of an effect with its unit."""
    scale, form, name = _UNITS[unit]
    size = format(scale * value, form.lstrip("+"))
    return f"a {name} of {size}" if unit == "correlation" else f"{size} {name}"


def _q(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _clock(seconds: float | None) -> str:
    return "–" if seconds is None else f"{int(seconds // 60)}:{int(seconds % 60):02}"


def _gold(value: float | None) -> str:
    return "gold unknown" if value is None else f"{value:+,.0f} gold"


def _plural(count: int, name: str, plural: str | None = None) -> str:
    return f"{count:,} {name if count == 1 else plural or f'{name}s'}"


def variable_words(variable: str) -> str:
    """A variable's name for readers: `lane_gold_diff_at_10` is Lane gold lead at 10."""
    words = " ".join(_ABBREVIATIONS.get(word, word) for word in variable.split("_"))
    return words[:1].upper() + words[1:]


def _tiles(subject: Subject, tests: Sequence[Row], found: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    """Name, number, and what else there is to it."""
    yield "Matches", f"{subject.matches:,}", subject.where
    in_all = subject.position == ALL_POSITIONS
    as_what = "in every position" if in_all else f"as {subject.position}, its most played position"
    yield f"Games of {subject.champion}", f"{subject.champion_games:,}", as_what
    untested = sum(row["reason"] is not None for row in tests)
    more = f"; {untested:,} more could not be" if untested else ""
    yield "Hypotheses tested", f"{len(tests) - untested:,}", f"in {subject.queue}{more}"
    yield "Patterns found", f"{len(found):,}", f"q of at most {LEVEL}"
    held, tried = _replicated(tests)
    yield "Held again", f"{held:,} of {tried:,}", "found by half of the matches alone, and tried on the other"


def _replicated(tests: Sequence[Row]) -> tuple[int, int]:
    """How many held on the held out half, of how many that were tried there.

    Of all tests: those that all games find too are a choice that the held out half takes part in.
    """
    tried = [row["is_replicated"] for row in tests if row["is_replicated"] is not None]
    return sum(tried), len(tried)


def _of_all_families(lake: Lake, subject: Subject, tests: Sequence[Row], found: Sequence[Row]) -> list[str]:
    """How many hypotheses were tested, and what came of them."""
    together = lake.scan(PatternTests, [subject.patch]).select(pl.col("p_value").count()).collect().item()
    reasons = Counter(row["reason"] for row in tests if row["reason"] is not None)
    counted = "; ".join(f"{reason} ({count:,})" for reason, count in sorted(reasons.items()))
    untested = [f"Could not be tested in {subject.queue}: {reasons.total():,}, as {counted}."] if reasons else []
    if not together:
        return [
            f"No hypothesis was tested on patch {subject.patch}: each needs {SUPPORT:,} games in which it was done, "
            "and as many in which it was not.",
            *untested,
        ]
    held, tried = _replicated(tests)
    tested = len(tests) - reasons.total()
    here = "all" if tested == together else f"{tested:,} of them"
    said = [
        f"Hypotheses tested together on patch {subject.patch}: {together:,}, {here} in {subject.queue}. At p < 0.05 "
        f"about {0.05 * together:,.0f} would look like finds even if nothing were true; so what counts as found is q "
        f"of at most {LEVEL}, over all of them. What has fewer than {SUPPORT:,} games in which it was done, or in "
        "which it was not, is no hypothesis yet.",
        f"Found in {subject.queue}: {len(found):,}. One half of the matches alone finds {tried:,} that could be tried "
        f"on the half that is held out; {held:,} of these held there.",
    ]
    if not found:
        could = "Below stands, by family, what could have been found." if tested else "None was tested there."
        said[1] = f"Nothing was found in {subject.queue}. {could}"
    return said + untested


# --------------------------------------------------------------------------- charts


def _figure(name: str, title: str, note: str, data: list[Any], *, wide: bool = False, **layout: Any) -> Figure:
    return {"id": name, "title": title, "note": note, "wide": wide, "data": data, "layout": layout}


@dataclass(frozen=True, slots=True)
class _Mark:
    """One row of a chart of intervals: what is measured, its interval, and what stands beside it to compare."""

    label: str
    korean: str | None
    more: str
    value: float | None
    low: float | None
    high: float | None
    beside: float | None = None
    hover: str = ""


def _intervals(
    name: str,
    title: str,
    note: str,
    marks: Sequence[_Mark],
    x: str,
    *,
    series: str,
    beside: str | None = None,
    line: tuple[float, str] | None = None,
    wide: bool = True,
    whole: str = ".1f",
) -> Figure:
    """Rows with a dot and its interval, from the top down.

    Args:
        series: what the dots are.
        beside: what the hollow marks are.
        line: place and name of a line to compare with; it gets a name in the legend where the name is not empty.
        whole: format of numbers.
    """
    places = list(range(len(marks)))
    # Plotly reads a few tags in texts; what names hold is none.
    told = [[_plain(each) for each in (mark.korean, mark.more) if each and each != mark.label] for mark in marks]
    labels, tall = (
        [f"{_plain(mark.label)}<br>{_SMALL}{apart.join(more)}</span>" for mark, more in zip(marks, told, strict=True)]
        for apart in (" · ", f"</span><br>{_SMALL}")
    )
    values = [value for mark in marks for value in (mark.value, mark.low, mark.high, mark.beside) if value is not None]
    values += [line[0]] if line else []
    margin = 0.05 * (max(values) - min(values)) or 1.0
    data: list[Any] = []
    if line is not None:
        at, called = line
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": called,
                "x": [at, at],
                "y": [-0.6, len(marks) - 0.4],
                "line": {"color": "--quiet", "width": 1.5, "dash": "dot"},
                "showlegend": bool(called),
                "hoverinfo": "skip",
            }
        )
    if beside is not None:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": beside,
                "x": [mark.beside for mark in marks],
                "y": places,
                "customdata": [_plain(mark.label) for mark in marks],
                "marker": {"color": "--series-2", "symbol": "circle-open", "size": 11, "line": {"width": 2}},
                "hovertemplate": f"%{{customdata}}<br>{beside}: %{{x:{whole}}}<extra></extra>",
            }
        )
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": series,
            "x": [mark.value for mark in marks],
            "y": places,
            "customdata": [
                f"{_plain(mark.label)}<br>{series}: {_between(mark, whole)}{_plain(mark.hover)}" for mark in marks
            ],
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [_apart(mark.high, mark.value) for mark in marks],
                "arrayminus": [_apart(mark.value, mark.low) for mark in marks],
                "color": "--series-1",
                "thickness": 2,
                "width": 4,
            },
            "marker": {"color": "--series-1", "size": 9},
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    )
    figure = _figure(
        name, title, note, data, wide=wide, height=110 + 42 * len(marks),
        xaxis={"title": {"text": x}, "automargin": True, "range": [min(values) - margin, max(values) + margin]},
        yaxis={
            "range": [len(marks) - 0.4, -0.6], "automargin": True, "showgrid": False, "zeroline": False,
            "tickmode": "array", "tickvals": places, "ticktext": labels,
        },
    )  # fmt: skip
    return figure | {"labels": tall, "lines": 1 + max(map(len, told), default=0)}


_SMALL = "<span style='font-size:10.5px'>"


def _plain(text: str) -> str:
    return html.escape(text, quote=False)


def _between(mark: _Mark, form: str) -> str:
    if mark.value is None:
        return "unknown"
    ends = "" if mark.low is None or mark.high is None else f" ({mark.low:{form}} to {mark.high:{form}})"
    return f"{mark.value:{form}}{ends}"


def _apart(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def _times(scale: float, *values: float | None) -> tuple[float | None, ...]:
    return tuple(None if value is None else scale * value for value in values)


_LENGTHS = ("First core item", "First two core items", "First three core items")


def _builds(lake: Lake, subject: Subject) -> Section:
    rows = _rows(lake, ItemBuildStats, subject, _of_champion(subject))
    figures: list[Figure] = []
    missing: list[str] = []
    for length, title in enumerate(_LENGTHS, 1):
        built = sorted((row for row in rows if row["items"] == length), key=lambda row: -row["games"])
        if not built:
            missing.append(
                f"{title}: no build of {subject.who} has {FEWEST_GAMES} games or more {subject.where}, so there is no "
                "chart."
            )
            continue
        marks = [
            _Mark(
                row["build_name"],
                row["build_name_ko"],
                f"{_plural(row['games'], 'game')} · {_gold(row['team_gold_diff'])}",
                *_times(100, row["win_rate"], row["win_rate_low"], row["win_rate_high"]),
                hover=f"; completed at {_clock(row['completed_at_s'])}, {_rate(row['pick_share'])} of games",
            )
            for row in built[:_MOST_BUILDS]
        ]
        note = "Sorted by games, with the team's mean gold lead when the last item was completed."
        if len(built) > _MOST_BUILDS:
            note += f" {_plural(len(built) - _MOST_BUILDS, 'more build')} in lol.item_build_stats."
        base = built[0]["baseline_win_rate"]
        line = None if base is None else (100 * base, f"All games with as many core items: {_rate(base)}")
        figures.append(
            _intervals(
                f"builds-{length}", title, note, marks, "Win rate (%)", series="Win rate", line=line,
                wide=length == len(_LENGTHS),
            )
        )  # fmt: skip
    notes = [
        f"{subject.who}, {_plural(subject.champion_games, 'game')} {subject.where}, by core items in the order of "
        "completion. Bars are 95% intervals (Wilson). These rates are naive: a build whose gold lead is high was often "
        "completed by teams that were winning already."
    ]
    return Section("builds", f"Builds of {subject.champion}", notes, figures, missing)


def _skill_orders(lake: Lake, subject: Subject) -> Section:
    rows = _rows(lake, SkillOrderStats, subject, _of_champion(subject), pl.col("kind") == "max_order")
    title = "Skill order and damage"
    notes = [
        f"{subject.who}: mean damage to champions per minute (DPM) by the order in which Q, W and E were maxed, of "
        "games in which two of them were. Bars are 95% intervals that allow for skewness."
    ]
    marks = [
        _Mark(
            " > ".join(row["skills"]),
            None,
            f"{_plural(row['games'], 'game')} · won {_rate(row['win_rate'])}",
            row["dpm"], row["dpm_low"], row["dpm_high"],
            hover=f"; {_rate(row['pick_share'])} of games",
        )
        for row in sorted(rows, key=lambda row: -row["games"])
    ]  # fmt: skip
    if not marks:
        said = f"No max order of {subject.who} has {FEWEST_GAMES} games or more {subject.where}, so there is no chart."
        return Section("skills", title, notes, missing=[said])
    of_all = sum(row["dpm"] * row["games"] for row in rows) / sum(row["games"] for row in rows)
    line = (of_all, f"All of these games: {of_all:,.1f}")
    base = rows[0]["baseline_win_rate"]
    note = f"Sorted by games. All games with a complete order: won {_rate(base)}."
    figure = _intervals("skill-orders", "DPM by max order", note, marks, "DPM", series="DPM", line=line)
    return Section("skills", title, notes, [figure])


def _objectives(lake: Lake, subject: Subject) -> Section:
    title = "First objectives, naive and adjusted"
    notes = [
        "Naive: the win rate of the teams that took the first one, less that of their opponents. Adjusted: the "
        "difference that taking it makes at equal gold and time just before. Bars are 95% intervals."
    ]
    rows = [row for row in _rows(lake, FirstObjectiveStats, subject) if row["naive_effect"] is not None]
    if not rows:
        said = f"No game {subject.where} tells of a first objective: that takes timelines. So there is no chart."
        return Section("objectives", title, notes, missing=[said])
    marks = [
        _Mark(
            variable_words(row["objective"]),
            None,
            f"{_plural(row['games'], 'game')} · at {_clock(row['at_s'])}",
            *_times(100, row["adjusted_effect"], row["adjusted_low"], row["adjusted_high"], row["naive_effect"]),
            hover=f"; the team that took it won {_rate(row['win_rate'])}, {_gold(row['team_gold_diff_before'])} before",
        )
        for row in sorted(rows, key=lambda row: -row["naive_effect"])
    ]
    figure = _intervals(
        "first-objectives", "What taking the first one does", "Sorted by the naive difference.", marks,
        "Difference of the win rate (points)", series="At equal gold and time", beside="Naive", line=(0, ""),
    )  # fmt: skip
    return Section("objectives", title, notes, [figure])


def _vision(lake: Lake, subject: Subject) -> Section:
    title = "Vision and survival"
    notes = [
        "Rank correlation of vision score per minute and deaths; below 0, those with more vision die less. In longer "
        "games there is more of both, so the one that counts holds the length of the game. Bars are 95% intervals, by "
        "match. ALL mixes positions that differ in both, so read them one by one."
    ]
    rows = [row for row in _rows(lake, VisionSurvival, subject) if row["partial_spearman"] is not None]
    if not rows:
        said = f"Too few games {subject.where} to tell how vision goes with survival, so there is no chart."
        return Section("vision", title, notes, missing=[said])
    order = {position: place for place, position in enumerate((*POSITIONS, ALL_POSITIONS))}
    marks = [
        _Mark(
            row["position"],
            None,
            f"{_plural(row['games'], 'game')} · vision {row['vision_per_minute']:.2f} a minute · "
            f"{row['deaths']:.1f} deaths",
            row["partial_spearman"], row["partial_low"], row["partial_high"], row["spearman"],
        )
        for row in sorted(rows, key=lambda row: order[row["position"]])
    ]  # fmt: skip
    figure = _intervals(
        "vision-deaths", "Vision and deaths by position", "", marks, "Rank correlation (Spearman)",
        series="Length of game held", beside="Naive", line=(0, ""), whole=".3f",
    )  # fmt: skip
    return Section("vision", title, notes, [figure])


def _correlations(lake: Lake, subject: Subject) -> Section:
    title = "What goes with what"
    for position in dict.fromkeys((subject.position, ALL_POSITIONS)):
        rows = _rows(
            lake, VariableCorrelations, subject, pl.col("position") == position, pl.col("spearman").is_not_null()
        )
        if rows:
            break
    else:
        said = f"Too few games {subject.where} to correlate variables, so there is no chart."
        return Section("correlations", title, [], missing=[said])
    pairs = {(row["variable"], row["other_variable"]): row for row in rows}
    names = _beside_each_other(pairs)
    sure: list[list[float | None]] = []
    unsure: list[list[float | None]] = []
    hover: list[list[str]] = []
    for name in names:
        found = [pairs.get((name, other)) or pairs.get((other, name)) for other in names]
        sure.append([row["spearman"] if row and _is_sure(row) else None for row in found])
        unsure.append([row["spearman"] if row and not _is_sure(row) else None for row in found])
        hover.append(
            [
                f"{variable_words(name)}<br>{variable_words(other)}<br>{row['spearman']:+.3f}, q "
                f"{'unknown' if row['spearman_q_value'] is None else _q(row['spearman_q_value'])}, {row['rows']:,} rows"
                if row
                else ""
                for other, row in zip(names, found, strict=True)
            ]
        )
    labels = [variable_words(name) for name in names]
    common = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "customdata": hover,
        "zmin": -1,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorscale": [[0, "--series-2"], [0.5, "--even"], [1, "--series-1"]],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    bar = {"thickness": 12, "outlinewidth": 0, "len": 0.5, "y": 1, "yanchor": "top", "title": {"text": ""}}
    data = [
        {**common, "name": "sure", "z": sure, "colorbar": bar},
        {**common, "name": "faded", "z": unsure, "opacity": _FADED, "showscale": False},
    ]
    axis = {"showgrid": False, "zeroline": False, "automargin": True, "tickmode": "linear", "tickfont": {"size": 11}}
    of = "all positions together" if position == ALL_POSITIONS else position
    unsure_pairs = sum(value is not None for line in unsure for value in line) // 2
    figure = _figure(
        "correlation-map", f"Rank correlations (Spearman): {of}",
        f"Variables that go together stand beside each other. Faded: {_plural(unsure_pairs, 'pair')} of {len(pairs):,} "
        f"with q above {LEVEL}, which may well be chance.",
        data, wide=True, height=230 + 20 * len(names),
        xaxis={**axis, "tickangle": -90}, yaxis={**axis, "autorange": "reversed"},
    )  # fmt: skip
    notes = [
        f"Every pair of variables of {of} {subject.where}. A correlation is no cause: much here goes together because "
        "teams that are ahead have more of everything."
    ]
    return Section("correlations", title, notes, [figure | {"broad": True}])


def _is_sure(row: Row) -> bool:
    return row["spearman_q_value"] is not None and row["spearman_q_value"] <= LEVEL


def _beside_each_other(pairs: Mapping[tuple[str, str], Row]) -> list[str]:
    """Variables in an order in which those that go together, whichever the sign, are near each other."""
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


# --------------------------------------------------------------------------- patterns


def _family(family: str, tests: Sequence[Row], found: Sequence[Row]) -> Family:
    """A family: what its tests could find, what was found, drawn unit by unit."""
    title = _FAMILY_TITLES[family]
    if not tests:
        said = f"No hypothesis of this kind was tested: each needs {SUPPORT:,} games with it, and as many without."
        return Family(f"family-{family}", title, [], missing=[said])
    by_unit = {unit: [row for row in tests if row["effect_unit"] == unit] for unit in _UNITS}
    found = sorted(found, key=lambda row: (row["q_value"], row["p_value"], -abs(row["effect"]), row["pattern_id"]))
    notes = [
        _power(unit, of_unit, sum(row["effect_unit"] == unit for row in found))
        for unit, of_unit in by_unit.items()
        if of_unit
    ]
    figures: list[Figure] = []
    for unit in by_unit:
        drawn = [row for row in found if row["effect_unit"] == unit]
        if not drawn:
            continue
        scale, form, name = _UNITS[unit]
        marks = [
            _Mark(
                row["condition"],
                row["condition_ko"],
                f"{_who(row)} · {_plural(row['games'], 'game')} · q {_q(row['q_value'])}",
                *_times(scale, row["effect"], row["effect_low"], row["effect_high"], row["naive_effect"]),
                hover=f"; against {row['baseline']}",
            )
            for row in sorted(drawn[:_MOST_DRAWN], key=lambda row: -row["effect"])
        ]
        note = "Dots: the effect at an equal state of the game, with its 95% interval. Hollow: the naive difference."
        if len(drawn) > _MOST_DRAWN:
            note += f" The {_MOST_DRAWN} surest of {len(drawn):,}."
        axis = f"Effect ({name})" if unit != "correlation" else "Rank correlation"
        figures.append(
            _intervals(
                f"patterns-{family}-{unit}", f"{title}: {_OUTCOMES[unit]}", note, marks, axis,
                series="At an equal state", beside="Naive", line=(0, ""), whole=form,
            )
        )  # fmt: skip
    return Family(
        f"family-{family}", title, notes, figures, rows=found[:_MOST_LISTED], more=max(0, len(found) - _MOST_LISTED)
    )


_OUTCOMES: Mapping[str, str] = {"win_rate": "winning", "dpm": "damage per minute", "correlation": "deaths"}


def _who(row: Row) -> str:
    who = row["champion_name"] or "every champion"
    korean = row.get("champion_name_ko")
    who = f"{who} {korean}" if korean and korean != who else who
    return who if row["position"] == ALL_POSITIONS else f"{who} ({row['position']})"


def _power(unit: str, tests: Sequence[Row], found: int) -> str:
    """What so many games can find, by theory, and how much was found."""
    least = [row["smallest_effect"] for row in tests if row["smallest_effect"] is not None]
    powers = [row["power_at_3_points"] for row in tests if row["power_at_3_points"] is not None]
    count = f"{len(tests):,} {'hypothesis' if len(tests) == 1 else 'hypotheses'} on {_OUTCOMES[unit]}"
    games = f"{statistics.median(row['games'] for row in tests):,.0f} games each with it"
    if any(row["baseline_games"] for row in tests):
        games += f" and {statistics.median(row['baseline_games'] for row in tests):,.0f} without, in the median"
    said = [f"{count}, {games}; found: {found:,}."]
    if least:
        best, middle = _size(min(least), unit), _size(statistics.median(least), unit)
        if found:
            said.append(
                f"In theory, a true effect is found with power {WANTED_POWER} from {best} on by the best of these "
                f"tests, and from {middle} on by the median one."
            )
        else:
            said.append(
                f"With so many games only effects above {best} could have been found (with power {WANTED_POWER}, by "
                f"the best of these tests; above {middle} by the median one). That none was found does not mean that "
                "there are no smaller ones."
            )
    if powers:
        least_power, most_power = _power_of(min(powers)), _power_of(max(powers))
        middle = _power_of(statistics.median(powers))
        each = f"{middle} in each" if least_power == most_power else f"{least_power} to {most_power}, median {middle}"
        said.append(f"Power to find a true effect of {100 * POINTS:.0f} points: {each}.")
    return " ".join(said)


def _power_of(value: float) -> str:
    return "less than 0.01" if value < 0.01 else f"{value:.2f}"


def _history(lake: Lake, subject: Subject) -> Mapping[str, Any]:
    """Rows of the table of patterns over patches, or `missing`, what is said instead."""
    rows = lake.scan(PatternHistory).filter(pl.col("queue_group") == subject.queue).sort("pattern_id", "patch_number")
    by_pattern: dict[str, list[Row]] = {}
    for row in rows.collect().iter_rows(named=True):
        by_pattern.setdefault(row["pattern_id"], []).append(row)
    if len(subject.patches) < 2:
        said = f"There are statistics of one patch only, {subject.patch}, so nothing can be followed over patches."
        return {"missing": said}
    if not by_pattern:
        patches = f"{len(subject.patches)} patches with statistics"
        return {"missing": f"No pattern was found on any of the {patches}, so there is none to follow."}
    # Where a pattern has several patches it tells something; those that were found most often tell most.
    ranked = sorted(
        by_pattern.values(),
        key=lambda of: (
            len(of) < 2,
            -max(row["patches_found"] or 0 for row in of),
            min(row["q_value"] for row in of if row["q_value"] is not None),
        ),
    )
    patches = {row["patch"]: row["patch_number"] for of in ranked for row in of}
    shown = sorted(patches, key=lambda patch: patches[patch])[-_MOST_PATCHES:]
    drawn = [of for of in ranked if any(row["patch"] in shown for row in of)]
    return {
        "patches": shown,
        "rows": [_followed(of, shown) for of in drawn[:_MOST_HISTORIES]],
        "more": len(ranked) - len(drawn[:_MOST_HISTORIES]),
    }


def _followed(of: Sequence[Row], patches: Sequence[str]) -> Mapping[str, Any]:
    """A pattern's effects by patch, and their places in a drawing of 40 wide a patch and 48 high."""
    by_patch = {row["patch"]: row for row in of}
    cells = [by_patch.get(patch) for patch in patches]
    ends = [
        value
        for row in cells
        if row is not None
        for value in (row["effect"], row["effect_low"], row["effect_high"])
        if value is not None
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])

    def height(value: float | None) -> float | None:
        return None if value is None else round(44 - 40 * (value - low) / ((high - low) or 1.0), 1)

    marks = [
        {
            "x": 40 * place + 20,
            **{name: height(row[column]) for name, column in _DRAWN.items()},
            "is_found": row["is_found"],
        }
        for place, row in enumerate(cells)
        if row is not None
    ]
    first = of[0]
    return {
        "condition": first["condition"],
        "who": _who(first),
        "outcome": _MEASURES[_UNIT_OF_OUTCOME[first["outcome"]]],
        "unit": _UNIT_OF_OUTCOME[first["outcome"]],
        "found": max(row["patches_found"] or 0 for row in of),
        "tested": sum(row["reason"] is None for row in of),
        "cells": cells,
        "marks": marks,
        "zero": height(0.0),
    }


_MEASURES: Mapping[str, str] = {
    "win_rate": "winning, in points",
    "dpm": "damage per minute",
    "correlation": "deaths, by rank correlation",
}
_DRAWN: Mapping[str, str] = {"at": "effect", "low": "effect_low", "high": "effect_high"}
