"""The patterns of a patch as one HTML file with charts, which needs no network.

Plotly draws the charts in the browser; its code is part of the file. Colours follow the reader's light or dark mode.
Every number comes from a gold table; win rates are in percent, their differences in points.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.files.local import write_whole
from gamestats_assets.lol.matches.tables import POSITIONS
from gamestats_assets.lol.patterns.figures import (
    UNITS,
    Figure,
    Mark,
    Row,
    clock,
    effect_text,
    gold_text,
    heatmap,
    intervals_chart,
    plural,
    q_text,
    rate,
    scaled,
    size_text,
    variable_words,
)
from gamestats_assets.lol.patterns.patterns import LEVEL, POINTS, SUPPORT, WANTED_POWER, is_tried
from gamestats_assets.lol.patterns.subject import Subject, chosen, of_champion, rows_of
from gamestats_assets.lol.patterns.tables import FAMILIES, DiscoveredPatterns, PatternHistory, PatternTests
from gamestats_assets.lol.questions.questions import games_set_aside
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
_MOST_BUILDS = 12
_MOST_DRAWN = 25
_MOST_LISTED = 100
_MOST_HISTORIES = 30
_MOST_PATCHES = 6

_FAMILY_TITLES: Mapping[str, str] = {
    "item": "Core items",
    "item_path": "First two core items in their order",
    "skill_order": "Skill orders",
    "objective": "First objectives",
    "vision": "Vision",
}
_SHORT_UNITS: Mapping[str, str] = {"win_rate": "points", "dpm": "DPM", "correlation": "rank corr."}
_UNIT_OF_OUTCOME: Mapping[str, str] = {"win_rate": "win_rate", "dpm": "dpm", "deaths": "correlation"}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its charts, and a text for missing charts."""

    name: str
    title: str
    notes: Sequence[str]
    figures: Sequence[Figure] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Family(Section):
    """A family of patterns, with its rows and the number of rows left out."""

    rows: Sequence[Row] = ()
    more: int = 0


def write_report(
    path: Path, lake: Lake, *, patch: str | None = None, queue: str | None = None, champion: str | None = None
) -> None:
    """Writes the report.

    Args:
        path: path of the HTML file; its folder is created if missing.
        lake: lake with the gold tables.
        patch: such as 13.14; by default the newest with statistics.
        queue: group of queues, such as ranked_solo; by default the one with most games on the patch.
        champion: name in English or Korean, or key; by default the most played one.

    Raises:
        NothingToReportError: if no patch has statistics.
        UnknownNameError: if the patch or queue has no statistics, or the champion is unknown or was not played.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    subject = chosen(lake, patch, queue, champion)
    tests = rows_of(lake, PatternTests, subject)
    tested = [row for row in tests if row["reason"] is None]
    found = rows_of(lake, DiscoveredPatterns, subject)
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
    environment.filters |= {"count": "{:,.0f}".format, "rate": rate, "effect": effect_text, "q": q_text}
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
        tree=sorted(rows_of(lake, ObjectiveDecisionTree, subject), key=lambda leaf: -(leaf["win_rate"] or 0)),
        history=_history(lake, subject),
        figures=[figure for section in (*of_champion, *families, *of_patch) for figure in section.figures],
        plotly_js=Markup(get_plotlyjs()),
    )
    write_whole(path, page)


# --------------------------------------------------------------------------- numbers in words


def _tiles(subject: Subject, tests: Sequence[Row], found: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    """Yields name, number and remark of each tile."""
    yield "Matches", f"{subject.matches:,}", subject.where
    in_all = subject.position == ALL_POSITIONS
    as_what = "in every position" if in_all else f"as {subject.position}, its most played position"
    yield f"Games of {subject.champion}", f"{subject.champion_games:,}", as_what
    untested = sum(row["reason"] is not None for row in tests)
    more = f"; {untested:,} more could not be" if untested else ""
    yield "Hypotheses tested", f"{len(tests) - untested:,}", f"in {subject.queue}{more}"
    yield "Patterns found", f"{len(found):,}", f"q of at most {LEVEL}"
    held, tried = _replicated(tests)
    yield "Replicated", f"{held:,} of {tried:,}", "found by half of the matches alone, and tested on the other"


def _replicated(tests: Sequence[Row]) -> tuple[int, int]:
    """Returns how many patterns replicated on the held out half, and how many were tested there.

    Counts all tests, because the held out half takes part in selecting the finds of all games.
    """
    tried = [row["is_replicated"] for row in tests if row["is_replicated"] is not None]
    return sum(tried), len(tried)


def _of_all_families(lake: Lake, subject: Subject, tests: Sequence[Row], found: Sequence[Row]) -> list[str]:
    """Returns the number of hypotheses tested, and the results."""
    together = lake.scan(PatternTests, [subject.patch]).select(pl.col("p_value").count()).collect().item()
    reasons = Counter(row["reason"] for row in tests if row["reason"] is not None)
    counted = "; ".join(f"{reason} ({count:,})" for reason, count in sorted(reasons.items()))
    untested = [f"Could not be tested in {subject.queue}: {reasons.total():,}, as {counted}."] if reasons else []
    if not together:
        return [
            f"No hypothesis was tested on patch {subject.patch}: each needs {SUPPORT:,} games with it, and as many "
            "without.",
            *untested,
        ]
    held, tried = _replicated(tests)
    tested = len(tests) - reasons.total()
    share = "all" if tested == together else f"{tested:,} of them"
    sentences = [
        f"Hypotheses tested together on patch {subject.patch}: {together:,}, {share} in {subject.queue}. At p < 0.05 "
        f"about {0.05 * together:,.0f} would look like finds even if there were no effects, so finds must have a q of "
        f"at most {LEVEL}, over all hypotheses. Anything with fewer than {SUPPORT:,} games with it, or without it, is "
        "not tested yet.",
        f"Found in {subject.queue}: {len(found):,}. One half of the matches alone finds {tried:,} that could be "
        f"tested on the held out half; {held:,} of these held there.",
    ]
    if not found:
        outlook = (
            "The sections below show, by family, which effects could have been found."
            if tested
            else "None was tested there."
        )
        sentences[1] = f"No pattern was found in {subject.queue}. {outlook}"
    return sentences + untested


# --------------------------------------------------------------------------- charts


_LENGTHS = ("First core item", "First two core items", "First three core items")


def _builds(lake: Lake, subject: Subject) -> Section:
    rows = rows_of(lake, ItemBuildStats, subject, of_champion(subject))
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
            Mark(
                row["build_name"],
                row["build_name_ko"],
                f"{plural(row['games'], 'game')} · {gold_text(row['team_gold_diff'])}",
                *scaled(100, row["win_rate"], row["win_rate_low"], row["win_rate_high"]),
                hover=f"; completed at {clock(row['completed_at_s'])}, {rate(row['pick_share'])} of games",
            )
            for row in built[:_MOST_BUILDS]
        ]
        note = "Sorted by games, with the team's mean gold lead when the last item was completed."
        if len(built) > _MOST_BUILDS:
            note += f" {plural(len(built) - _MOST_BUILDS, 'more build')} in lol.item_build_stats."
        base = built[0]["baseline_win_rate"]
        line = None if base is None else (100 * base, f"All games with as many core items: {rate(base)}")
        figures.append(
            intervals_chart(
                f"builds-{length}", title, note, marks, "Win rate (%)", series="Win rate", line=line,
                wide=length == len(_LENGTHS),
            )
        )  # fmt: skip
    notes = [
        f"{subject.who}, {plural(subject.champion_games, 'game')} {subject.where}, by core items in the order of "
        "completion. Bars are 95% intervals (Wilson). These rates are naive: a build whose gold lead is high was often "
        "completed by teams that were winning already."
    ]
    return Section("builds", f"Builds of {subject.champion}", notes, figures, missing)


def _skill_orders(lake: Lake, subject: Subject) -> Section:
    rows = rows_of(lake, SkillOrderStats, subject, of_champion(subject), pl.col("kind") == "max_order")
    title = "Skill order and damage"
    notes = [
        f"{subject.who}: mean damage to champions per minute (DPM) by the order in which Q, W and E were maxed, in "
        "games with at least two of them maxed. Bars are 95% intervals that allow for skewness."
    ]
    marks = [
        Mark(
            " > ".join(row["skills"]),
            None,
            f"{plural(row['games'], 'game')} · won {rate(row['win_rate'])}",
            row["dpm"], row["dpm_low"], row["dpm_high"],
            hover=f"; {rate(row['pick_share'])} of games",
        )
        for row in sorted(rows, key=lambda row: -row["games"])
    ]  # fmt: skip
    if not marks:
        message = (
            f"No max order of {subject.who} has {FEWEST_GAMES} games or more {subject.where}, so there is no chart."
        )
        return Section("skills", title, notes, missing=[message])
    of_all = sum(row["dpm"] * row["games"] for row in rows) / sum(row["games"] for row in rows)
    line = (of_all, f"All of these games: {of_all:,.1f}")
    base = rows[0]["baseline_win_rate"]
    note = f"Sorted by games. All games with a complete order: won {rate(base)}."
    figure = intervals_chart("skill-orders", "DPM by max order", note, marks, "DPM", series="DPM", line=line)
    return Section("skills", title, notes, [figure])


def _objectives(lake: Lake, subject: Subject) -> Section:
    title = "First objectives, naive and adjusted"
    notes = [
        "Naive: the win rate of the teams that took the first one, minus that of their opponents. Adjusted: the "
        "difference at equal gold and time just before. Bars are 95% intervals."
    ]
    rows = [row for row in rows_of(lake, FirstObjectiveStats, subject) if row["naive_effect"] is not None]
    if not rows:
        message = f"No game {subject.where} has a first objective, which requires timelines, so there is no chart."
        return Section("objectives", title, notes, missing=[message])
    marks = [
        Mark(
            variable_words(row["objective"]),
            None,
            f"{plural(row['games'], 'game')} · at {clock(row['at_s'])}",
            *scaled(100, row["adjusted_effect"], row["adjusted_low"], row["adjusted_high"], row["naive_effect"]),
            hover=f"; the team that took it won {rate(row['win_rate'])}, "
            f"{gold_text(row['team_gold_diff_before'])} before",
        )
        for row in sorted(rows, key=lambda row: -row["naive_effect"])
    ]
    figure = intervals_chart(
        "first-objectives", "Effect of taking the first one", "Sorted by the naive difference.", marks,
        "Difference of the win rate (points)", series="At equal gold and time", beside="Naive", line=(0, ""),
    )  # fmt: skip
    return Section("objectives", title, notes, [figure])


def _vision(lake: Lake, subject: Subject) -> Section:
    title = "Vision and survival"
    notes = [
        "Rank correlation of vision score per minute and deaths; below 0, players with more vision die less. Longer "
        "games have more of both, so the relevant correlation holds the length of the game constant. Bars are 95% "
        "intervals, by match. ALL mixes positions that differ in both, so read the positions one by one."
    ]
    rows = [row for row in rows_of(lake, VisionSurvival, subject) if row["partial_spearman"] is not None]
    if not rows:
        message = f"Too few games {subject.where} to relate vision to survival, so there is no chart."
        return Section("vision", title, notes, missing=[message])
    order = {position: place for place, position in enumerate((*POSITIONS, ALL_POSITIONS))}
    marks = [
        Mark(
            row["position"],
            None,
            f"{plural(row['games'], 'game')} · vision {row['vision_per_minute']:.2f} a minute · "
            f"{row['deaths']:.1f} deaths",
            row["partial_spearman"], row["partial_low"], row["partial_high"], row["spearman"],
        )
        for row in sorted(rows, key=lambda row: order[row["position"]])
    ]  # fmt: skip
    figure = intervals_chart(
        "vision-deaths", "Vision and deaths by position", "", marks, "Rank correlation (Spearman)",
        series="Equal length of game", beside="Naive", line=(0, ""), whole=".3f",
    )  # fmt: skip
    return Section("vision", title, notes, [figure])


def _correlations(lake: Lake, subject: Subject) -> Section:
    title = "Correlations"
    for position in dict.fromkeys((subject.position, ALL_POSITIONS)):
        rows = rows_of(
            lake, VariableCorrelations, subject, pl.col("position") == position, pl.col("spearman").is_not_null()
        )
        if rows:
            break
    else:
        message = f"Too few games {subject.where} to correlate variables, so there is no chart."
        return Section("correlations", title, [], missing=[message])
    drawn, unsure_pairs = heatmap(rows)
    scope = "all positions together" if position == ALL_POSITIONS else position
    drawn |= {
        "title": f"Rank correlations (Spearman): {scope}",
        "note": f"Variables that go together are placed next to each other. Faded: {plural(unsure_pairs, 'pair')} of "
        f"{len(rows):,} with q above {LEVEL}, which may be chance.",
    }
    notes = [
        f"Every pair of variables of {scope} {subject.where}. A correlation is no cause: many of these arise because "
        "leading teams have more of everything."
    ]
    return Section("correlations", title, notes, [drawn])


# --------------------------------------------------------------------------- patterns


def _family(family: str, tests: Sequence[Row], found: Sequence[Row]) -> Family:
    """Returns a family: the effects its tests could find, and the found ones, drawn by unit."""
    title = _FAMILY_TITLES[family]
    if not tests:
        message = f"No hypothesis of this kind was tested: each needs {SUPPORT:,} games with it, and as many without."
        return Family(f"family-{family}", title, [], missing=[message])
    by_unit = {unit: [row for row in tests if row["effect_unit"] == unit] for unit in UNITS}
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
        scale, form, name = UNITS[unit]
        marks = [
            Mark(
                row["condition"],
                row["condition_ko"],
                f"{_who(row)} · {plural(row['games'], 'game')} · q {q_text(row['q_value'])}",
                *scaled(scale, row["effect"], row["effect_low"], row["effect_high"], row["naive_effect"]),
                hover=f"; against {row['baseline']}",
            )
            for row in sorted(drawn[:_MOST_DRAWN], key=lambda row: -row["effect"])
        ]
        note = "Dots: the effect at an equal state of the game, with its 95% interval. Hollow: the naive difference."
        if len(drawn) > _MOST_DRAWN:
            note += f" The {_MOST_DRAWN} most certain of {len(drawn):,}."
        axis = f"Effect ({name})" if unit != "correlation" else "Rank correlation"
        figures.append(
            intervals_chart(
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
    """Returns the effects that so many games can find, in theory, and the number found."""
    least = [row["smallest_effect"] for row in tests if row["smallest_effect"] is not None]
    powers = [row["power_at_3_points"] for row in tests if row["power_at_3_points"] is not None]
    count = f"{len(tests):,} {'hypothesis' if len(tests) == 1 else 'hypotheses'} on {_OUTCOMES[unit]}"
    games = f"{statistics.median(row['games'] for row in tests):,.0f} games each with it"
    if any(row["baseline_games"] for row in tests):
        games += f" and {statistics.median(row['baseline_games'] for row in tests):,.0f} without, in the median"
    sentences = [f"{count}, {games}; found: {found:,}."]
    if least:
        best, middle = size_text(min(least), unit), size_text(statistics.median(least), unit)
        if found:
            sentences.append(
                f"In theory, the best of these tests finds true effects from {best} on with power {WANTED_POWER}, and "
                f"the median test from {middle} on."
            )
        else:
            sentences.append(
                f"With so many games only effects above {best} could have been found (with power {WANTED_POWER}, by "
                f"the best of these tests; above {middle} by the median one). Smaller effects may exist although none "
                "was found."
            )
    if powers:
        least_power, most_power = _power_of(min(powers)), _power_of(max(powers))
        middle = _power_of(statistics.median(powers))
        each = f"{middle} in each" if least_power == most_power else f"{least_power} to {most_power}, median {middle}"
        sentences.append(f"Power to find a true effect of {100 * POINTS:.0f} points: {each}.")
    return " ".join(sentences)


def _power_of(value: float) -> str:
    return "less than 0.01" if value < 0.01 else f"{value:.2f}"


def _history(lake: Lake, subject: Subject) -> Mapping[str, Any]:
    """Returns rows of the table of patterns over patches, or `missing`, a text to show instead."""
    rows = lake.scan(PatternHistory).filter(pl.col("queue_group") == subject.queue).sort("pattern_id", "patch_number")
    by_pattern: dict[str, list[Row]] = {}
    for row in rows.collect().iter_rows(named=True):
        by_pattern.setdefault(row["pattern_id"], []).append(row)
    if len(subject.patches) < 2:
        message = f"Only one patch has statistics, {subject.patch}, so no pattern can be followed over patches."
        return {"missing": message}
    if not by_pattern:
        patches = f"{len(subject.patches)} patches with statistics"
        return {"missing": f"No pattern was found on any of the {patches}, so there is none to follow."}
    # Patterns with several patches are informative, most of all those found on many.
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
    """Returns a pattern's effects by patch, and their positions in a drawing 40 wide per patch and 48 high."""
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
