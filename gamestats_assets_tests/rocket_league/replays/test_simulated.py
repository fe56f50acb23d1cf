"""Frames of simulated matches: what is read of them is what was played, and nothing damaged gets through."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from isal import igzip

from gamestats_assets.lakehouse.landing.arrivals import UnrecognisedContentError
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Unit
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.privacy.naming import accounts_in_ballchasing
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.replays.network import UnreadableReplayError
from gamestats_assets.rocket_league.replays.simulated import read_simulated
from gamestats_assets.rocket_league.simulation.play import HZ, Played
from gamestats_assets.rocket_league.simulation.seasons import Season, simulate_season, write_season
from gamestats_assets.rocket_league.source import ingest, recognise
from gamestats_assets.rocket_league.tables import (
    RawPlayerStats,
    RawReplays,
    ReplayEvents,
    ReplayFigures,
    ReplayFrames,
)

DAY = date(2026, 3, 10)


@dataclasses.dataclass(frozen=True)
class Landed:
    """A match that was played out, its files, and what is read of them."""

    season: Season
    played: Played
    content: bytes
    raw: DecodedUnits
    events: DecodedUnits

    def rows(self, table: Any) -> pl.DataFrame:
        frames = {**self.raw.frames, **self.events.frames}
        return pl.concat(frames[table])


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    season = simulate_season(
        seed=11, players=8, matches=1, first_day=DAY, days=1, playlists=["ranked-doubles"], in_play=1, clock_s=60
    )
    folder = tmp_path_factory.mktemp("simulated")
    paths = write_season(folder / "files", season)
    landing = Landing(folder / "landing")
    assert ingest([folder / "files"], landing).totals == {("ballchasing", "taken"): 1, ("simulated", "taken"): 1}
    (day,) = landing.days("rocket_league")
    files = tuple(landing.files("rocket_league", day))
    units = [Unit(files[0].unit_id, date.fromisoformat(day), files)]
    (played,) = season.matches.played.values()
    content = igzip.decompress(next(path for path in paths if path.suffix == ".gz").read_bytes())
    return Landed(season, played, content, RAW_DECODER.decode(landing, units), EVENTS_DECODER.decode(landing, units))


def _ids(landed: Landed) -> list[str]:
    (match,) = landed.season.matches
    by_name = {player.name: player.player_id for player in landed.season.players}
    return [by_name[seat["name"]] for color in ("blue", "orange") for seat in match[color]["players"]]


def test_a_match_has_one_row_by_its_frames_and_one_by_its_statistics(landed: Landed) -> None:
    rows = landed.rows(RawReplays).sort("source")

    assert rows["source"].to_list() == ["ballchasing", "replay"]
    assert rows["is_simulated"].to_list() == [True, True]
    for name in ("playlist", "map_code", "team_size", "season", "blue_score", "orange_score", "went_to_overtime"):
        assert rows[name][0] == rows[name][1], name
    # Ballchasing tells when it ended.
    begun = rows["started_at"][1]
    assert begun + timedelta(seconds=round(landed.played.time[-1])) == rows["started_at"][0]


def test_scoreboards_tell_the_same(landed: Landed) -> None:
    names = ["player_id", "team", "score", "goals", "assists", "saves", "shots", "shots_against", "goals_against"]
    by_source = landed.rows(RawPlayerStats).partition_by("source", as_dict=True)

    theirs, ours = (by_source[(source,)].select(names).sort("player_id") for source in ("ballchasing", "replay"))
    assert ours.equals(theirs)


@pytest.mark.parametrize("kind", ["shot", "save", "assist", "goal", "demolition"])
def test_what_happened_is_read_as_it_happened(landed: Landed, kind: str) -> None:
    ids = _ids(landed)
    told = landed.rows(ReplayEvents).filter(kind=kind).select("frame", "player_id").rows()

    assert sorted(told) == sorted((frame, ids[who]) for frame, what, who, _ in landed.played.events if what == kind)


def test_pickups_are_read_as_they_happened(landed: Landed) -> None:
    ids = _ids(landed)
    told = landed.rows(ReplayEvents).filter(kind="boost_pickup").select("frame", "player_id").rows()

    assert sorted(told) == sorted((frame, ids[who]) for frame, who, *_ in landed.played.pickups)


def test_cars_and_cameras_are_those_that_ballchasing_tells(landed: Landed) -> None:
    names = ["player_id", "car_id", *(name for name in RawPlayerStats.column_names() if name.startswith("camera_"))]
    theirs, ours = (
        rows.select(names).sort("player_id")
        for _, rows in sorted(landed.rows(RawPlayerStats).partition_by("source", as_dict=True).items())
    )
    assert ours.equals(theirs)
    assert ours.null_count().sum_horizontal().item() == 0
    hitboxes = landed.rows(RawPlayerStats).filter(source="replay")["car_hitbox"]
    assert {*hitboxes} <= {"octane", "dominus", "breakout"}


def test_a_camera_leaves_the_ball_for_who_looks_for_boost_far_from_it(landed: Landed) -> None:
    looks = landed.rows(ReplayEvents).filter(pl.col("kind").str.starts_with("ball_cam"))
    on = {player_id: False for player_id in _ids(landed)}
    for row in looks.sort("event_number").to_dicts():
        seat = _ids(landed).index(row["player_id"])
        assert on[row["player_id"]] == (row["kind"] == "ball_cam_off")
        on[row["player_id"]] = not on[row["player_id"]]
        if row["kind"] == "ball_cam_off":
            assert landed.played.boost[row["frame"], seat] < 20
    assert looks.filter(frame=0)["kind"].to_list() == ["ball_cam_on"] * 4
    assert looks.height > 8


def test_touches_are_found_where_they_happened(landed: Landed) -> None:
    """They are told by team at most, so who touched is worked out from ball and cars."""
    ids = _ids(landed)
    touches = [(frame, ids[who]) for frame, kind, who, _ in landed.played.events if kind == "touch"]
    told = landed.rows(ReplayEvents).filter(kind="touch").select("frame", "player_id").rows()
    found = [any(who == player and abs(at - frame) <= HZ // 6 for at, player in told) for frame, who in touches]

    assert len(touches) > 10
    assert sum(found) >= 0.9 * len(touches)
    assert len(told) <= 1.4 * len(touches)


def test_figures_computed_from_frames_are_those_of_ballchasing(landed: Landed) -> None:
    theirs = landed.rows(RawPlayerStats).filter(source="ballchasing")
    both = landed.rows(ReplayFigures).join(theirs, on="player_id", suffix="_theirs")

    names = [name for name in ReplayFigures.column_names() if name.endswith(("_s", "_uu", "_uu_s", "avg_boost"))]
    compared = 0
    for name in names:
        if f"{name}_theirs" not in both.columns:
            continue
        for ours, other in both.select(name, f"{name}_theirs").rows():
            assert ours == pytest.approx(other, rel=0.04, abs=1.5), name
            compared += 1
    assert compared > 4 * 20


def test_ten_frames_a_second_are_kept_of_everything_that_moves(landed: Landed) -> None:
    frames = landed.rows(ReplayFrames)

    assert frames["player_id"].n_unique() == 5
    seconds = len(landed.played.time) / HZ
    assert frames["frame"].n_unique() == pytest.approx(10 * seconds, rel=0.02)
    ball = frames.filter(player_id="the_ball").sort("frame")
    assert ball["x_uu"][0] == ball["y_uu"][0] == 0
    assert Counter(frames["team"].drop_nulls()).keys() == {"blue", "orange"}


def test_whom_the_frames_name_can_be_forgotten(landed: Landed) -> None:
    assert set(_ids(landed)) <= accounts_in_ballchasing(landed.content)


def test_frames_are_recognised_by_their_content(landed: Landed) -> None:
    found = recognise(landed.content)

    assert (found.kind, found.suffix) == ("simulated", "json")
    assert found.match_id == json.loads(landed.content)["match_guid"]
    assert found.started_at == datetime.fromisoformat(json.loads(landed.content)["date"]).astimezone(UTC)


def test_frames_that_do_not_say_they_are_simulated_are_not_taken(landed: Landed) -> None:
    told = json.loads(landed.content) | {"gamestats_simulated": False}

    with pytest.raises(UnrecognisedContentError, match="teams blue and orange"):
        recognise(json.dumps(told).encode())


def _shorter(told: dict[str, Any]) -> None:
    told["frames"]["ball"]["x"].pop()


def _huge(told: dict[str, Any]) -> None:
    told["frames"]["cars"][0]["z"][5] = 10**40


def _late(told: dict[str, Any]) -> None:
    told["goals"].append([10**6, 0])


def _somebody(told: dict[str, Any]) -> None:
    told["happened"].append([3, "shot", 9, None])


def _twice(told: dict[str, Any]) -> None:
    told["players"][1] = told["players"][0]


def _nobody(told: dict[str, Any]) -> None:
    told["players"], told["frames"]["cars"] = [], []


def _text(told: dict[str, Any]) -> None:
    told["frames"]["time_ms"][0] = "0"


def _one(told: dict[str, Any]) -> None:
    told["frames"]["time_ms"] = [0]


@pytest.mark.parametrize("damage", [_shorter, _huge, _late, _somebody, _twice, _nobody, _text, _one])
def test_a_damaged_document_is_unreadable(landed: Landed, damage: Callable[[dict[str, Any]], None]) -> None:
    told = json.loads(landed.content)
    damage(told)

    with pytest.raises(UnreadableReplayError):
        read_simulated(json.dumps(told).encode())


def test_a_cut_document_is_unreadable(landed: Landed) -> None:
    with pytest.raises(UnreadableReplayError, match="cannot be read"):
        read_simulated(landed.content[:-20])


def test_simulated_frames_that_cannot_be_read_leave_the_statistics(landed: Landed, tmp_path: Path) -> None:
    told = json.loads(landed.content)
    _shorter(told)
    (match,) = landed.season.matches
    (tmp_path / "a.json").write_text(json.dumps(told))
    (tmp_path / "b.json").write_text(json.dumps(match))
    landing = Landing(tmp_path / "landing")
    ingest([tmp_path / "a.json", tmp_path / "b.json"], landing)
    (day,) = landing.days("rocket_league")
    files = tuple(landing.files("rocket_league", day))
    raw = RAW_DECODER.decode(landing, [Unit(files[0].unit_id, date.fromisoformat(day), files)])

    assert pl.concat(raw.frames[RawReplays])["source"].to_list() == ["ballchasing"]
    assert [rejection.rule for rejection in raw.rejections[RawReplays]] == ["unreadable_file"]
