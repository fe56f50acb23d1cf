"""Frames of simulated matches: what is read of them is what was played, and nothing damaged gets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from isal import igzip

from gamestats_assets.lakehouse.landing.arrivals import UnrecognisedContentError
from gamestats_assets.lakehouse.landing.decoding import Decoder, Unit
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.privacy.naming import accounts_in_ballchasing
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.replays.network import UnreadableReplayError
from gamestats_assets.rocket_league.replays.simulated import read_simulated
from gamestats_assets.rocket_league.source import ingest, recognise
from gamestats_assets.rocket_league.tables import RawPlayerStats, RawReplays, ReplayEvents, ReplayFigures, ReplayFrames
from gamestats_assets.simulators.rocket_league.play import HZ, Played
from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season

DAY = date(2026, 3, 10)


def _decode(decoder: Decoder, landing: Landing) -> Any:
    (day,) = landing.days("rocket_league")
    files = tuple(landing.files("rocket_league", day))
    return decoder.decode(landing, [Unit(files[0].unit_id, date.fromisoformat(day), files)])


@dataclass(frozen=True)
class Landed:
    """A match that was played out, its two files, and what is read of them."""

    played: Played
    match: dict[str, Any]
    ids: list[str]
    content: bytes
    frames: dict[Any, Any]

    def rows(self, table: Any) -> pl.DataFrame:
        return pl.concat(self.frames[table])

    def both(self, *names: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Columns of the players by ballchasing's document, and by the frames."""
        rows = self.rows(RawPlayerStats).sort("player_id").partition_by("source", as_dict=True)
        return rows[("ballchasing",)].select(names), rows[("replay",)].select(names)

    def happened(self, kind: str) -> list[tuple[int, str]]:
        return sorted(self.rows(ReplayEvents).filter(kind=kind).select("frame", "player_id").rows())

    def planted(self, kind: str) -> list[tuple[int, str]]:
        return sorted((frame, self.ids[who]) for frame, what, who, _ in self.played.events.tolist() if what == kind)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    season = simulate_season(
        seed=18, players=8, matches=1, first_day=DAY, days=1, playlists=["ranked-doubles"], in_play=1, clock_s=90
    )
    folder = tmp_path_factory.mktemp("simulated")
    paths = write_season(folder / "files", season)
    landing = Landing(folder / "landing")
    assert ingest([folder / "files"], landing).totals == {("ballchasing", "taken"): 1, ("simulated", "taken"): 1}
    (match,) = season.matches
    by_name = {player.name: player.player_id for player in season.players}
    frames = {**_decode(RAW_DECODER, landing).frames, **_decode(EVENTS_DECODER, landing).frames}
    return Landed(
        season.matches.played[0],
        match,
        [by_name[seat["name"]] for colour in ("blue", "orange") for seat in match[colour]["players"]],
        igzip.decompress(next(path for path in paths if path.suffix == ".gz").read_bytes()),
        frames,
    )


def test_a_match_has_one_row_by_its_frames_and_one_by_its_statistics(landed: Landed) -> None:
    rows = landed.rows(RawReplays).sort("source")
    assert rows.select("source", "is_simulated").rows() == [("ballchasing", True), ("replay", True)]
    same = ["playlist", "map_code", "team_size", "season", "blue_score", "orange_score", "went_to_overtime"]
    assert rows.select(same).n_unique() == 1
    # Ballchasing's date is the end.
    assert rows["started_at"][1] + timedelta(seconds=round(landed.played.time[-1])) == rows["started_at"][0]


def test_both_files_have_the_same_scoreboard_cars_and_cameras(landed: Landed) -> None:
    board = ("team", "score", "goals", "assists", "saves", "shots", "shots_against", "goals_against", "car_id")
    cameras = [name for name in RawPlayerStats.column_names() if name.startswith("camera_")]
    theirs, ours = landed.both("player_id", *board, *cameras)
    assert ours.equals(theirs)
    assert ours.null_count().sum_horizontal().item() == 0
    assert {*landed.rows(RawPlayerStats).filter(source="replay")["car_hitbox"]} <= {"octane", "dominus", "breakout"}


@pytest.mark.parametrize("kind", ["shot", "save", "assist", "goal", "demolition"])
def test_events_are_read_as_they_happened(landed: Landed, kind: str) -> None:
    assert landed.planted(kind)
    assert landed.happened(kind) == landed.planted(kind)


def test_pickups_are_read_as_they_happened(landed: Landed) -> None:
    pickups = landed.played.pickups[["frame", "player"]].tolist()
    assert landed.happened("boost_pickup") == sorted((frame, landed.ids[who]) for frame, who in pickups)


def test_touches_are_found_where_they_happened(landed: Landed) -> None:
    """The file has the team of some of them, so who touched is worked out from ball and cars."""
    touches, found = landed.planted("touch"), landed.happened("touch")
    right = [any(who == player and abs(at - frame) <= HZ // 6 for at, player in found) for frame, who in touches]
    assert len(touches) > 10
    assert sum(right) >= 0.9 * len(touches)
    assert len(found) <= 1.1 * len(touches)


def test_a_camera_leaves_the_ball_for_who_looks_for_boost_far_from_it(landed: Landed) -> None:
    looks = landed.rows(ReplayEvents).filter(pl.col("kind").str.starts_with("ball_cam")).sort("event_number")
    assert looks.filter(frame=0)["kind"].to_list() == ["ball_cam_on"] * 4
    assert looks.height > 8
    for (player_id,), own in looks.partition_by("player_id", as_dict=True).items():
        kinds = own["kind"].to_list()
        assert kinds == (["ball_cam_on", "ball_cam_off"] * len(kinds))[: len(kinds)]
        off = own.filter(kind="ball_cam_off")["frame"].to_list()
        assert (landed.played.boost[off, landed.ids.index(str(player_id))] < 20).all()


def test_figures_computed_from_frames_are_those_of_ballchasing(landed: Landed) -> None:
    theirs = landed.rows(RawPlayerStats).filter(source="ballchasing")
    both = landed.rows(ReplayFigures).join(theirs, on="player_id", suffix="_theirs")
    names = [name for name in ReplayFigures.column_names() if f"{name}_theirs" in both.columns]
    names = [name for name in names if name.endswith(("_s", "_uu", "_uu_s", "avg_boost"))]
    assert len(names) > 20
    for name in names:
        for ours, other in both.select(name, f"{name}_theirs").rows():
            assert ours == pytest.approx(other, rel=0.04, abs=1.5), name


def test_ten_frames_a_second_are_kept_of_everything_that_moves(landed: Landed) -> None:
    frames = landed.rows(ReplayFrames)
    assert {*frames["player_id"]} == {"the_ball", *landed.ids}
    assert frames["frame"].n_unique() == pytest.approx(10 * len(landed.played.time) / HZ, rel=0.02)
    assert frames.filter(player_id="the_ball").sort("frame").select("x_uu", "y_uu").row(0) == (0, 0)


def test_frames_are_recognised_by_their_content_and_who_is_in_them_is_found(landed: Landed) -> None:
    found, document = recognise(landed.content), json.loads(landed.content)
    assert (found.kind, found.suffix, found.match_id) == ("simulated", "json", document["match_guid"])
    assert found.started_at == datetime.fromisoformat(document["date"]).astimezone(UTC)
    assert set(landed.ids) <= accounts_in_ballchasing(landed.content)
    with pytest.raises(UnrecognisedContentError, match="teams blue and orange"):
        recognise(json.dumps(document | {"gamestats_simulated": False}).encode())


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a column is shorter": lambda document: document["frames"]["ball"]["x"].pop(),
    "a number is huge": lambda document: document["frames"]["cars"][0]["z"].__setitem__(5, 10**40),
    "a number is a text": lambda document: document["frames"]["time_ms"].__setitem__(0, "0"),
    "a goal comes after the end": lambda document: document["goals"].append([10**6, 0]),
    "an unknown player shoots": lambda document: document["happened"].append([3, "shot", 9, None]),
    "a player is there twice": lambda document: document["players"].__setitem__(1, document["players"][0]),
    "nobody plays": lambda document: document.update(players=[], frames=document["frames"] | {"cars": []}),
    "there is one frame": lambda document: document["frames"].update(time_ms=[0]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_document_is_unreadable(landed: Landed, damage: str) -> None:
    document = json.loads(landed.content)
    DAMAGES[damage](document)
    with pytest.raises(UnreadableReplayError):
        read_simulated(json.dumps(document).encode())


def test_frames_that_cannot_be_read_leave_the_statistics(landed: Landed, tmp_path: Path) -> None:
    document = json.loads(landed.content)
    DAMAGES["a column is shorter"](document)
    for name, each in (("a.json", document), ("b.json", landed.match)):
        (tmp_path / name).write_text(json.dumps(each))
    landing = Landing(tmp_path / "landing")
    ingest([tmp_path / "a.json", tmp_path / "b.json"], landing)
    raw = _decode(RAW_DECODER, landing)
    assert pl.concat(raw.frames[RawReplays])["source"].to_list() == ["ballchasing"]
    assert [rejection.rule for rejection in raw.rejections[RawReplays]] == ["unreadable_file"]
