"""Whom files name, and how a player is masked in the rows of a match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.masking import masked
from gamestats_assets.rocket_league.privacy.naming import accounts_in_ballchasing, accounts_in_replay, names_account
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.building import rows

# ---------------------------------------------------------------- whom files name


@pytest.mark.parametrize("name", [real_files.PAIRS[0], real_files.LAN, real_files.COME_AND_GO])
def test_everybody_whom_a_replay_names_is_found_in_its_bits(realdata: Path, name: str) -> None:
    content = real_files.replay(realdata, name)
    named = accounts_in_replay(content)
    # Who comes and goes, or watches, is in no line-up.
    assert len(named) >= 2
    assert {player_id for player_id in named if not names_account(content, player_id)} == set()
    for stranger in (
        "steam_76561198000000001",
        "epic_" + "0123456789abcdef" * 2,
        "ps4_nobody",
        "xbox_70cf8d6afd010911",
    ):
        assert not names_account(content, stranger)


@given(
    st.sampled_from(["steam_76561198385053346", "epic_14d2c197a569431cbd227f56203b852e", "xbox_70cf8d6afd010900"]),
    st.binary(max_size=30),
    st.binary(max_size=30),
    st.integers(0, 7),
)
def test_an_account_is_found_from_whichever_bit_on_it_is_written(
    player_id: str, before: bytes, after: bytes, bits: int
) -> None:
    platform, _, account = player_id.partition("_")
    written = {"steam": lambda: int(account).to_bytes(8, "little"), "xbox": lambda: bytes.fromhex(account)}
    form = written.get(platform, account.upper().encode)()
    # As a stream of bits, the lowest of a byte first, that begins with some that are not of a byte.
    stream = [0] * bits + [byte >> bit & 1 for byte in before + form + after for bit in range(8)]
    stream += [0] * (-len(stream) % 8)
    packed = bytes(
        sum(bit << place for place, bit in enumerate(stream[at : at + 8])) for at in range(0, len(stream), 8)
    )
    assert names_account(packed, player_id)


def test_the_uploader_of_a_file_is_named_by_it_too() -> None:
    document = {
        "uploader": {"steam_id": "76561198000000001"},
        "blue": {"players": [{"id": {"platform": "ps4", "id": "Bo"}}]},
    }
    content = json.dumps(document).encode()
    assert accounts_in_ballchasing(content) == {"steam_76561198000000001", "ps4_bo"}
    assert names_account(content, "steam_76561198000000001")
    assert names_account(content, "ps4_bo")
    # A short account is no word of a document.
    assert not names_account(content, "ps4_b")
    assert not names_account(json.dumps({"map": "bo", "id": "x"}).encode(), "ps4_bo")


# ---------------------------------------------------------------- masking


def match_of(*called: tuple[str, str], **of_replay: Any) -> dict[Any, pl.DataFrame]:
    """Rows of a match with players of these ids and names."""
    stats = [
        {"match_id": "A" * 32, "source": "replay", "player_id": player_id, "player_name": name, "car_id": 23,
         "car_name": "Octane", "rank_tier": 16, "camera_fov": 110.0, "goals": 2}
        for player_id, name in called
    ]  # fmt: skip
    frames = [{"match_id": "A" * 32, "frame": 0, "player_id": each} for each in ("the_ball", *(id for id, _ in called))]
    (first, *_), (last, *_) = called[0], called[-1]
    event = {"match_id": "A" * 32, "kind": "demolition", "player_id": last, "other_player_id": first}
    replay = {"match_id": "A" * 32, "source": "replay", **of_replay}
    return {
        t.RawReplays: rows(t.RawReplays, replay),
        t.RawPlayerStats: rows(t.RawPlayerStats, *stats),
        t.ReplayFrames: rows(t.ReplayFrames, *frames),
        t.ReplayEvents: rows(t.ReplayEvents, event),
        t.ReplayFigures: rows(t.ReplayFigures, *({"match_id": "A" * 32, "player_id": each} for each, _ in called)),
    }


def test_a_masked_player_is_one_in_a_match_and_another_in_the_next() -> None:
    before = match_of(("steam_1", "Ann"), ("steam_2", "Bob"))
    one, two = (masked(before, ["steam_1", "steam_9"]) for _ in range(2))
    (alias,) = {*one[t.RawPlayerStats]["player_id"]} - {"steam_2"}
    assert alias.startswith(FORGOTTEN)
    assert {*one[t.ReplayFrames]["player_id"]} == {"the_ball", alias, "steam_2"}
    assert one[t.ReplayEvents].select("player_id", "other_player_id").rows() == [("steam_2", alias)]
    assert {*one[t.ReplayFigures]["player_id"]} == {alias, "steam_2"}
    assert alias not in {*two[t.RawPlayerStats]["player_id"]}
    found = one[t.RawPlayerStats].select("player_name", "car_id", "car_name", "rank_tier", "camera_fov", "goals")
    assert found.rows() == [(FORGOTTEN_NAME, None, None, None, None, 2), ("Bob", 23, "Octane", 16, 110.0, 2)]


@pytest.mark.parametrize(
    ("name", "title", "left"),
    [
        ("Ann", "2026-03-10.18.55 ann Ranked Doubles Win", "2026-03-10.18.55 (forgotten) Ranked Doubles Win"),
        # The game leaves out what it has no letters for.
        ("hawk\u2605rn", "2026-03-10.18.55 hawkrn Ranked Doubles Win", FORGOTTEN_NAME),
        ("Ann", "Joanna's best goal", FORGOTTEN_NAME),
        ("x", "six x", "six x"),
        ("Ann", "Bob and friends", "Bob and friends"),
        ("Ann", None, None),
    ],
)
def test_titles_do_not_tell_the_name(name: str, title: str | None, left: str | None) -> None:
    after = masked(match_of(("steam_1", name), ("steam_2", "Bob"), title=title, recorder=name), ["steam_1"])
    assert after[t.RawReplays].select("title", "recorder").row(0) == (left, FORGOTTEN_NAME)


def test_who_shares_the_screen_with_a_masked_player_is_masked_too() -> None:
    before = match_of(("steam_1", "Ann"), ("guest_5f1f7d35", "Ann(1)"), ("guest_0badcafe", "Annabel"))
    after = masked(before, ["steam_1"])[t.RawPlayerStats]
    assert after["player_name"].to_list() == [FORGOTTEN_NAME, FORGOTTEN_NAME, "Annabel"]
    assert after["player_id"].n_unique() == 3
    assert after["player_id"][2] == "guest_0badcafe"


@pytest.mark.parametrize(("player_id", "is_masked"), [("steam_1", True), ("steam_9", False)])
def test_a_masked_match_cannot_be_looked_up_at_ballchasing(player_id: str, is_masked: bool) -> None:
    ids = {"ballchasing_id": "2075de8d", "replay_id": "B" * 32}
    before = match_of(("steam_1", "Ann"), ("steam_2", "Bob"), title="of Ann", recorder="Bob", **ids)
    after = masked(before, [player_id])
    looked_up = (None, None) if is_masked else tuple(ids.values())
    assert after[t.RawReplays].select("match_id", *ids).rows() == [("A" * 32, *looked_up)]
    # Of who did not play, nothing is masked.
    assert is_masked != all(after[table].equals(frame) for table, frame in before.items())
