"""The report: that it tells what the tables hold and nothing else, and that a browser shows it without a network.

Its parts are those of the player's pages. With GAMESTATS_PICTURES set to a folder, it is also kept there as pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players.identities import PLATFORMS
from gamestats_assets.rocket_league.serving.report import NoReportError, write_report
from gamestats_assets.rocket_league.serving.words import platform_words
from gamestats_assets_tests.rocket_league.support.building import PLAYER, Row, rows
from gamestats_assets_tests.rocket_league.support.shown import (
    AIR,
    EVIL_NAME,
    EVIL_PACK,
    EVIL_REASON,
    OTHERS,
    SHOTS,
    Frames,
    derived,
    planted_tables,
    publish_and_enter,
)
from gamestats_assets_tests.support.browsers import Shown, chromium, obstacles_in_looks
from gamestats_assets_tests.support.postgres_fixture import database

SET_ASIDE = "1 of 2 matches is set aside: 1 by goals_are_in_the_score."


def entry_of(frames: Frames) -> Row:
    """The one player who is entered."""
    return frames[t.RlPlayers].row(0, named=True)


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        publish_and_enter(found, planted_tables())
        yield found


@pytest.fixture(scope="module")
def planted(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "new" / "report.html"
    write_report(path, url, entry_of(planted_tables()), SET_ASIDE)
    return path


def page_of(path: Path) -> str:
    """The page without its styles."""
    return re.sub(r"(?s)<style.*?</style>", "", path.read_text())


def words_of(html: str) -> str:
    """What a reader reads; what a browser shows beside something stands in ()."""
    plain = re.sub(r"<title>([^<]*)</title>", r"", html)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", plain))).replace(" ,", ",").strip()


def part_of(path: Path, name: str) -> str:
    """A section of the page."""
    (found,) = re.findall(rf'(?s)<section class="stack" id="{name}">.*?</section>', page_of(path))
    return found


def said(path: Path, name: str) -> str:
    return words_of(part_of(path, name))


def lines_of(html: str) -> list[str]:
    """The lines of its tables, without their heads."""
    return [words_of(line) for line in re.findall(r"(?s)<tr>.*?</tr>", re.sub(r"(?s)<thead>.*?</thead>", "", html))]


def chart_of(path: Path, name: str) -> str:
    """A drawing by the id of its figure."""
    (found,) = re.findall(rf'(?s)<figure id="{name}">.*?</figure>', page_of(path))
    return found


def titles_of(chart: str) -> list[str]:
    """What a browser shows beside the parts of a drawing."""
    return [unescape(each) for each in re.findall(r"<title>([^<]*)</title>", chart)]


# --------------------------------------------------------------------------- values


SAID = [
    ("p1-rank", "Known rank Champion I Plays like"),
    # Ranks are as wide as 1: 15.34 is Diamond III, 14.51 is that too, and 16.49 is Champion I.
    ("p1-rank", "Diamond III (15.3), 80% interval Diamond III (14.5) to Champion I (16.5)"),
    ("p1-rank", "drives 9% slower (47 against 51 km/h): -0.8 ranks"),
    ("p1-rank", "+0.43 ranks in 30 days, 80% interval −0.21 to +1.08. By form +0.32, by training +0.11."),
    ("p1-rank", "It is based on: Form: 12 matches."),
    ("p2-rank", "Known rank unknown"),
    ("p2-rank", f"gamestats rocket-league rank {PLAYER} ranked-duels champion-2"),
    ("p2-rank", "Not predicted. 3 matches; it needs 10."),
    ("p3-rank", "There is no prediction yet"),
    ("p1-skills", "Not measured: positioning. Too <few> players at Champion I are known."),
    ("p1-skills", "Not measured: rotation. Not enough matches yet: 3 of 5 with figures."),
    (
        "p1-skills",
        "Weakness: aerials Better than only 4% of the cohort (90% interval: 2 to 52%). Evidence of aerials. Reaching "
        "the middle of the cohort would be worth 1.2 ranks.",
    ),
    ("p2-skills", "Not measured: aerials, saves, positioning, rotation, shooting. No rank in Ranked duels is known"),
    ("p3-skills", "No weakness No measured skill is below the cohort's average"),
    ("p3-skills", "The lowest is aerials. Evidence of aerials."),
    ("p1-progress", "are replaced by their main feature"),
    ("p1-progress", "From Diamond III on 9 Mar 2026 to Champion I on 6 Apr 2026."),
    ("p2-progress", "No rank is known for these matches"),
    ("p2-field", "No match shows yet where the player is"),
    ("p2-training", "No entered training of a skill can be evaluated here."),
    ("p1-nearest", "Of the next rank: there is no one to compare with yet."),
    ("p1-basis", "12 matches on 3 days, from 14 Mar 2026 to 11 Apr 2026. The replays of 2 were read"),
    ("p1-basis", "Aerials: 321 players from Diamond III to Champion II, with 6,543 matches"),
    (
        "p1-basis",
        "Version 2 (served), trained on 456 players with 7,890 matches up to 27 Mar 2026. In cross-validation over "
        "players it is off by 1.23 ranks on average (always naming the middle rank: 3.46). The best single feature, "
        "time at supersonic speed, is off by 2.35 on its own. It names the exact rank of 31.2% of players (the most "
        "frequent rank: 9.9%), is at most one rank off for 74.6%, and its 80% interval contains the rank of 81.1%.",
    ),
    ("p2-basis", "None measures a skill of the player. Model of ranks No model is in use."),
]
LINES = {
    "p1-skills": [
        "Aerials weakness 4% 2–52 −1.52 62.5% 12 matches 1.2 ranks Evidence of aerials.",
        "Saves no weakness 61% 30–80 +0.37 62.5% 12 matches – Evidence of saves.",
        "Shooting no weakness 83% 42–92 +1.10 62.5% 12 matches 0.0 ranks Evidence of shooting.",
    ],
    "p1-training": [
        "Aerials 2 sessions, 1.5 hours 19 Mar 2026 – 23 Mar 2026 61.3% of 140 −5.5 points −0.51 4 matches +0.23 "
        "8 matches +0.74 +0.12 – +1.36 better beyond chance",
        "Saves 1 session, 20 minutes 19 Mar 2026 – 23 Mar 2026 not counted – Not measured. Known of saves: 1 match.",
    ],
}


@pytest.mark.parametrize(("part", "words"), SAID)
def test_a_part_says(planted: Path, part: str, words: str) -> None:
    assert said(planted, part).count(words) == 1


@pytest.mark.parametrize("part", LINES)
def test_a_part_lists(planted: Path, part: str) -> None:
    assert lines_of(part_of(planted, part)) == LINES[part]


def test_playlists_stand_by_how_much_they_are_played_and_simulated_ones_do_not_count(planted: Path) -> None:
    headings = [words_of(found) for found in re.findall(r"(?s)<h2 id.*?</h2>", page_of(planted))]
    assert headings == ["Ranked doubles", "Ranked duels", "Ranked doubles · simulated"]
    header = words_of(re.findall(r"(?s)<header.*?</header>", page_of(planted))[0])
    for words in (
        "Highest rank Champion I", "Matches 15 14 Mar 2026 to 11 Apr 2026", "Skills measured 3 in 1 of 2 playlists",
        "Weaknesses 1 aerials", "The player also has simulated matches", SET_ASIDE,
    ):  # fmt: skip
        assert words in header


def test_measured_skills_are_drawn_within_the_cohort(planted: Path) -> None:
    part = part_of(planted, "p1-skills")
    assert re.findall(r'(?s)<svg class="strip" role="img" aria-label="([^"]*)".*?</svg>', part) == [
        "Aerials: better than 4% of the cohort, 90% interval 2 to 52%",
        "Saves: better than 61% of the cohort, 90% interval 30 to 80%",
        "Shooting: better than 83% of the cohort, 90% interval 42 to 92%",
    ]
    # Aerials are 1.52 standard deviations between players below the middle, near the line's left end at 1.64.
    [strip] = re.findall(r'(?s)aria-label="Aerials.*?</svg>', part)
    [at] = [float(each) for each in re.findall(r'<circle class="own" cx="([\d.]+)"', strip)]
    [middle] = [float(each) for each in re.findall(r'<path class="median" d="M([\d.]+)', strip)]
    [width] = re.findall(r'<rect class="all" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', strip)
    assert (middle - at) / (float(width) / 2) == pytest.approx(1.52 / 1.645, abs=0.01)
    assert "<svg" not in part_of(planted, "p2-skills")


def test_skills_are_followed_by_week_with_the_interval_of_so_many_matches(planted: Path) -> None:
    means = [fmean((each - 0.05) / 0.02 for each in AIR[start : start + 4]) for start in (0, 4, 8)]
    reach = 1.6448536269514722 * 0.8 / 4**0.5
    # 14 March 2026 is a Saturday.
    weeks = ("9 Mar 2026", "23 Mar 2026", "6 Apr 2026")
    intervals = [f"{mean:+z.2f} ({mean - reach:+z.2f} to {mean + reach:+z.2f})".replace("-", "−") for mean in means]
    chart = chart_of(planted, "p1-aerials")
    # Training sessions are marked in the course of their skill.
    assert titles_of(chart) == [
        "19 Mar 2026: 30 minutes in 17F2-309A-8FA5-13BE, 41 of 60 attempts succeeded",
        "23 Mar 2026: 60 minutes",
        *(f"{week}: {each}, 4 matches" for week, each in zip(weeks, intervals, strict=True)),
    ]
    ranks = ["9 Mar 2026: Diamond III", "23 Mar 2026: Champion I", "6 Apr 2026: Champion I"]
    assert titles_of(chart_of(planted, "p1-ranks")) == ranks
    assert f"{intervals[0]} in the week of {weeks[0]}, {intervals[2]} in the week of {weeks[2]}." in words_of(chart)
    lines = lines_of(part_of(planted, "p1-progress"))
    assert len(lines) == 3
    assert lines[0].startswith(f"{weeks[0]} {intervals[0]} 4 matches ")
    assert lines[0].endswith("Diamond III")


def test_what_nothing_measures_is_followed_by_its_main_feature(planted: Path) -> None:
    shooting = titles_of(chart_of(planted, "p1-shooting"))
    # Student's t with 11 degrees of freedom.
    reach = 1.795885 * stdev(SHOTS) / 2
    means = [fmean(SHOTS[start : start + 4]) for start in (0, 4, 8)]
    assert [each.split(": ")[1] for each in shooting] == [
        f"{mean:.2f} ({max(0, mean - reach):.2f} to {mean + reach:.2f}), 4 matches" for mean in means
    ]
    # Matches that are all alike do not tell what is chance.
    assert [each.split(": ")[1] for each in titles_of(chart_of(planted, "p1-saves"))[1:]] == ["25.0%, 4 matches"] * 3
    first, _, last = (f"{mean:.2f} ({max(0, mean - reach):.2f} to {mean + reach:.2f}) a minute" for mean in means)
    sentence = f"Shots on goal (shooting) {first} in the week of 9 Mar 2026, {last} in the week of 6 Apr 2026."
    assert sentence in words_of(re.sub("(?s)<svg.*?</svg>", "", part_of(planted, "p1-progress")))
    # Few weeks are shown by day: Student's t with 2 degrees of freedom, 2.92 * 10 / 3 ** 0.5.
    by_day = titles_of(chart_of(planted, "p2-positioning"))
    assert by_day == ["15 Mar 2026: 60.0% (43.1 to 76.9%), 3 matches"]
    # Nothing tells of rotation in any match.
    assert not re.search('id="p[12]-rotation"', page_of(planted))


def test_recommended_packs_stand_in_their_order_with_code_and_reason(planted: Path) -> None:
    (real, simulated) = part_of(planted, "train").split("notice warning simulated")
    assert lines_of(real) == [
        f"1 {EVIL_PACK} 17F2-309A-8FA5-13BE Copy aerials Ranked doubles 7 of 10 {EVIL_REASON}",
        "2 Second 2195-C0DC-6CAB-B547 Copy saves Ranked doubles 8 of 10 It is new to you.",
    ]
    assert "There are no recommendations yet: they need a measured skill." in words_of(simulated)


def test_others_have_rank_and_figures_and_no_names(planted: Path) -> None:
    words = "boosts 23% more (412 against 335 a minute); <i>shoots</i> more"
    assert lines_of(part_of(planted, "p1-nearest")) == [
        f"1 Player A on Steam Champion I 10 0.96 {words}",
        f"2 Player B on PlayStation Champion I 20 1.21 {words}",
        f"3 Player C on Epic Games Champion I 30 1.46 {words}",
    ]
    whole = planted.read_text()
    for other in OTHERS:
        assert other not in whole
        assert other.partition("_")[2] not in whole
    assert "oklm" not in whole


@pytest.mark.parametrize("platform", PLATFORMS)
def test_of_an_account_only_the_platform_is_shown(platform: str) -> None:
    assert "known" not in platform_words(f"{platform}_somebody_known")
    assert platform_words(f"{platform}_cafe") == platform_words(f"{platform}_other")


def test_every_section_on_simulated_matches_says_so_and_no_other(planted: Path) -> None:
    for name in ("rank", "skills", "field", "progress", "training", "nearest", "basis"):
        for playlist, is_simulated in (("p1", False), ("p2", False), ("p3", True)):
            assert ("Simulated" in said(planted, f"{playlist}-{name}")) == is_simulated


# --------------------------------------------------------------------------- nobody and nothing


def test_why_there_is_no_report_is_said_with_what_to_do(url: str, ops_database: str, tmp_path: Path) -> None:
    entry, target = entry_of(planted_tables()), tmp_path / "report.html"
    for where, row, message in (
        (
            url,
            {**entry, "consented_at": None},
            rf"{PLAYER} has not agreed.*gamestats rocket-league track {PLAYER} --consent",
        ),
        (url, {**entry, "player_id": "steam_3"}, "The tables of steam_3 do not exist yet: gamestats materi"),
        (ops_database, entry, f"The tables of {PLAYER} do not exist yet: gamestats materialize"),
    ):
        with pytest.raises(NoReportError, match=message):
            write_report(target, where, row)
    assert not target.exists()


def test_without_matches_the_page_says_so_and_draws_nothing(ops_database: str, tmp_path: Path) -> None:
    frames = planted_tables()
    none = {table: table.create_empty() for table in frames if table.spec.published}
    users = rows(t.Users, {"username": EVIL_NAME})
    entered: dict[Any, pl.DataFrame] = {table: frames[table] for table in (t.RlPlayers, t.TrainingSessions)}
    publish_and_enter(ops_database, {**none, t.Users: users, **entered})
    write_report(tmp_path / "report.html", ops_database, entry_of(frames))
    words = words_of(page_of(tmp_path / "report.html"))
    assert "Nothing is measured yet" in words
    assert "gamestats ingest rocket-league PATH" in words
    assert "Training entered so far: 3 sessions, 1.8 hours." in words
    assert "Highest rank unknown" in words
    assert not re.search("<article|<svg", page_of(tmp_path / "report.html"))


def test_with_matches_alone_every_section_says_what_is_missing(ops_database: str, tmp_path: Path) -> None:
    frames = planted_tables()
    features = frames[t.PlayerMatchFeatures].with_columns(
        rank_tier=pl.lit(None, pl.Int32), defensive_third_share=pl.lit(None, pl.Float64),
        neutral_third_share=pl.lit(None, pl.Float64), offensive_third_share=pl.lit(None, pl.Float64),
    )  # fmt: skip
    known = {table: frames[table] for table in (t.RlPlayers, t.TrackedPlayers, t.Users)}
    none = {table: table.create_empty() for table in frames if table.spec.published}
    publish_and_enter(ops_database, {**none, **derived({**known, t.PlayerMatchFeatures: features})})
    path = tmp_path / "report.html"
    write_report(path, ops_database, entry_of(frames))
    for name, sentence in {
        "train": "There are no recommendations yet",
        "p1-rank": "There is no prediction yet",
        "p1-skills": "No skill has been measured yet",
        "p1-field": "No match shows yet where the player is",
        "p1-progress": "No rank is known for these matches",
        "p1-training": "No entered training of a skill",
        "p1-nearest": "Of the same rank and the next: there is no one to compare with yet.",
        "p1-basis": "No model is in use",
    }.items():
        assert sentence in said(path, name)
    # Features of matches can be followed without a cohort.
    assert [*re.findall('<figure id="(.*?)"', page_of(path))] == [
        "p1-aerials", "p1-saves", "p1-shooting", "p2-positioning", "p3-aerials"
    ]  # fmt: skip


# --------------------------------------------------------------------------- safe and on its own


def test_names_with_markup_are_text(planted: Path) -> None:
    page = planted.read_text()
    (heading,) = re.findall(r"(?s)<h1>.*?</h1>", page)
    assert words_of(heading) == EVIL_NAME
    assert escape(EVIL_REASON, quote=False).replace("'", "&#39;") in page
    for markup in ("<script>alert", "<b>& co", "<img", "<a href='http", "<i>", "Too <few>"):
        assert markup not in page


def test_nothing_is_loaded_from_anywhere(planted: Path) -> None:
    page = planted.read_text()
    assert len(page) < 300_000
    assert "--accent:" in page
    assert not re.findall(r"(?i)<(?:link|iframe|img|object|embed|script)\b|@import|\burl\(", page)
    assert "http" not in page.replace("http://evil.example", "")


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    with chromium() as browser:
        yield Shown(browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light"))


def test_a_browser_shows_it_in_light_and_dark_and_on_a_phone(shown: Shown, planted: Path) -> None:
    page = shown.page
    page.goto(planted.as_uri())
    assert page.locator("h1").inner_text() == EVIL_NAME
    ids = re.findall(r' id="([^"]+)"', page.content())
    assert len(ids) == len(set(ids))
    assert obstacles_in_looks(page, "rocket_league_report", "moderate") == []
    assert shown.troubles == []
    assert [each for each in shown.asked if not each.startswith("file:")] == []
