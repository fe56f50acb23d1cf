"""The report: that it tells what the tables hold and nothing else, and that a browser shows it without a network.

One lake is planted by hand; a simulated season goes through the functions that make the tables themselves. With
GAMESTATS_PICTURES set to a folder, both reports are also kept there as pictures.
"""

from __future__ import annotations

import functools
import json
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import expect

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.quality import Rejection, destination, quarantine_frame, quarantine_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.ballchasing_files import decode
from gamestats_assets.rocket_league.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.comparison import player_comparison
from gamestats_assets.rocket_league.features import player_match_features
from gamestats_assets.rocket_league.identities import PLATFORMS
from gamestats_assets.rocket_league.matches import match_facts, participants
from gamestats_assets.rocket_league.predictions import rank_predictions
from gamestats_assets.rocket_league.rank_models import next_models
from gamestats_assets.rocket_league.report import NoReportError, shortened, write_report
from gamestats_assets.rocket_league.simulate import Planted, Season, Training, simulate_season
from gamestats_assets.rocket_league.source import match_id_of
from gamestats_assets.rocket_league.stats import player_match_stats
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tracking import tracked_players
from gamestats_assets.rocket_league.training import training_progress, training_recommendations
from gamestats_assets.rocket_league.training_packs import catalogue
from gamestats_assets.rocket_league.users import users
from gamestats_assets.rocket_league.weaknesses import weaknesses
from gamestats_assets_tests.browsers import Shown, chromium, keep
from gamestats_assets_tests.rocket_league.tracked import PLAYER, START, Row, make, match_id, played, rows

EVIL_NAME = "Evil </script><script>alert(1)</script><b>& co"
EVIL_PACK = 'Pack <img src=x onerror=alert(1)> & "quotes" \''
EVIL_REASON = "Because <a href='http://evil.example'>of it</a>"
OTHERS = ("steam_76561198000000042", "ps4_darko_oklm", "epic_256ba1e6b73847539c5aa6f60267684f")
AGREED = {"consented_at": START}
Frames = dict[type[Table], pl.DataFrame]


def lake_of(folder: Path, frames: Mapping[Any, pl.DataFrame]) -> Lake:
    """A lake with these tables."""
    lake = Lake(folder)
    for table, frame in frames.items():
        partition = table.spec.partitioned_by
        owned = frame[partition].unique().to_list() if partition else None
        if owned != []:
            assert lake.replace(table, frame.select(table.column_names()), partitions=owned).rejections == []
    return lake


@dataclass
class Written:
    """A report, with the tables that it was made of."""

    frames: Frames
    lake: Lake
    path: Path

    def rows(self, table: type[Table], **wanted: Any) -> list[Row]:
        return [row for row in self.frames[table].to_dicts() if all(row[name] == wanted[name] for name in wanted)]


# --------------------------------------------------------------------------- planted tables

AIR = [0.03, 0.05, 0.02, 0.06, 0.04, 0.05, 0.03, 0.08, 0.07, 0.06, 0.04, 0.05]
SHOTS = [0.5, 0.25, 0.75, 0.5, 1.0, 0.5, 0.25, 0.5, 0.75, 0.5, 0.25, 1.0]
# Matches 0 to 3 are of one week, 4 to 7 of the next one, 8 to 11 of the third.
DAYS = (0, 7, 14)
POINTS: dict[int, tuple[str, list[tuple[float, float, bool, float]]]] = {
    # Match: the player's team; x, y, whether play is on, seconds since the frame before.
    0: ("blue", [(-3000.0, -4000.0, True, 0.1), (-3000.0, -4010.0, True, 0.1), (0.0, 0.0, True, 0.1),
                 (9.0, 9.0, False, 0.1), (100.0, 5900.0, True, 0.1), (2000.0, -6500.0, True, 0.2)]),
    1: ("orange", [(3000.0, 4000.0, True, 0.1), (-3900.0, -2000.0, True, 0.3), (0.0, 1800.0, True, 0.0)]),
}  # fmt: skip


def planted_features() -> pl.DataFrame:
    doubles = [
        row | {"match_id": match_id(number), "stats_source": "replay" if number < 2 else "ballchasing"}
        for number, row in enumerate(
            row
            for place, day in enumerate(DAYS)
            for row in played(
                4,
                day,
                high_air_share=AIR[4 * place : 4 * place + 4],
                shots_per_minute=SHOTS[4 * place : 4 * place + 4],
                save_share=0.25,
                rank_tier=15 + (place > 0),
            )
        )
    ]
    (old,) = played(1, -500, match_id=match_id(99), high_air_share=0.9, playlist="ranked-standard")
    duels = played(3, 1, playlist="ranked-duels", team_size=1, behind_ball_share=[0.5, 0.6, 0.7])
    simulated = played(2, 2, is_simulated=True, high_air_share=0.04, rank_tier=16)
    return rows(t.PlayerMatchFeatures, *doubles, old, *duels, *simulated)


def planted_frames() -> pl.DataFrame:
    given: list[Row] = []
    for number, (team, points) in POINTS.items():
        for frame, (x, y, is_live, step) in enumerate(points):
            of_frame = {
                "match_id": match_id(number), "frame": frame, "time_s": frame / 10, "step_s": step, "is_live": is_live,
            }  # fmt: skip
            given.append(of_frame | {"team": team, "x_uu": x, "y_uu": y, "z_uu": 17.0})
            given.append(of_frame | {"player_id": "the_ball", "team": None, "x_uu": 1.0, "y_uu": 1.0, "z_uu": 93.0})
            given.append(of_frame | {"player_id": OTHERS[0], "team": "blue", "x_uu": 2.0, "y_uu": 2.0, "z_uu": 17.0})
    return rows(t.ReplayFrames, *given)


def skill(name: str, percentile: float | None = None, **given: Any) -> Row:
    """A row of `weaknesses`, measured where there is a percentile."""
    if percentile is None:
        return {"skill": name, "state": "refused", "matches": 3} | given
    return {
        "skill": name, "rank_tier": 16, "cohort_players": 321, "matches": 12, "score": (percentile - 50) / 30,
        "percentile": percentile, "percentile_low": percentile / 2, "percentile_high": (percentile + 100) / 2,
        "confidence": 0.625, "is_weakness": percentile < 10, "evidence": f"Evidence of {name}.",
    } | given  # fmt: skip


def planted_tables() -> Frames:
    duel: Row = {"playlist": "ranked-duels", "reason": "No rank in ranked-duels is known: ballchasing told none."}
    weak = [
        skill("aerials", 4.4, improvement_potential=1.25),
        skill("saves", 61.0),
        skill("positioning", reason="Too <few> players at Champion I are known."),
        skill("rotation", reason="3 matches with figures for rotation are known; 5 are needed."),
        skill("shooting", 83.0, improvement_potential=0.0),
        *(skill(name, **duel) for name in SKILLS),
        skill("aerials", 37.0, is_simulated=True),
    ]
    prediction = {
        "model_version": 2, "matches": 12, "known_tier": 16, "predicted_tier": 15.34, "predicted_tier_low": 14.51,
        "predicted_tier_high": 16.49, "drivers": ["drives 9% slower (1,300 against 1,420 uu/s): -0.8 ranks"],
        "horizon_days": 30, "expected_change_tiers": 0.432, "expected_change_low": -0.211,
        "expected_change_high": 1.083, "form_change_tiers": 0.321, "training_change_tiers": 0.111,
        "change_note": "Form: 12 matches.",
    }  # fmt: skip
    model = {
        "players": 456, "matches": 7_890, "trained_to_day": date(2026, 3, 27), "mean_error_tiers": 1.234,
        "accuracy": 0.3123, "within_one_tier": 0.7456, "interval_coverage": 0.8111, "majority_mean_error_tiers": 3.456,
        "majority_accuracy": 0.0987, "single_feature": "supersonic_share", "single_feature_mean_error_tiers": 2.345,
        "training_data_hash": "-",
    }  # fmt: skip
    progress = {
        "sessions": 2, "trained_s": 5400.0, "attempts": 140, "success_share": 0.6125, "improvement_score": -0.055,
        "first_session_at": START + timedelta(days=5), "last_session_at": START + timedelta(days=9),
        "matches_before": 4, "matches_since": 8,
    }  # fmt: skip
    nearest = {
        "other_rank_tier": 16,
        "differences": ["boosts 23% more (412 against 335 a minute)", "<i>shoots</i> more"],
    }
    return {
        t.RlPlayers: rows(t.RlPlayers, {"username": EVIL_NAME, **AGREED}),
        t.TrackedPlayers: rows(
            t.TrackedPlayers, {"matches": 17, "first_day": START.date(), "last_day": date(2026, 3, 28)}
        ),
        t.Users: rows(t.Users, {"username": EVIL_NAME, "current_rank": "champion-1", "current_rank_tier": 16}),
        t.PlayerMatchFeatures: planted_features(),
        t.ReplayFrames: planted_frames(),
        t.RankCohorts: rows(
            t.RankCohorts,
            {"feature": "high_air_share", "rank_tier": 16, "from_tier": 16, "to_tier": 16, "mean": 0.05,
                  "match_spread": 0.02},
            {"feature": "skill_aerials", "rank_tier": 15, "from_tier": 14, "to_tier": 16, "players": 99,
             "within_spread": 0.1},
            {"feature": "skill_aerials", "rank_tier": 16, "from_tier": 15, "to_tier": 17, "players": 321,
             "matches": 6_543, "mean": 0.0, "within_spread": 0.8},
        ),
        t.RankModels: rows(
            t.RankModels,
            model | {"version": 1, "state": "superseded", "players": 111},
            model | {"version": 2, "state": "served"},
        ),
        t.Weaknesses: rows(t.Weaknesses, *weak),
        t.RankPredictions: rows(
            t.RankPredictions,
            prediction,
            {"playlist": "ranked-duels", "state": "refused", "matches": 3, "reason": "3 matches; it needs 10."},
        ),
        t.TrainingRecommendations: rows(
            t.TrainingRecommendations,
            {"rank": 1, "code": "17F2-309A-8FA5-13BE", "pack_name": EVIL_PACK, "skill": "aerials", "difficulty": 7,
             "reason": EVIL_REASON},
            {"rank": 2, "code": "2195-C0DC-6CAB-B547", "pack_name": "Second", "skill": "saves", "difficulty": 8,
             "reason": "It is new to you."},
        ),
        t.TrainingProgress: rows(
            t.TrainingProgress,
            progress | {"skill": "aerials", "skill_before": -0.51, "skill_since": 0.23, "change": 0.74,
                        "change_low": 0.12, "change_high": 1.36, "has_helped": True},
            progress | {"skill": "saves", "state": "refused", "sessions": 1, "trained_s": 1200.0, "attempts": None,
                        "success_share": None, "improvement_score": None, "reason": "Known of saves: 1 match."},
        ),
        t.TrainingSessions: rows(
            t.TrainingSessions,
            {"skill": "aerials", "completed_at": START + timedelta(days=5), "duration_s": 1800, "attempts": 60,
             "successes": 41, "code": "<script>"},
            {"skill": "aerials", "completed_at": START + timedelta(days=9), "duration_s": 3600},
            {"skill": "saves", "completed_at": START + timedelta(days=6), "duration_s": 1200},
        ),
        t.PlayerComparison: rows(
            t.PlayerComparison,
            *(
                nearest | {"place": place, "other_player_id": other, "other_matches": 10 * place,
                           "distance": 0.71 + place / 4}
                for place, other in enumerate(OTHERS, 1)
            ),
        ),
    }  # fmt: skip


def entry_of(frames: Mapping[type[Table], pl.DataFrame]) -> Row:
    """The one player who is entered."""
    return frames[t.RlPlayers].row(0, named=True)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("planted")
    frames = planted_tables()
    written = Written(frames, lake_of(folder / "lake", frames), folder / "new" / "report.html")
    write_report(written.path, written.lake, entry_of(written.frames))
    return written


# --------------------------------------------------------------------------- a season


@dataclass
class Played(Written):
    """A simulated season, and the player reported on."""

    season: Season
    player_id: str


@pytest.fixture(scope="module")
def played_season(tmp_path_factory: pytest.TempPathFactory) -> Played:
    low = Planted("Low", 13, {"aerials": -2.5}, training=[Training("aerials", 10, 0.05)], matches=90)
    season = simulate_season(
        seed=5, players=230, matches=1300, first_day=date(2026, 1, 5), days=60, tiers=(11, 15), planted=[low],
        playlists=("ranked-doubles", "ranked-duels"),
    )  # fmt: skip
    made: dict[type[Table], list[Row]] = {t.RawReplays: [], t.RawPlayerStats: []}
    for match in season.matches:
        began = datetime.fromisoformat(match["date"]).astimezone(UTC)
        found = match_id_of(match.get("match_guid"), match.get("rocket_league_id"))
        replay, stats = decode(json.dumps(match).encode(), str(found), began.date(), "-", began)
        made[t.RawReplays].append(replay)
        made[t.RawPlayerStats] += stats
    frames = {
        table: pl.DataFrame([{name: row.get(name) for name in table.schema()} for row in of], schema=table.schema())
        for table, of in made.items()
    }
    player_id = season.players[0].player_id
    frames[t.RlPlayers] = rows(t.RlPlayers, {"player_id": player_id, "username": "Low flyer", **AGREED})
    frames[t.TrainingSessions] = rows(
        t.TrainingSessions,
        *(
            {"player_id": each.player_id, "skill": each.skill, "duration_s": each.duration_s, "attempts": each.attempts,
             "successes": each.successes, "completed_at": each.started_at + timedelta(seconds=each.duration_s)}
            for each in season.sessions
        ),
    )  # fmt: skip
    frames[t.TrainingPacks] = catalogue().collect()
    for function in (
        match_facts, participants, player_match_stats, player_match_features, player_profiles, rank_cohorts,
        next_models, tracked_players, users, weaknesses, rank_predictions, training_progress,
        training_recommendations, player_comparison,
    ):  # fmt: skip
        frames[typing.get_args(typing.get_type_hints(function)["return"])[0]] = make(function, frames)
    of_player = pl.col("player_id") == player_id
    frames[t.PlayerMatchFeatures] = frames[t.PlayerMatchFeatures].filter(of_player)
    for table in (t.RawReplays, t.RawPlayerStats, t.MatchFacts, t.Participants, t.PlayerMatchStats, t.PlayerProfiles):
        del frames[table]
    folder = tmp_path_factory.mktemp("season")
    lake = lake_of(folder / "lake", frames)
    write_report(folder / "report.html", lake, entry_of(frames))
    return Played(frames, lake, folder / "report.html", season, player_id)


# --------------------------------------------------------------------------- reading the page


def page_of(path: Path) -> str:
    """The page without its scripts."""
    return _page_as_of(path, path.stat().st_mtime_ns)


@functools.cache
def _page_as_of(path: Path, written_ns: int) -> str:
    # Four megabytes of Plotly, which are taken out once for all the tests that read a page.
    return re.sub(r"(?s)<(script|style).*?</\1>", "", path.read_text())


def words_of(html: str) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html))).strip()


def part_of(path: Path, name: str) -> str:
    """A section of the page."""
    (found,) = re.findall(rf'(?s)<section id="{name}">.*?</section>', page_of(path))
    return found


def said(path: Path, name: str) -> str:
    return words_of(part_of(path, name))


def lines_of(html: str) -> list[str]:
    """The lines of its tables, without their heads."""
    return [words_of(line) for line in re.findall(r"(?s)<tr>.*?</tr>", re.sub(r"(?s)<thead>.*?</thead>", "", html))]


def charts_of(path: Path) -> dict[str, Any]:
    (text,) = re.findall(r'(?s)<script type="application/json" id="figures">(.*?)</script>', path.read_text())
    return {chart["id"]: chart for chart in json.loads(text)}


def trace(chart: Any, name: str) -> Any:
    (found,) = [each for each in chart["data"] if each["name"] == name]
    return found


def close(expected: Any) -> Any:
    return [None if each is None else pytest.approx(each, rel=1e-9, abs=1e-9) for each in expected]


# --------------------------------------------------------------------------- values


def test_playlists_stand_by_how_much_they_are_played_and_old_matches_are_in_none(planted: Written) -> None:
    headings = [words_of(found) for found in re.findall(r"(?s)<h2 id.*?</h2>", page_of(planted.path))]
    assert headings == ["ranked-doubles", "ranked-duels", "ranked-doubles · simulated"]
    assert "ranked-standard" not in words_of(page_of(planted.path))
    first = START.date()
    assert f"12 matches on 3 days, from {first} to {first + timedelta(days=14)}." in words_of(page_of(planted.path))


def test_what_is_simulated_does_not_count_in_the_summary(planted: Written, played_season: Played) -> None:
    header = words_of(re.findall(r"(?s)<header>.*?</header>", page_of(planted.path))[0])
    for told in (
        "Highest rank Champion I", f"Matches 15 {START.date()} to 2026-03-28", "Skills measured 3 in 1 of 2 playlists",
        "Weaknesses 1 aerials", "Simulated matches of the player are there too",
    ):  # fmt: skip
        assert told in header
    header = words_of(re.findall(r"(?s)<header>.*?</header>", page_of(played_season.path))[0])
    of_player = played_season.frames[t.PlayerMatchFeatures]
    assert f"Matches {of_player.height:,} {of_player['match_date'].min()} to {of_player['match_date'].max()}" in header
    assert "Simulated This rests on simulated matches" in header


def test_matches_of_the_player_that_are_set_aside_are_told(planted: Written, tmp_path: Path) -> None:
    assert "set aside" not in page_of(planted.path)
    # Of the player's two further matches one is in quarantine, and so is one of somebody else's.
    further = ((70, PLAYER), (71, PLAYER), (72, OTHERS[0]))
    told = ({"match_id": match_id(number), "player_id": who, "source": "ballchasing"} for number, who in further)
    lake = lake_of(tmp_path / "lake", {**planted.frames, t.RawPlayerStats: rows(t.RawPlayerStats, *told)})
    odd = [Rejection(match_id(number), "unit", "goals_are_in_the_score", "It is odd.", 4) for number in (71, 72)]
    entries = quarantine_frame(t.Participants, "2026-03-14", odd)
    lake.replace(quarantine_of("rocket_league"), entries, partitions=[destination(t.Participants, "2026-03-14")])
    write_report(tmp_path / "report.html", lake, entry_of(planted.frames))
    words = words_of(page_of(tmp_path / "report.html"))
    assert "1 of 2 matches is set aside: 1 by goals_are_in_the_score." in words


def test_the_rank_stands_with_its_interval_and_what_drives_it(planted: Written) -> None:
    words = said(planted.path, "p1-rank")
    (row,) = planted.rows(t.RankPredictions, playlist="ranked-doubles")
    assert "Known rank Champion I Plays like" in words
    # Ranks are as wide as 1: 15.34 is Diamond III, 14.51 is that too, and 16.49 is Champion I.
    assert "Diamond III (15.3) , 80% interval Diamond III (14.5) to Champion I (16.5)" in words
    assert row["drivers"][0] in words
    assert "+0.43 ranks in 30 days, 80% interval -0.21 to +1.08. By form +0.32, by training +0.11." in words
    assert row["change_note"] in words
    refused = said(planted.path, "p2-rank")
    assert "Known rank unknown" in refused
    assert f"gamestats rocket-league rank {PLAYER} ranked-duels champion-2" in refused
    assert "Not predicted. 3 matches; it needs 10." in refused
    assert "Nothing has been predicted yet" in said(planted.path, "p3-rank")


def test_the_radar_draws_measured_skills_with_their_intervals_and_no_refused_one(planted: Written) -> None:
    chart = charts_of(planted.path)["p1-radar"]
    known = {row["skill"]: row for row in planted.rows(t.Weaknesses, playlist="ranked-doubles", is_simulated=False)}
    order = [*SKILLS, SKILLS[0]]
    player = trace(chart, "Player")
    assert player["r"] == close([known[name]["percentile"] for name in order])
    assert [name.split("<br>")[0].lower() for name in player["theta"]] == order
    assert [name.endswith("(not measured)") for name in player["theta"][:5]] == [
        known[name]["state"] == "refused" for name in SKILLS
    ]
    assert player["fill"] == "none"
    ends = trace(chart, "90% interval")["r"]
    for place, name in enumerate(SKILLS):
        low, high = known[name]["percentile_low"], known[name]["percentile_high"]
        assert ends[3 * place : 3 * place + 3] == close([low, high, None])
    assert 0 not in [*player["r"], *ends]
    words = said(planted.path, "p1-skills")
    assert "Aerials 4% (2 to 52); Saves 61% (30 to 80); Shooting 83% (42 to 92)." in words
    for row in known.values():
        if row["state"] == "refused":
            assert f"{row['skill'].capitalize()}: {row['reason']}" in words


def test_weaknesses_stand_with_their_evidence_and_every_figure_of_a_skill_with_it(planted: Written) -> None:
    words = said(planted.path, "p1-skills")
    assert words.count("Weakness:") == 1
    assert (
        "Weakness: aerials Better than 4% of the cohort only (90% interval: 2 to 52%). Evidence of aerials. To be in "
        "the middle of the cohort would be worth 1.2 ranks."
    ) in words
    assert lines_of(part_of(planted.path, "p1-skills")) == [
        "Aerials ✕ weakness 4% 2 to 52 -1.52 62.5% 12 matches 1.2 ranks Evidence of aerials.",
        "Saves no weakness 61% 30 to 80 +0.37 62.5% 12 matches – Evidence of saves.",
        "Shooting no weakness 83% 42 to 92 +1.10 62.5% 12 matches 0.0 ranks Evidence of shooting.",
    ]
    none = said(planted.path, "p3-skills")
    assert "No weakness No skill that is measured is below the middle" in none
    assert "The lowest is aerials. Evidence of aerials." in none


def test_where_every_skill_is_refused_there_are_reasons_and_no_chart(planted: Written) -> None:
    words = said(planted.path, "p2-skills")
    assert "No skill is measured, so that there is no chart:" in words
    for name in SKILLS:
        assert f"{name.capitalize()}: No rank in ranked-duels is known" in words
    assert "p2-radar" not in charts_of(planted.path)
    assert 'class="picture"' not in part_of(planted.path, "p2-skills")


def test_the_heat_map_is_the_time_by_place_seen_from_the_own_goal(planted: Written) -> None:
    spent: dict[tuple[int, int], float] = {}
    zones: dict[tuple[str, str], float] = {}
    for team, points in POINTS.values():
        for x, y, is_live, step in points:
            if not is_live or step == 0:
                continue
            # Who looks along y, as blue does, has x growing to the left; orange looks the other way.
            right, up = (-x, y) if team == "blue" else (x, -y)
            cell = max(min(int(right // 256), 15), -16), max(min(int(up // 256), 23), -24)
            spent[cell] = spent.get(cell, 0) + step
            third = "Own third" if up < -1714 else "Middle third" if up <= 1714 else "Opponents' third"
            zone = third, "left" if right < -4096 / 3 else "middle" if right <= 4096 / 3 else "right"
            zones[zone] = zones.get(zone, 0) + step
    total = sum(spent.values())
    heat = charts_of(planted.path)["p1-heat"]["data"][0]
    drawn = {
        (int(heat["x"][column] // 256), int(heat["y"][row] // 256)): value
        for row, line in enumerate(heat["z"])
        for column, value in enumerate(line)
        if value is not None
    }
    assert drawn == {cell: pytest.approx(100 * seconds / total, abs=1e-3) for cell, seconds in spent.items()}
    # Blue's car at (-3000, -4000) and orange's at (3000, 4000) are at the right, near the own goal, which is below.
    assert drawn[11, -16] == pytest.approx(100 * 0.3 / total, abs=1e-3)
    page = lines_of(part_of(planted.path, "p1-field"))
    for third in ("Own third", "Middle third", "Opponents' third"):
        shares = [zones.get((third, lane), 0) / total for lane in ("left", "middle", "right")]
        assert f"{third} {' '.join(f'{100 * each:.1f}%' for each in (*shares, sum(shares)))}" in page
    assert "in 2 matches of 12, those whose replays were read" in said(planted.path, "p1-field")
    for name in ("p2", "p3"):
        assert "needs replays" in said(planted.path, f"{name}-field")
        assert f"{name}-heat" not in charts_of(planted.path)


def test_skills_are_followed_by_week_with_the_interval_of_so_many_matches(planted: Written) -> None:
    chart = charts_of(planted.path)["p1-aerials"]
    weeks = trace(chart, "Week, with its 90% interval")
    means = [fmean((each - 0.05) / 0.02 for each in AIR[start : start + 4]) for start in (0, 4, 8)]
    assert weeks["y"] == close(means)
    # 14 March 2026 is a Saturday.
    assert weeks["x"] == ["2026-03-09", "2026-03-16", "2026-03-23"]
    reach = 1.6448536269514722 * 0.8 / 4**0.5
    assert weeks["error_y"]["array"] == close([reach] * 3)
    assert weeks["error_y"]["arrayminus"] == close([reach] * 3)
    told = f"{means[0]:+.2f} ({means[0] - reach:+.2f} to {means[0] + reach:+.2f})"
    assert f"{told} in the week of 2026-03-09" in said(planted.path, "p1-progress")
    lines = lines_of(part_of(planted.path, "p1-progress"))
    assert len(lines) == 3
    assert lines[0].startswith(f"2026-03-09 {told} 4 matches ")
    assert lines[0].endswith("Diamond III")


def test_what_nothing_measures_is_followed_by_its_main_feature(planted: Written) -> None:
    charts = charts_of(planted.path)
    weeks = trace(charts["p1-shooting"], "Week, with its 90% interval")
    assert weeks["y"] == close(fmean(SHOTS[start : start + 4]) for start in (0, 4, 8))
    # Student's t with 11 degrees of freedom.
    assert weeks["error_y"]["array"] == [pytest.approx(1.795885 * stdev(SHOTS) / 2, rel=1e-5)] * 3
    # Matches that are all alike do not tell what is chance.
    assert trace(charts["p1-saves"], "Week, with its 90% interval")["error_y"]["array"] == [None] * 3
    assert "25.0 in the week of 2026-03-09" in said(planted.path, "p1-progress")
    assert "Shots on goal (shooting)" in said(planted.path, "p1-progress")
    assert "the main feature of the skill is followed instead" in said(planted.path, "p1-progress")
    (goal_side,) = trace(charts["p2-positioning"], "Week, with its 90% interval")["y"]
    assert goal_side == pytest.approx(60)
    # Nothing tells of rotation in any match.
    assert not {"p1-rotation", "p2-rotation"} & charts.keys()


def test_weeks_of_shares_and_rates_stay_within_what_is_possible(planted: Written, tmp_path: Path) -> None:
    features = planted.frames[t.PlayerMatchFeatures].filter(
        pl.col("playlist") == "ranked-doubles", ~pl.col("is_simulated")
    )
    features = features.with_columns(
        shots_per_minute=pl.Series([0.0, 0.0, 0.0, 60.0] * 3), behind_ball_share=pl.Series([1.0, 1.0, 1.0, 0.0] * 3)
    )
    frames = {t.TrackedPlayers: planted.frames[t.TrackedPlayers], t.PlayerMatchFeatures: features}
    write_report(tmp_path / "report.html", lake_of(tmp_path / "lake", frames), entry_of(planted.frames))
    charts = charts_of(tmp_path / "report.html")
    shooting, goal_side = (
        trace(charts[f"p1-{name}"], "Week, with its 90% interval") for name in ("shooting", "positioning")
    )
    assert shooting["y"] == close([15.0] * 3)
    assert shooting["error_y"]["arrayminus"] == close([15.0] * 3)
    assert shooting["error_y"]["array"] == pytest.approx([1.7958848 * stdev([0, 0, 0, 60] * 3) / 2] * 3, rel=1e-6)
    assert goal_side["y"] == close([75.0] * 3)
    assert goal_side["error_y"]["array"] == close([25.0] * 3)
    assert goal_side["error_y"]["arrayminus"] == pytest.approx(
        [1.7958848 * stdev([100, 100, 100, 0] * 3) / 2] * 3, rel=1e-6
    )


def test_training_sessions_are_marked_in_the_course_of_their_skill(planted: Written) -> None:
    charts = charts_of(planted.path)
    marks = trace(charts["p1-aerials"], "Training session")
    assert marks["x"] == ["2026-03-19T20:00:00", "2026-03-23T20:00:00"]
    assert [shape["x0"] for shape in charts["p1-aerials"]["layout"]["shapes"]] == marks["x"]
    assert marks["customdata"] == [
        "2026-03-19: 30 minutes in &lt;script&gt;, 41 of 60 attempts succeeded", "2026-03-23: 60 minutes"
    ]  # fmt: skip
    assert len(trace(charts["p1-saves"], "Training session")["x"]) == 1
    assert [each["name"] for each in charts["p1-shooting"]["data"]] == ["Week, with its 90% interval"]


def test_the_rank_is_followed_where_one_was_told(planted: Written) -> None:
    chart = charts_of(planted.path)["p1-ranks"]
    assert chart["data"][0]["y"] == [15, 16, 16]
    axis = chart["layout"]["yaxis"]
    names = dict(zip(axis["tickvals"], axis["ticktext"], strict=True))
    assert (names[15], names[16]) == ("Diamond III", "Champion I")
    assert "From Diamond III in the week of 2026-03-09 to Champion I in that of 2026-03-23." in said(
        planted.path, "p1-progress"
    )
    assert "p2-ranks" not in charts_of(planted.path)
    assert "No rank was told in these matches" in said(planted.path, "p2-progress")


def test_training_stands_with_the_skill_before_and_since(planted: Written) -> None:
    assert lines_of(part_of(planted.path, "p1-training")) == [
        "Aerials 2 sessions, 1.5 hours 2026-03-19 to 2026-03-23 61.3% of 140 -5.5 points -0.51 4 matches +0.23 "
        "8 matches +0.74 +0.12 to +1.36 (90%) ✓ better beyond chance",
        "Saves 1 session, 20 minutes 2026-03-19 to 2026-03-23 not counted – Not measured. Known of saves: 1 match.",
    ]
    assert "No training of a skill is entered that could be looked at here." in said(planted.path, "p2-training")


def test_recommended_packs_stand_in_their_order_with_code_and_reason(planted: Written) -> None:
    (real, simulated) = part_of(planted.path, "train").split('class="simulated"')
    assert lines_of(real) == [
        f"1 17F2-309A-8FA5-13BE Copy {EVIL_PACK} aerials ranked-doubles 7 of 10 {EVIL_REASON}",
        "2 2195-C0DC-6CAB-B547 Copy Second saves ranked-doubles 8 of 10 It is new to you.",
    ]
    assert re.findall(r'data-copy="([^"]*)"', real) == ["17F2-309A-8FA5-13BE", "2195-C0DC-6CAB-B547"]
    assert "Nothing is recommended: that takes a skill that is measured." in words_of(simulated)


def test_others_are_told_by_rank_and_figures_and_not_by_what_names_them(planted: Written) -> None:
    words = "boosts 23% more (412 against 335 a minute); <i>shoots</i> more"
    assert lines_of(part_of(planted.path, "p1-nearest")) == [
        f"1 steam …0042 Champion I 10 0.96 {words}",
        f"2 ps4 Champion I 20 1.21 {words}",
        f"3 epic …684f Champion I 30 1.46 {words}",
    ]
    assert "Of the next rank: nobody to compare with is known." in said(planted.path, "p1-nearest")
    whole = planted.path.read_text()
    for other in OTHERS:
        assert other not in whole
        assert other.partition("_")[2] not in whole
    assert "oklm" not in whole


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_shortened_id_never_shows_a_name(platform: str) -> None:
    assert shortened(f"{platform}_somebody_known") == platform
    assert shortened(f"{platform}_cafe") == platform


def test_what_it_rests_on_is_told(planted: Written) -> None:
    words = said(planted.path, "p1-basis")
    assert "12 matches on 3 days, from 2026-03-14 to 2026-03-28; the replays of 2 were read" in words
    assert "Aerials: 321 players from Diamond III to Champion II, with 6,543 matches" in words
    assert (
        "Version 2 (served), trained on 456 players with 7,890 matches up to 2026-03-27. By cross-validation over "
        "players it is off by 1.23 ranks on average (naming the middle rank for everybody: 3.46; supersonic share "
        "alone: 2.35), names the very rank of 31.2% of players (the most frequent rank: 9.9%), is at most one rank "
        "off for 74.6%, and its 80% interval holds the rank of 81.1%."
    ) in words
    assert "None that measures a skill of the player. Model of ranks None serves." in said(planted.path, "p2-basis")


def test_every_section_on_simulated_matches_says_so_and_no_other(planted: Written, played_season: Played) -> None:
    for name in ("rank", "skills", "field", "progress", "training", "nearest", "basis"):
        for playlist, is_simulated in (("p1", False), ("p2", False), ("p3", True)):
            assert ('class="simulated"' in part_of(planted.path, f"{playlist}-{name}")) == is_simulated
    sections = re.findall(r"(?s)<section.*?</section>", page_of(played_season.path))
    assert len(sections) == 15
    assert all("Simulated" in words_of(each) for each in sections)
    for chart in charts_of(planted.path).values():
        assert chart["title"].endswith("simulated") == chart["id"].startswith("p3")


# --------------------------------------------------------------------------- a whole season


def test_a_season_is_reported_as_its_tables_have_it(played_season: Played) -> None:
    path, player_id = played_season.path, played_season.player_id
    charts = charts_of(path)
    weak = [row for row in played_season.rows(t.Weaknesses, player_id=player_id) if row["is_weakness"]]
    assert "aerials" in {row["skill"] for row in weak}
    for name, playlist in (("p1", "ranked-doubles"), ("p2", "ranked-duels")):
        known = {row["skill"]: row for row in played_season.rows(t.Weaknesses, playlist=playlist)}
        assert trace(charts[f"{name}-radar"], "Player")["r"] == close(
            known[skill]["percentile"] for skill in [*SKILLS, SKILLS[0]]
        )
        words = said(path, f"{name}-skills")
        assert all((row["evidence"] or row["reason"]) in words for row in known.values())
        assert words.count("Weakness:") == sum(bool(row["is_weakness"]) for row in known.values())
        of_playlist = played_season.rows(t.PlayerMatchFeatures, playlist=playlist)
        weeks = {row["match_date"] - timedelta(days=row["match_date"].weekday()) for row in of_playlist}
        aerials = trace(charts[f"{name}-aerials"], "Week, with its 90% interval")
        assert aerials["x"] == [week.isoformat() for week in sorted(weeks)]
        assert "needs replays" in said(path, f"{name}-field")
        (told,) = played_season.rows(t.TrainingProgress, playlist=playlist, player_id=player_id)
        assert f"{told['change']:+.2f} {told['change_low']:+.2f} to {told['change_high']:+.2f}" in said(
            path, f"{name}-training"
        )
    (prediction,) = played_season.rows(t.RankPredictions, playlist="ranked-doubles")
    assert prediction["state"] == "measured"
    words = said(path, "p1-rank")
    assert f"({prediction['predicted_tier']:.1f}) , 80% interval" in words
    assert all(driver in words for driver in prediction["drivers"])
    packs = lines_of(part_of(path, "train"))
    told = played_season.frames[t.TrainingRecommendations].sort("rank").to_dicts()
    assert len(packs) == len(told) == 10
    for line, row in zip(packs, told, strict=True):
        assert line.startswith(f"{row['rank']} {row['code']} Copy {row['pack_name']} {row['skill']} {row['playlist']}")
        first = next(each["rank"] for each in told if each["reason"] == row["reason"])
        assert line.endswith(row["reason"] if first == row["rank"] else f" As place {first}.")
    nearest = played_season.rows(t.PlayerComparison, playlist="ranked-doubles")
    lines = lines_of(part_of(path, "p1-nearest"))
    assert len(lines) == len(nearest) == 10
    for row in nearest:
        told = "; ".join(row["differences"])
        assert any(f" {row['other_matches']} {row['distance']:.2f} {told}" in line for line in lines)


def test_a_season_names_nobody_else(played_season: Played) -> None:
    own = re.sub(r"(?s)<script>/\*\*?.{1,200}plotly\.js.*?</script>", "", played_season.path.read_text(), count=1)
    for player in played_season.season.players[1:]:
        assert player.player_id not in own
        assert player.name not in words_of(own)
    assert played_season.player_id in own


# --------------------------------------------------------------------------- nobody and nothing


def test_who_cannot_be_reported_on_is_told_why_and_what_to_do(planted: Written, tmp_path: Path) -> None:
    entry, target = entry_of(planted.frames), tmp_path / "report.html"
    for lake, row, message in (
        (
            planted.lake,
            {**entry, "consented_at": None},
            rf"{PLAYER} has not agreed.*gamestats rocket-league track {PLAYER} --consent",
        ),
        (planted.lake, {**entry, "player_id": "steam_3"}, "The tables of steam_3 are not made yet: gamestats materi"),
        (Lake(tmp_path / "empty"), entry, f"The tables of {PLAYER} are not made yet: gamestats materialize"),
    ):
        with pytest.raises(NoReportError, match=message):
            write_report(target, lake, row)
    assert not target.exists()


def test_who_is_not_looked_for_any_more_is_reported_on_all_the_same(planted: Written, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", planted.lake, {**entry_of(planted.frames), "is_active": False})
    assert (tmp_path / "report.html").read_bytes() == planted.path.read_bytes()


def test_without_matches_the_page_says_so_and_draws_nothing(planted: Written, tmp_path: Path) -> None:
    frames = {
        t.TrainingSessions: planted.frames[t.TrainingSessions],
        t.TrackedPlayers: rows(t.TrackedPlayers, {"matches": 0}),
    }
    write_report(tmp_path / "report.html", lake_of(tmp_path / "lake", frames), entry_of(planted.frames))
    words = words_of(page_of(tmp_path / "report.html"))
    assert "Nothing is measured yet" in words
    assert "gamestats ingest rocket-league PATH" in words
    assert "Training entered so far: 3 sessions, 1.8 hours." in words
    assert "Highest rank unknown" in words
    assert charts_of(tmp_path / "report.html") == {}
    assert 'class="picture"' not in page_of(tmp_path / "report.html")
    assert "<article" not in page_of(tmp_path / "report.html")


def test_with_matches_alone_every_section_says_what_is_missing(planted: Written, tmp_path: Path) -> None:
    features = planted.frames[t.PlayerMatchFeatures].with_columns(
        stats_source=pl.lit("ballchasing"), rank_tier=pl.lit(None, pl.Int32)
    )
    frames = {t.TrackedPlayers: planted.frames[t.TrackedPlayers], t.PlayerMatchFeatures: features}
    path = tmp_path / "report.html"
    write_report(path, lake_of(tmp_path / "lake", frames), entry_of(planted.frames))
    for name, sentence in {
        "train": "Nothing is recommended",
        "p1-rank": "Nothing has been predicted yet",
        "p1-skills": "No skill has been looked at yet",
        "p1-field": "needs replays",
        "p1-progress": "No rank was told",
        "p1-training": "No training of a skill is entered",
        "p1-nearest": "Of the same rank: nobody to compare with is known.",
        "p1-basis": "None serves",
    }.items():
        assert sentence in said(path, name)
    # Features of matches can be followed without a cohort.
    assert {*charts_of(path)} == {"p1-aerials", "p1-saves", "p1-shooting", "p2-positioning", "p3-aerials"}


# --------------------------------------------------------------------------- safe and on its own


def test_names_with_markup_are_text(planted: Written) -> None:
    page = planted.path.read_text()
    (heading,) = re.findall(r"(?s)<h1>.*?</h1>", page)
    assert words_of(heading) == EVIL_NAME
    assert escape(EVIL_REASON, quote=False).replace("'", "&#39;") in page
    for markup in ("<script>alert", "<b>& co", "<img", "<a href='http", "<i>", "Too <few>"):
        assert markup not in page_of(planted.path)
    # Plotly would take tags in its texts for tags, too.
    texts = json.dumps(charts_of(planted.path), ensure_ascii=False)
    assert set(re.findall(r"<(/?\w+)", texts)) <= {"br", "extra", "/extra"}


def test_nothing_is_loaded_from_anywhere(planted: Written, played_season: Played) -> None:
    for path in (planted.path, played_season.path):
        own = re.sub(r"(?s)<script>/\*\*?.{1,200}plotly\.js.*?</script>", "", path.read_text(), count=1)
        assert len(own) < 1_000_000 < path.stat().st_size < 8_000_000
        assert not re.findall(r"(?i)<(?:link|iframe|img|object|embed)\b|<script[^>]*\bsrc|@import|\burl\(|fetch\(", own)
        assert "http" not in own.replace("http://evil.example", "")


def test_charts_have_words_beside_them_and_plotly_knows_them(planted: Written, played_season: Played) -> None:
    from plotly import graph_objects as go

    for path in (planted.path, played_season.path):
        charts, page = charts_of(path), page_of(path)
        shown = re.findall(
            r'(?s)<div class="picture" id="([^"]+)" role="img" aria-label="([^"]+)">.*?<figcaption[^>]*>(.*?)<', page
        )
        assert [name for name, _, _ in shown] == [*charts]
        for name, label, words in shown:
            assert len(words) > 10
            assert unescape(label) == f"{charts[name]['title']}. {unescape(words)}"
        for chart in charts.values():
            colours = json.loads(re.sub(r'"--[a-z0-9-]+"', '"red"', json.dumps(chart)))
            # Raises where Plotly knows no such thing.
            go.Figure({name: colours[name] for name in ("data", "layout")})
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield Shown(context.new_page())


def test_a_browser_shows_it_in_light_and_dark_and_on_a_phone(
    shown: Shown, planted: Written, played_season: Played
) -> None:
    page = shown.page
    for name, path in (("season", played_season.path), ("planted", planted.path)):
        charts = charts_of(path)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(path.as_uri())
        expect(page.locator(f"html[data-drawn='{len(charts)}']")).to_have_count(1)
        assert page.locator(".picture:has(.main-svg)").count() == len(charts)
        assert page.evaluate("document.documentElement.scrollWidth") == 1280
        dot, card = page.locator("#p1-radar .scatterlayer .points path").first, page.locator(".card").first
        expect(dot).to_have_css("fill", "rgb(47, 111, 201)")
        expect(card).to_have_css("background-color", "rgb(255, 255, 255)")
        keep(page, f"rocket_league_report_{name}_wide")
        page.emulate_media(color_scheme="dark")
        expect(dot).to_have_css("fill", "rgb(90, 156, 240)")
        expect(card).to_have_css("background-color", "rgb(26, 32, 41)")
        keep(page, f"rocket_league_report_{name}_dark")
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_function("document.querySelector('#p1-radar .main-svg').getBoundingClientRect().width < 390")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        keep(page, f"rocket_league_report_{name}_phone")
    assert page.locator("h1").inner_text() == EVIL_NAME
    # Three skills are measured, so three marks; the two that are refused stand by name alone.
    assert page.locator("#p1-radar .scatterlayer .points path").count() == 4
    assert page.locator("#p1-radar .angularaxistick text").filter(has_text="(not measured)").count() == 2
    assert shown.troubles == []
    assert shown.asked == [played_season.path.as_uri(), planted.path.as_uri()]


def test_a_code_is_copied_at_a_press(shown: Shown, planted: Written) -> None:
    shown.page.goto(planted.path.as_uri())
    shown.page.locator("[data-copy]").first.click()
    expect(shown.page.locator("#copied")).to_have_text("Copied: 17F2-309A-8FA5-13BE")
    assert shown.page.evaluate("navigator.clipboard.readText()") == "17F2-309A-8FA5-13BE"
