"""Ids of players: what people, ballchasing and replays write is one id per account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import subtr_actor
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.rocket_league.players.identities import (
    PLATFORMS,
    PlayerIdError,
    parse_player_id,
    player_id_in_replay,
    player_id_of,
    written_id,
)

ACCOUNTS = st.text("abcXYZ019_.-", min_size=1, max_size=64)


@given(
    platform=st.sampled_from(PLATFORMS),
    account=ACCOUNTS,
    separator=st.sampled_from(":_"),
    space=st.sampled_from(["", " ", "\n"]),
)
def test_however_an_id_is_written_it_is_one(platform: str, account: str, separator: str, space: str) -> None:
    expected = f"{platform}_{account.lower()}"
    assert player_id_of(platform, account) == expected
    assert parse_player_id(f"{space}{platform.upper()}{separator}{account}{space}") == expected
    assert parse_player_id(expected) == expected
    assert parse_player_id(written_id(expected)) == expected


@given(st.text())
def test_whatever_is_written_is_an_id_or_refused_with_advice(text: str) -> None:
    try:
        found = parse_player_id(text)
    except PlayerIdError as error:
        message = str(error)
        assert any(advice in message for advice in ("choose from", "accounts have", "write the platform"))
    else:
        platform, _, account = found.partition("_")
        assert platform in PLATFORMS
        assert set(account) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")
        assert 1 <= len(account) <= 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ann", "write the platform and the account"),
        ("", "write the platform and the account"),
        ("pc:Ann", "'pc' is no platform; choose from: steam, epic"),
        ("steam:", "'' is no account on steam"),
        ("steam:a b", "'a b' is no account"),
        ("steam:a,b", "is no account"),
        (f"steam:{'a' * 65}", "is no account"),
        ("steam:76561198385053346\u0661", "is no account"),
    ],
)
def test_what_is_no_id_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlayerIdError) as refused:
        parse_player_id(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "remote_id",
    [
        {},
        {"SplitScreen": 1},
        {"Nintendo64": "1"},
        {"Steam": ""},
        {"PlayStation": {"online_id": "1"}},
        {"Steam": "a b"},
        {"Switch": {"online_id": None}},
        {"Xbox": "no number"},
        {"Xbox": None},
        {"Xbox": str(2**64)},
        {"Xbox": "-1"},
    ],
)
def test_who_has_no_account_has_no_id(remote_id: dict[str, Any]) -> None:
    assert player_id_in_replay(remote_id) is None


@pytest.mark.parametrize("stem", ["recent-ranked-doubles-2026-03-10", "recent-ranked-standard-2026-03-10-a"])
def test_a_replay_and_ballchasing_tell_the_same_ids(realdata: Path, stem: str) -> None:
    folder = realdata / "rocket_league"
    document = json.loads((folder / f"{stem}.ballchasing.json").read_bytes())
    by_ballchasing = {
        player["name"]: f"{player['id']['platform']}_{player['id']['id']}".lower()
        for team in ("blue", "orange")
        for player in document[team]["players"]
    }
    meta = subtr_actor.get_replay_meta(folder / f"{stem}.replay")["replay_meta"]
    in_replay = {
        player["name"]: player_id_in_replay(player["remote_id"])
        for team in ("team_zero", "team_one")
        for player in meta[team]
    }
    assert in_replay == by_ballchasing
    assert len(set(in_replay.values())) == len(in_replay) >= 4
    assert set(in_replay.values()) == {parse_player_id(str(player_id)) for player_id in in_replay.values()}


def test_every_player_of_replays_of_ten_years_has_an_id(realdata: Path) -> None:
    for replay in sorted((realdata / "rocket_league").glob("[pr]*.replay")):
        meta = subtr_actor.get_replay_meta(replay)["replay_meta"]
        players = [player["remote_id"] for team in ("team_zero", "team_one") for player in meta[team]]
        ids = [player_id_in_replay(remote_id) for remote_id in players]
        assert len(ids) in (2, 4, 6), replay.name
        assert None not in ids, replay.name
        assert len(set(ids)) == len(ids), replay.name
        assert {str(player_id).partition("_")[0] for player_id in ids} <= {"steam", "epic", "ps4", "xbox", "switch"}
