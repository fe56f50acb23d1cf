"""The report: that it tells what the tables hold and nothing else, and that a browser shows it without a network.

Two simulated seasons go through the statistics themselves: one with effects planted, one in which nothing is true.
With GAMESTATS_PICTURES set to a folder, the report is also kept there as pictures.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import expect

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.patterns.figures import variable_words
from gamestats_assets.lol.patterns.patterns import discovered_patterns, pattern_tests
from gamestats_assets.lol.patterns.report import write_report
from gamestats_assets.lol.patterns.subject import NothingToReportError
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.statistics.build_stats import item_build_stats, skill_order_stats
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets.lol.statistics.variables import variable_correlations, vision_survival
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol.gold import make, table_of, with_features
from gamestats_assets_tests.lol.silver import Frames, silver
from gamestats_assets_tests.support.browsers import Shown, chromium, keep
from gamestats_assets_tests.support.frames import changed, run_sql

_STATISTICS = (
    item_build_stats,
    skill_order_stats,
    first_objective_stats,
    vision_survival,
    variable_correlations,
    objective_decision_tree,
    pattern_tests,
    discovered_patterns,
)
POOL = {
    "TOP": ["Aatrox"],
    "JUNGLE": ["LeeSin"],
    "MIDDLE": ["Ahri"],
    "BOTTOM": ["Ezreal", "Jinx"],
    "UTILITY": ["Thresh"],
}
EVIL_CHAMPION = "Ezreal </script><b>& co</b>"
EVIL_ITEM = "Trinity <img src=x onerror=alert(1)> & <a href='http://evil.example'>Force</a>"
HERE = ("13.10", "ranked_solo")


def season(plan: Plan) -> Frames:
    """The tables of a simulated season, made by the statistics.

    A champion and an item have markup in their names. In every tenth match those of the middle and bottom lanes change
    places, so that champions have several positions.
    """
    made: dict[Any, pl.DataFrame] = {**silver(simulate(plan))}
    of_match = made[t.Matches].select("match_id", "patch", "queue_group", "in_statistics")
    made[t.Objectives] = made[t.Objectives].select(
        name for name in made[t.Objectives].columns if name == "match_id" or name not in of_match.columns
    ).join(of_match, on="match_id")  # fmt: skip
    for table, key, number, name in (
        (t.Champions, "champion_id", 81, EVIL_CHAMPION),
        (t.Items, "item_id", 3078, EVIL_ITEM),
    ):
        evil = pl.when(pl.col(key) == number).then(pl.lit(name)).otherwise("name")
        made[table] = made[table].with_columns(name=evil)

    swapped = pl.col("position").replace({"MIDDLE": "BOTTOM", "BOTTOM": "MIDDLE"})
    made[t.Participants] = made[t.Participants].with_columns(
        position=pl.when(pl.col("match_id").str.ends_with("0")).then(swapped).otherwise("position")
    )

    made = with_features(made)
    for function in _STATISTICS:
        made[table_of(function)] = make(function, made)
    made[t.PatternHistory] = run_sql(t.PatternHistory, made)
    return made


def lake_of(folder: Path, frames: Frames, *tables: type[Table]) -> Lake:
    """A lake with these tables."""
    lake = Lake(folder)
    for table in tables:
        partition = table.spec.partitioned_by
        owned = frames[table][partition].unique().to_list() if partition else None
        if owned != []:
            rows = frames[table].select(table.column_names())
            assert lake.replace(table, rows, partitions=owned).rejections == []
    return lake


GOLD: tuple[type[Table], ...] = (
    t.Champions, t.Items, t.ParticipantFeatures, t.ItemBuildStats, t.SkillOrderStats, t.FirstObjectiveStats,
    t.VisionSurvival, t.VariableCorrelations, t.ObjectiveDecisionTree, t.PatternTests, t.DiscoveredPatterns,
    t.PatternHistory,
)  # fmt: skip


@dataclass
class Written:
    """A report, with the tables that it was made of."""

    frames: Frames
    lake: Lake
    path: Path

    def rows(self, table: type[Table], **wanted: Any) -> list[dict[str, Any]]:
        """Rows of a table on the newest patch, ranked alone."""
        wanted = {"patch": HERE[0], "queue_group": HERE[1]} | wanted
        return [row for row in self.frames[table].to_dicts() if all(row[name] == wanted[name] for name in wanted)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Written:
    plan = Plan(
        matches=2800,
        days=2,
        patches=(("13.9", 1), ("13.10", 1.5)),
        aram=0.05,
        champions=POOL,
        effects=(
            Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=3078, points=0.2),
            Effect(kind="skill_order", champion="Ezreal", position="BOTTOM", order="QWE", dpm=80),
            Effect(kind="objective", objective="dragon", points=0.15),
            Effect(kind="vision", position="UTILITY", correlation=-0.3),
        ),
    )
    folder = tmp_path_factory.mktemp("planted")
    frames = season(plan)
    written = Written(frames, lake_of(folder / "lake", frames, *GOLD), folder / "new" / "report.html")
    write_report(written.path, written.lake, champion="ezreal")
    return written


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("idle")
    frames = season(Plan(matches=700, days=1, patches=(("13.10", 1),), champions=POOL))
    written = Written(frames, lake_of(folder / "lake", frames, *GOLD), folder / "report.html")
    write_report(written.path, written.lake)
    return written


def page_of(path: Path) -> str:
    """The page without its scripts."""
    return _page_as_of(path, path.stat().st_mtime_ns)


@functools.cache
def _page_as_of(path: Path, written_ns: int) -> str:
    # Four megabytes of Plotly, which are taken out once for all the tests that read a page.
    return re.sub(r"(?s)<script.*?</script>", "", path.read_text())


def words_of(html: str) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html))).strip()


def part_of(path: Path, name: str) -> str:
    """A section or family of the page."""
    kind = "div" if name.startswith("family") else "section"
    end = '<div class="family"|</section>' if kind == "div" else "</section>"
    (found,) = re.findall(rf'(?s)<{kind} [^>]*id="{name}".*?(?={end})', page_of(path))
    return found


def charts_of(path: Path) -> dict[str, Any]:
    (text,) = re.findall(r'(?s)<script type="application/json" id="figures">(.*?)</script>', path.read_text())
    return {chart["id"]: chart for chart in json.loads(text)}


def dots(chart: Any) -> list[tuple[float, float, float]]:
    """Value, lower and upper end of each row, from the top."""
    trace = chart["data"][-1]
    assert trace["y"] == sorted(trace["y"])
    ends = zip(trace["x"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True)
    return [(value, value - minus, value + plus) for value, minus, plus in ends]


def hollow(chart: Any) -> list[float]:
    (trace,) = [trace for trace in chart["data"] if trace.get("marker", {}).get("symbol") == "circle-open"]
    return trace["x"]


def close(expected: Any) -> Any:
    return [pytest.approx(each, rel=1e-9, abs=1e-9) for each in expected]


def ends(row: dict[str, Any], *names: str, scale: float = 1) -> tuple[float, ...]:
    return tuple(scale * row[name] for name in names)


# --------------------------------------------------------------------------- what it is about


def test_by_default_it_is_of_the_newest_patch_and_the_most_played_champion(planted: Written) -> None:
    rows = planted.frames[t.ParticipantFeatures].to_dicts()
    newest = max((row["patch"] for row in rows), key=lambda patch: [int(part) for part in patch.split(".")])
    queue = Counter(row["queue_group"] for row in rows if row["patch"] == newest).most_common(1)[0][0]
    assert (newest, queue) == HERE
    here = [row for row in rows if (row["patch"], row["queue_group"]) == HERE]
    most = Counter(row["champion_id"] for row in here).most_common()
    champion = min(number for number, games in most if games == most[0][1])
    built = planted.rows(t.ItemBuildStats, champion_id=champion)
    ((english, korean),) = {(row["champion_name"], row["champion_name_ko"]) for row in built}
    target = planted.path.with_name("default.html")
    write_report(target, planted.lake)
    (heading,) = re.findall(r"(?s)<h1>.*?</h1>", page_of(target))
    assert words_of(heading) == f"{english} {korean} and the patterns of patch 13.10"
    tiles = words_of(part_of(target, "tiles"))
    assert f"Games of {english} {most[0][1]:,} " in tiles
    assert f"Matches {len({row['match_id'] for row in here}):,} on patch 13.10 in ranked_solo" in tiles


def test_a_korean_name_another_patch_and_another_queue_can_be_asked_for(planted: Written) -> None:
    target = planted.path.with_name("korean.html")
    write_report(target, planted.lake, champion="이즈리얼", patch="13.9")
    assert escape(EVIL_CHAMPION, quote=False) in page_of(target)
    assert "patterns of patch 13.9" in words_of(page_of(target))
    write_report(target, planted.lake, queue="aram")
    page = words_of(page_of(target))
    assert "in every position" in page
    assert "Rank correlations (Spearman): all positions together" in page


def test_what_is_not_there_is_told_with_what_there_is(planted: Written, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    with pytest.raises(UnknownNameError, match=r"found 'Ezrael'\. Did you mean .*Ezreal"):
        write_report(target, planted.lake, champion="Ezrael")
    with pytest.raises(UnknownNameError, match=r"patch '13\.8'; patches with statistics: 13\.9, 13\.10\."):
        write_report(target, planted.lake, patch="13.8")
    with pytest.raises(
        UnknownNameError, match=r"queue 'clash' on patch 13\.10; queues with statistics: ranked_solo \([\d,]+ games"
    ):
        write_report(target, planted.lake, queue="clash")
    with pytest.raises(UnknownNameError, match=r"Garen was not played on patch 13\.10 in ranked_solo; .*Aatrox"):
        write_report(target, planted.lake, champion="Garen")
    with pytest.raises(NothingToReportError, match="gamestats materialize"):
        write_report(target, Lake(tmp_path / "lake"))
    assert not target.exists()


# --------------------------------------------------------------------------- values


def test_every_chart_that_was_asked_for_is_there(planted: Written) -> None:
    from plotly import graph_objects as go

    charts = charts_of(planted.path)
    assert [*charts][:4] == ["builds-1", "builds-2", "builds-3", "skill-orders"]
    assert [*charts][-3:] == ["first-objectives", "vision-deaths", "correlation-map"]
    found = {f"patterns-{row['family']}-{row['effect_unit']}" for row in planted.rows(t.DiscoveredPatterns)}
    assert {"patterns-item-win_rate", "patterns-objective-win_rate", "patterns-vision-correlation"} <= found
    assert set([*charts][4:-3]) == found
    page = page_of(planted.path)
    for chart in charts.values():
        colours = re.sub(r'"--[a-z0-9-]+"', '"red"', json.dumps(chart))
        # Raises where Plotly knows no such thing.
        go.Figure({name: json.loads(colours)[name] for name in ("data", "layout")})
        assert page.count(f'id="{chart["id"]}"') == 1
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_builds_are_those_of_the_champion_in_its_most_played_position(planted: Written) -> None:
    rows = planted.rows(t.ItemBuildStats, champion_id=81, position="BOTTOM")
    for items in (1, 2, 3):
        chart = charts_of(planted.path)[f"builds-{items}"]
        built = sorted((row for row in rows if row["items"] == items), key=lambda row: (-row["games"], row["build"]))
        built = built[:12]
        assert len(built) > 2
        assert planted.rows(t.ItemBuildStats, champion_id=81, position="MIDDLE", items=1)
        expected = [ends(row, "win_rate", "win_rate_low", "win_rate_high", scale=100) for row in built]
        assert dots(chart) == close(expected)
        (line,) = {row["baseline_win_rate"] for row in built}
        assert chart["data"][0]["x"] == close([100 * line] * 2)
        for row, label in zip(built, chart["labels"], strict=True):
            assert escape(row["build_name"], quote=False) in label
            assert row["build_name_ko"] in unescape(label)
            assert f"{row['games']:,} games · {row['team_gold_diff']:+,.0f} gold" in label


def test_correlations_are_of_the_position_and_faded_where_they_may_be_chance(planted: Written) -> None:
    chart = charts_of(planted.path)["correlation-map"]
    sure, faded = chart["data"]
    assert faded["opacity"] < 0.5 < sure.get("opacity", 1)
    place = {name: number for number, name in enumerate(sure["x"])}
    assert sure["x"] == sure["y"]
    rows = planted.rows(t.VariableCorrelations, position="BOTTOM")
    assert {row["spearman_q_value"] > 0.05 for row in rows} == {True, False}
    for row in rows:
        one, other = (place[variable_words(row[name])] for name in ("variable", "other_variable"))
        shown, empty = (sure, faded) if row["spearman_q_value"] <= 0.05 else (faded, sure)
        for i, j in ((one, other), (other, one)):
            assert shown["z"][i][j] == pytest.approx(row["spearman"])
            assert empty["z"][i][j] is None
    assert sum(value is not None for trace in (sure, faded) for line in trace["z"] for value in line) == 2 * len(rows)
    chance = sum(row["spearman_q_value"] > 0.05 for row in rows)
    assert f"Faded: {chance:,} pairs of {len(rows):,}" in chart["note"]


def test_found_patterns_are_drawn_beside_their_naive_difference_and_told_below(planted: Written) -> None:
    charts = charts_of(planted.path)
    forms = {"win_rate": (100, "{:+.1f}"), "dpm": (1, "{:+.1f}"), "correlation": (1, "{:+.3f}")}
    found = planted.rows(t.DiscoveredPatterns)
    for unit, (scale, form) in forms.items():
        for family in {row["family"] for row in found if row["effect_unit"] == unit}:
            rows = [row for row in found if (row["family"], row["effect_unit"]) == (family, unit)]
            rows.sort(key=lambda row: -row["effect"])
            assert len(rows) <= 25
            chart = charts[f"patterns-{family}-{unit}"]
            assert dots(chart) == close([ends(row, "effect", "effect_low", "effect_high", scale=scale) for row in rows])
            assert hollow(chart) == close([scale * row["naive_effect"] for row in rows])
            lines = re.findall(r"(?s)<tr>.*?</tr>", part_of(planted.path, f"family-{family}"))
            for row in rows:
                (line,) = [words_of(line) for line in lines if row["sentence"] in words_of(line)]
                effect, low, high, naive = (
                    form.format(scale * row[name]) for name in ("effect", "effect_low", "effect_high", "naive_effect")
                )
                q = "< 0.0001" if row["q_value"] < 0.0001 else f"{row['q_value']:.2g}"
                after = line.split(row["condition_ko"])[-1].split()
                assert after[0] == naive
                assert after[1] == effect
                assert f"{low} to {high} {row['games']:,} {q} " in line
                tried = (row["discovery_half_q_value"] or 0) <= 0.05
                pill = {True: "✓ held", False: "✕ did not hold", None: "not tested"}[row["is_replicated"]]
                assert line.endswith(pill if tried else "by all games only")


def test_whether_a_pattern_held_again_is_told(planted: Written, tmp_path: Path) -> None:
    here = (pl.col("patch") == HERE[0]) & (pl.col("queue_group") == HERE[1])
    frames = dict(planted.frames)
    for family, of_half, has_held in (
        ("objective", 0.01, False), ("vision", 0.01, None), ("item", 0.2, None), ("skill_order", 0.01, True),
    ):  # fmt: skip
        for table in (t.DiscoveredPatterns, t.PatternTests):
            result = {"discovery_half_q_value": of_half, "is_replicated": has_held}
            known = here & (pl.col("family") == family) & pl.col("is_found")
            frames |= changed(table, known, **result)(frames)
    found = frames[t.DiscoveredPatterns].filter(here)
    held = Counter(found.get_column("is_replicated").to_list())
    assert min(held[True], held[False], held[None]) >= 1
    path = tmp_path / "report.html"
    write_report(path, lake_of(tmp_path / "lake", frames, *GOLD))
    for family, pill in (
        ("objective", "✕ did not hold"), ("vision", "not tested"), ("item", "by all games only"),
        ("skill_order", "✓ held"),
    ):  # fmt: skip
        assert pill in words_of(part_of(path, f"family-{family}"))
    pills = words_of(part_of(path, "patterns"))
    assert (pills.count("✓ held"), pills.count("✕ did not hold")) == (held[True], held[False])
    result = Counter(frames[t.PatternTests].filter(here).get_column("is_replicated").to_list())
    tried = result[True] + result[False]
    assert f"Replicated {result[True]} of {tried} found by half" in words_of(part_of(path, "tiles"))
    assert f"alone finds {tried} that could be tested on the held out half; {result[True]} of these" in pills


def test_first_objectives_are_told_naively_and_adjusted(planted: Written) -> None:
    rows = sorted(planted.rows(t.FirstObjectiveStats), key=lambda row: -row["naive_effect"])
    chart = charts_of(planted.path)["first-objectives"]
    adjusted = [ends(row, "adjusted_effect", "adjusted_low", "adjusted_high", scale=100) for row in rows]
    assert dots(chart) == close(adjusted)
    assert hollow(chart) == close([100 * row["naive_effect"] for row in rows])
    assert [label.split("<br>")[0].lower().replace(" ", "_") for label in chart["labels"]] == [
        row["objective"] for row in rows
    ]


def test_patterns_are_followed_over_patches(planted: Written) -> None:
    html = part_of(planted.path, "history")
    lines = re.findall(r"(?s)<tr>.*?</tr>", html)
    assert words_of(lines[0]) == "Pattern Course 13.9 13.10 Found on"
    history = [row for row in planted.frames[t.PatternHistory].to_dicts() if row["queue_group"] == "ranked_solo"]
    by_pattern: dict[str, dict[str, dict[str, Any]]] = {}
    for row in history:
        by_pattern.setdefault(row["pattern_id"], {})[row["patch"]] = row
    assert len(lines) - 1 == len(by_pattern) <= 30
    result = [words_of(line) for line in lines[1:]]
    for of in by_pattern.values():
        first = next(iter(of.values()))
        scale, form = {"win_rate": (100, "+.1f"), "dpm": (1, "+.1f"), "deaths": (1, "+.3f")}[first["outcome"]]
        cells: list[str] = []
        for row in (of.get("13.9"), of.get("13.10")):
            numbers = [f"{scale * row[name]:{form}}" for name in ("effect", "effect_low", "effect_high")] if row else []
            cells.append("{} {} to {}".format(*numbers) if row else "–")
        count = sum(row["is_found"] for row in of.values())
        end = f"{' '.join(cells)} {count} of {len(of)}"
        (line,) = [line for line in result if line.startswith(f"{first['condition']} ") and line.endswith(end)]
        drawn = lines[1 + result.index(line)]
        assert drawn.count("<circle") == len(of)
        assert drawn.count('fill="var(--series-1)"') == count


# --------------------------------------------------------------------------- nothing


def test_where_nothing_is_found_it_says_what_could_have_been(idle: Written) -> None:
    tests = idle.rows(t.PatternTests)
    assert tests
    assert idle.frames[t.DiscoveredPatterns].is_empty()
    said = words_of(part_of(idle.path, "patterns"))
    assert "No pattern was found in ranked_solo." in said
    for family in ("item", "objective"):
        of = [row for row in tests if (row["family"], row["effect_unit"]) == (family, "win_rate")]
        least = min(row["smallest_effect"] for row in of)
        words = words_of(part_of(idle.path, f"family-{family}"))
        assert f"With so many games only effects above {100 * least:.1f} points could have been found" in words
    assert not [name for name in charts_of(idle.path) if name.startswith("patterns")]
    assert "Only one patch has statistics, 13.10" in words_of(part_of(idle.path, "history"))


def test_empty_tables_give_sentences_and_no_empty_charts(planted: Written, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", planted.frames, t.ParticipantFeatures, t.ObjectiveDecisionTree)
    write_report(tmp_path / "report.html", lake, champion="Jinx")
    assert charts_of(tmp_path / "report.html") == {}
    page = page_of(tmp_path / "report.html")
    assert 'class="picture"' not in page
    said = words_of(page)
    for sentence in (
        "First core item: no build of Jinx (BOTTOM) has 5 games or more on patch 13.10 in ranked_solo",
        "No max order of Jinx (BOTTOM) has 5 games or more",
        "No hypothesis was tested on patch 13.10: each needs 200 games",
        "has a first objective, which requires timelines",
        "Too few games on patch 13.10 in ranked_solo to relate vision to survival",
        "to correlate variables",
        "No pattern was found on any of the 2 patches with statistics",
    ):
        assert sentence in said
    for family in ("item", "item_path", "skill_order", "objective", "vision"):
        words = words_of(part_of(tmp_path / "report.html", f"family-{family}"))
        assert "No hypothesis of this kind was tested" in words
    lake = lake_of(tmp_path / "other", planted.frames, t.ParticipantFeatures, t.FirstObjectiveStats)
    write_report(tmp_path / "other.html", lake)
    assert "to grow a tree, so there are no rules" in words_of(part_of(tmp_path / "other.html", "tree"))


# --------------------------------------------------------------------------- safe and on its own


def test_names_with_markup_are_text(planted: Written) -> None:
    page = planted.path.read_text()
    assert EVIL_CHAMPION in words_of(re.findall(r"(?s)<h1>.*?</h1>", page)[0])
    for markup in ("</script><b>", "<b>& co", "<img", "evil.example'>"):
        assert markup not in page
    # Plotly would take tags in its texts for tags, too.
    texts = json.dumps(charts_of(planted.path), ensure_ascii=False)
    assert "Trinity &lt;img src=x" in texts
    assert set(re.findall(r"<(\w+)", texts)) <= {"br", "span", "extra"}


@pytest.fixture(scope="module")
def shown(planted: Written) -> Iterator[Shown]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        found = Shown(page)
        page.goto(planted.path.as_uri())
        yield found


def test_a_browser_shows_every_chart_in_light_and_dark_and_on_a_phone(shown: Shown, planted: Written) -> None:
    page = shown.page
    charts = charts_of(planted.path)
    expect(page.locator(f"html[data-drawn='{len(charts)}']")).to_have_count(1)
    assert page.locator(".picture:has(.main-svg)").count() == len(charts)
    assert EVIL_CHAMPION in page.locator("h1").inner_text()
    assert any(EVIL_ITEM in label for label in page.locator("#builds-1 .ytick text").all_text_contents())
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    dot, card = page.locator("#first-objectives .points path").last, page.locator(".card").first
    expect(dot).to_have_css("fill", "rgb(47, 111, 201)")
    expect(card).to_have_css("background-color", "rgb(255, 255, 255)")
    keep(page, "lol_report_wide")
    page.emulate_media(color_scheme="dark")
    expect(dot).to_have_css("fill", "rgb(90, 156, 240)")
    expect(card).to_have_css("background-color", "rgb(26, 32, 41)")
    keep(page, "lol_report_dark")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("document.querySelector('#builds-1 .main-svg').getBoundingClientRect().width < 390")
    # Nothing is wider than the screen but the tables and the map, which scroll by themselves; labels stand above rows.
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#builds-1 .annotation").count() == len(charts["builds-1"]["labels"])
    keep(page, "lol_report_phone")
    assert shown.troubles == []
    assert shown.asked == [planted.path.as_uri()]
