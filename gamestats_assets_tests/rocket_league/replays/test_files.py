"""What a replay's header says of the match and of everybody who played."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.rocket_league.replays.files import Replay, match_row, player_rows, read_replay
from gamestats_assets.rocket_league.replays.network import Player, UnreadableReplayError
from gamestats_assets.rocket_league.tables import RawPlayerStats, RawReplays
from gamestats_assets_tests.rocket_league.support.files import REPLAYS, header_of
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO, DROPSHOT, DUEL, LAN, PAIRS, TOURNAMENT
from gamestats_assets_tests.rocket_league.support.real_files import replay as replay_file

MATCH, DAY, LANDED = "A" * 32, date(2026, 3, 10), datetime(2026, 3, 11, tzinfo=UTC)
PLATFORMS = {"Steam": "steam", "Epic": "epic", "PS4": "ps4", "Dingo": "xbox", "NNX": "switch"}
# By the file's name and the calendar: playlist, era and number of the season.
KINDS = {
    PAIRS[0]: ("ranked-doubles", "free2play", 21),
    PAIRS[1]: ("ranked-standard", "free2play", 21),
    DUEL: ("ranked-duels", "free2play", 22),
    LAN: ("private", None, None),
    COME_AND_GO: ("unranked-standard", "legacy", 5),
    TOURNAMENT: ("tournament", "free2play", 1),
    DROPSHOT: ("ranked-dropshot", "free2play", 23),
}


@functools.cache
def _read(path: Path) -> Replay:
    return read_replay(path.read_bytes())


def row_of(replay: Replay) -> dict[str, Any]:
    """The row of `RawReplays`."""
    return match_row(replay, MATCH, DAY, "1", LANDED)


@pytest.fixture(params=REPLAYS)
def path(request: pytest.FixtureRequest, realdata: Path) -> Path:
    """Each sound replay in turn."""
    return realdata / "rocket_league" / request.param


def test_a_real_match_is_what_its_header_says_byte_by_byte(path: Path) -> None:
    header = header_of(path.read_bytes())
    row = row_of(_read(path))
    playlist, era, season = KINDS[path.stem]
    found = {
        "replay_id": header["Id"],
        "title": header.get("ReplayName"),
        "recorder": header.get("PlayerName"),
        "map_code": header["MapName"].lower(),
        "match_type": header["MatchType"],
        "playlist": playlist,
        "season_type": era,
        "season": season,
        "team_size": header["TeamSize"],
        "build_version": header["BuildVersion"],
        "played_s": header.get("TotalSecondsPlayed"),
        "was_forfeited": bool(header.get("bForfeit")),
        "blue_score": header.get("Team0Score", 0),
        "orange_score": header.get("Team1Score", 0),
        # None of them did: each was decided, or given up, before the clock had run down.
        "went_to_overtime": False,
        "start_is_exact": "MatchStartEpoch" in header,
        "is_simulated": False,
    }
    assert {name: row[name] for name in found} == found
    if "MatchStartEpoch" in header:
        assert row["started_at"] == datetime.fromtimestamp(header["MatchStartEpoch"], UTC)
    else:
        assert row["started_at"].strftime("%Y-%m-%d") == header["Date"][:10]
    # Up to 30 frames a second were recorded.
    assert header["NumFrames"] / header["RecordFPS"] < row["duration_s"] < header["NumFrames"] / 15
    assert row["frames"] == pytest.approx(10 * row["duration_s"], rel=0.02)
    assert screen(RawReplays, pl.DataFrame([row], schema=RawReplays.schema())).rejections == []


def test_a_real_scoreboard_is_that_of_the_header(path: Path) -> None:
    header, replay = header_of(path.read_bytes()), _read(path)
    rows = player_rows(replay, MATCH, DAY)
    board = {row["Name"]: row for row in header["PlayerStats"]}
    score = (header.get("Team0Score", 0), header.get("Team1Score", 0))
    found = {row["player_name"]: row for row in rows if row["player_name"] in board}
    assert set(found) == set(board)
    best = max(row["Score"] for row in board.values() if row["Team"] == int(score[1] > score[0]))
    for name, row in found.items():
        result = board[name]
        team = result["Team"]
        assert row["team"] == ("blue", "orange")[team]
        counts = [result[each] for each in ("Score", "Goals", "Assists", "Saves", "Shots")]
        assert [row[each] for each in ("score", "goals", "assists", "saves", "shots")] == counts
        assert row["goals_against"] == score[1 - team]
        assert row["is_bot"] == bool(result["bBot"])
        assert row["shots_against"] == sum(each["Shots"] for each in board.values() if each["Team"] != team)
        assert row["is_mvp"] == (team == int(score[1] > score[0]) and result["Score"] == best)
        platform = PLATFORMS[result["Platform"].removeprefix("OnlinePlatform_")]
        assert row["player_id"].startswith(f"{platform}_")
        if platform in ("steam", "switch"):
            assert row["player_id"].endswith(f"_{result['OnlineID']}")
        elif platform == "xbox":
            assert row["player_id"] == f"xbox_{result['OnlineID'].to_bytes(8, 'little').hex()}"
        elif platform == "ps4":
            assert row["player_id"] == f"ps4_{result['Name'].lower()}"
    # Who left before the end is on no board.
    for row in rows:
        if row["player_name"] not in board:
            assert path.stem == COME_AND_GO
            assert (row["score"], row["shots"], row["shots_against"], row["is_mvp"]) == (None, None, None, False)
    assert len(rows) == {COME_AND_GO: 13}.get(path.stem, len(board))
    assert screen(RawPlayerStats, pl.DataFrame(rows, schema=RawPlayerStats.schema())).rejections == []


# --- By hand --------------------------------------------------------------------------------------

HEADER = {"Id": "B" * 32, "MatchStartEpoch": "1773168576", "Date": "2026-03-10 18-55-49"}


def frames(*clock: tuple[int, int, bool]) -> pl.DataFrame:
    """Frames of the ball, a second apart: kick-off, clock, and whether it is a countdown."""
    return pl.DataFrame(
        [
            {"frame": frame, "step_s": 1.0, "kickoff_number": kickoff, "seconds_remaining": left, "is_countdown": count}
            for frame, (kickoff, left, count) in enumerate(clock)
        ]
    )


def replay(
    header: Mapping[str, Any] = HEADER,
    *,
    players: list[Player] | None = None,
    clock: tuple[tuple[int, int, bool], ...] = ((1, 300, True), (1, 299, False)),
    game_type: Mapping[str, Any] | None = None,
    season: Mapping[str, Any] | None = None,
) -> Replay:
    """A replay that was read, of whose header the rest is missing."""
    meta = {"team_zero": [], "team_one": [], "game_type": game_type, "season": season}
    return Replay(header, meta, players or [], frames(*clock), "matrix")


def on_board(name: str, team: int, account: int = 0, **stats: Any) -> dict[str, Any]:
    """A row of the header's scoreboard, of somebody on Steam."""
    platform = {"kind": "OnlinePlatform", "value": "OnlinePlatform_Steam"}
    return {"Name": name, "Team": team, "Platform": platform, "OnlineID": str(account), "bBot": False, **stats}


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (((1, 300, True), (1, 1, False), (1, 0, False)), False),
        # A kick-off when the clock has run down; it counts upwards from there, or does not.
        (((1, 300, True), (1, 0, False), (2, 0, True), (2, 1, False), (2, 2, False)), True),
        (((1, 300, True), (1, 0, False), (2, 0, True), (2, 0, False)), True),
        # A goal in the last second is no overtime.
        (((1, 300, True), (2, 1, True), (2, 0, False)), False),
        # Without a limit of time the clock counts upwards, or stands.
        (((1, 0, True), (1, 50, False), (2, 50, True)), False),
        (((1, 0, True), (1, 0, False), (2, 0, True)), False),
    ],
)  # fmt: skip
def test_overtime_is_a_kickoff_when_the_clock_has_run_down(
    clock: tuple[tuple[int, int, bool], ...], expected: bool
) -> None:
    assert row_of(replay(clock=clock))["went_to_overtime"] is expected


@pytest.mark.parametrize(
    ("match_type", "game_type", "expected"),
    [
        ("Online", {"game_type": "Ranked", "playlist_id": 11}, "ranked-doubles"),
        ("Online", {"game_type": "Ranked", "playlist_id": 99}, "playlist-99"),
        ("Private", {"playlist_id": 11}, "private"),
        ("LAN", None, "private"),
        ("Online", {"game_type": "Lan", "playlist_id": 11}, "private"),
        ("Offline", {"playlist_id": 8}, "offline"),
        ("Online", None, None),
        (None, {}, None),
    ],
)
def test_a_playlist_is_that_of_the_number_but_private_ones_have_none(
    match_type: str | None, game_type: Mapping[str, Any] | None, expected: str | None
) -> None:
    assert row_of(replay(HEADER | {"MatchType": match_type}, game_type=game_type))["playlist"] == expected


def test_what_a_header_does_not_tell_is_unknown() -> None:
    row = row_of(replay())
    unknown = ("title", "recorder", "map_code", "match_type", "team_size", "season", "season_type", "build_version",
               "played_s", "playlist", "playlist_number")  # fmt: skip
    assert [row[name] for name in unknown] == [None] * len(unknown)
    # A team without a goal has no score in it.
    assert (row["blue_score"], row["orange_score"], row["was_forfeited"]) == (0, 0, False)


def test_a_header_without_a_time_is_refused_with_what_it_says() -> None:
    with pytest.raises(UnreadableReplayError, match=r"no usable time; Date is 'yesterday'"):
        row_of(replay({"Id": "B" * 32, "Date": "yesterday"}))


def test_best_of_the_winners_may_be_several_and_of_a_draw_nobody() -> None:
    scores = {"Ann": (0, 300), "Bea": (0, 300), "Cem": (1, 900)}
    board = [
        on_board(name, team, number, Score=score) for number, (name, (team, score)) in enumerate(scores.items(), 1)
    ]
    players = [Player(f"steam_{number}", name, name == "Cem", False) for number, name in enumerate(scores, 1)]
    for score, best in (((2, 1), ["Ann", "Bea"]), ((1, 2), ["Cem"]), ((1, 1), [])):
        header = HEADER | {"Team0Score": score[0], "Team1Score": score[1], "PlayerStats": board}
        rows = player_rows(replay(header, players=players), MATCH, DAY)
        assert [row["player_name"] for row in rows if row["is_mvp"]] == best


def test_a_board_that_lacks_columns_leaves_them_unknown() -> None:
    players = [Player("steam_1", "Ann", False, False), Player("steam_2", "Bob", True, False)]
    board = [{"Name": "Ann", "Score": 7}, {"Platform": 3, "PlayerID": 4, "Team": [], "Shots": "x"}]
    header = HEADER | {"Team0Score": 1, "PlayerStats": board}
    ann, bob = player_rows(replay(header, players=players), MATCH, DAY)
    # By the name, where the account is missing.
    assert (ann["score"], ann["goals"], ann["shots_against"], ann["goals_against"]) == (7, None, 0, 0)
    assert (bob["score"], bob["shots_against"], bob["goals_against"]) == (None, None, None)
    table = pl.DataFrame([ann, bob], schema=RawPlayerStats.schema())
    assert screen(RawPlayerStats, table).rejections == []


def test_players_with_the_same_hidden_name_keep_their_own_scores() -> None:
    players = [Player(f"steam_{number}", "******", False, False) for number in (1, 2, 3)]
    # The third one left before the end.
    board = [on_board("******", 0, 2, Score=20), on_board("******", 0, 1, Score=10)]
    rows = player_rows(replay(HEADER | {"PlayerStats": board}, players=players), MATCH, DAY)
    assert [row["score"] for row in rows] == [10, 20, None]


@pytest.mark.parametrize("board", [None, 3, {"a": 1}])
def test_without_a_board_everybody_played_all_the_same(board: Any) -> None:
    players = [Player("steam_1", "Ann", False, False)]
    [row] = player_rows(replay(HEADER | {"PlayerStats": board}, players=players), MATCH, DAY)
    assert (row["player_id"], row["score"], row["is_mvp"]) == ("steam_1", None, False)


# --- Damage ---------------------------------------------------------------------------------------


def test_a_matrix_that_cannot_be_read_is_made_up_for_by_the_updates(
    realdata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subtr_actor

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("player columns changed")

    usual = read_replay(replay_file(realdata, DUEL))
    monkeypatch.setattr(subtr_actor, "get_ndarray_with_info_from_replay_filepath", refuse)
    by_updates = read_replay(replay_file(realdata, DUEL))
    assert by_updates.frames_method == "updates"
    same = dataclasses.asdict(by_updates) | {"frames": None, "frames_method": None}
    assert same == dataclasses.asdict(usual) | {"frames": None, "frames_method": None}
    assert row_of(by_updates)["duration_s"] == pytest.approx(row_of(usual)["duration_s"], abs=0.2)
