"""Decoding one match object: against a plain reading of real ones, and with damaged ones."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import check_schema, screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.tables import RawMatches, RawParticipants, RawTeams
from gamestats_assets.lol.timelines import match_objects
from gamestats_assets.lol.timelines.match_objects import (
    DecodedMatch,
    UnreadableMatchError,
    decode_match,
    rows_of,
)
from gamestats_assets_tests.lol.files import BEGAN, BEGAN_MS

DAY = date(2023, 7, 14)
HASH = "0" * 32
Document = dict[str, Any]
Frames = dict[type[Table], pl.DataFrame]

# --------------------------------------------------------------------------- a plain reading, the expectation

STATISTICS = {
    "participant_id": "participantId", "puuid": "puuid", "riot_id_tagline": "riotIdTagline",
    "summoner_name": "summonerName", "summoner_level": "summonerLevel", "team_id": "teamId",
    "subteam_id": "playerSubteamId", "placement": "placement", "won": "win", "champion_id": "championId",
    "champion_name": "championName", "champion_transform": "championTransform", "champion_level": "champLevel",
    "team_position": "teamPosition", "individual_position": "individualPosition", "kills": "kills",
    "deaths": "deaths", "assists": "assists", "double_kills": "doubleKills", "triple_kills": "tripleKills",
    "quadra_kills": "quadraKills", "penta_kills": "pentaKills", "largest_killing_spree": "largestKillingSpree",
    "largest_multi_kill": "largestMultiKill", "gold_earned": "goldEarned", "gold_spent": "goldSpent",
    "experience": "champExperience", "lane_minions_killed": "totalMinionsKilled",
    "neutral_minions_killed": "neutralMinionsKilled", "damage_to_champions": "totalDamageDealtToChampions",
    "physical_damage_to_champions": "physicalDamageDealtToChampions",
    "magic_damage_to_champions": "magicDamageDealtToChampions",
    "true_damage_to_champions": "trueDamageDealtToChampions", "damage_dealt": "totalDamageDealt",
    "damage_taken": "totalDamageTaken", "damage_self_mitigated": "damageSelfMitigated",
    "damage_to_objectives": "damageDealtToObjectives", "damage_to_turrets": "damageDealtToTurrets",
    "heal": "totalHeal", "heal_on_teammates": "totalHealsOnTeammates",
    "shield_on_teammates": "totalDamageShieldedOnTeammates", "time_ccing_others_s": "timeCCingOthers",
    "total_time_cc_dealt_s": "totalTimeCCDealt", "time_dead_s": "totalTimeSpentDead",
    "longest_life_s": "longestTimeSpentLiving", "time_played_s": "timePlayed", "vision_score": "visionScore",
    "wards_placed": "wardsPlaced", "wards_killed": "wardsKilled", "control_wards_bought": "visionWardsBoughtInGame",
    "control_wards_placed": "detectorWardsPlaced", "dragon_kills": "dragonKills", "baron_kills": "baronKills",
    "turret_kills": "turretKills", "inhibitor_kills": "inhibitorKills", "objectives_stolen": "objectivesStolen",
    "first_blood_kill": "firstBloodKill", "first_blood_assist": "firstBloodAssist",
    "first_tower_kill": "firstTowerKill", "first_tower_assist": "firstTowerAssist",
    "game_ended_in_early_surrender": "gameEndedInEarlySurrender",
    "game_ended_in_surrender": "gameEndedInSurrender", "items_purchased": "itemsPurchased", "item0": "item0",
    "item1": "item1", "item2": "item2", "item3": "item3", "item4": "item4", "item5": "item5", "item6": "item6",
    "summoner1_id": "summoner1Id", "summoner2_id": "summoner2Id", "spell1_casts": "spell1Casts",
    "spell2_casts": "spell2Casts", "spell3_casts": "spell3Casts", "spell4_casts": "spell4Casts",
}  # fmt: skip
OBJECTIVES = {
    "baron": "baron", "champion": "champion", "dragon": "dragon", "grub": "horde", "herald": "riftHerald",
    "inhibitor": "inhibitor", "tower": "tower",
}  # fmt: skip


def _utc(millis: int | None) -> datetime | None:
    return None if millis is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)


def _participant_row(given: Document) -> Document:
    styles = {style["description"]: style for style in (given.get("perks") or {}).get("styles", [])}
    primary, sub = styles.get("primaryStyle", {}), styles.get("subStyle", {})
    augments = [given.get(f"playerAugment{number}") for number in range(1, 7)]
    return {
        **{column: given.get(key) for column, key in STATISTICS.items()},
        "riot_id_name": given.get("riotIdGameName") or given.get("riotIdName"),
        "primary_style_id": primary.get("style"),
        "sub_style_id": sub.get("style"),
        "keystone_id": primary["selections"][0]["perk"] if primary else None,
        "augment_ids": [augment for augment in augments if augment],
    }


def _team_row(given: Document) -> Document:
    objectives = {ours: given["objectives"].get(theirs, {}) for ours, theirs in OBJECTIVES.items()}
    return {
        "team_id": given["teamId"],
        "won": given["win"],
        "banned_champion_ids": [ban["championId"] for ban in given["bans"]],
        "atakhans": given["objectives"].get("atakhan", {}).get("kills"),
        **{f"{name}s": each.get("kills") for name, each in objectives.items()},
        **{f"first_{name}".replace("grub", "grubs"): each.get("first") for name, each in objectives.items()},
    }


def _match_row(info: Document, unknown: int) -> Document:
    winners = [team["teamId"] for team in info["teams"] if team["win"]]
    return {
        "content_hash": HASH,
        "other_files": 0,
        "platform_id": info.get("platformId"),
        "game_version": info["gameVersion"],
        "queue_id": info["queueId"],
        "map_id": info["mapId"],
        "game_mode": info["gameMode"],
        "game_type": info["gameType"],
        "tournament_code": info.get("tournamentCode") or None,
        "created_at": _utc(info["gameCreation"]),
        "started_at": _utc(info["gameStartTimestamp"]),
        "ended_at": _utc(info.get("gameEndTimestamp")),
        "game_duration": info["gameDuration"],
        "end_of_game_result": info.get("endOfGameResult"),
        "winning_team_id": winners[0] if len(winners) == 1 else None,
        "participants": len(info["participants"]),
        "unknown_keys": unknown,
    }


def _plain_rows(document: Document, unknown: int = 0) -> dict[type[Table], list[Document]]:
    match = {"match_id": document["metadata"]["matchId"], "match_date": DAY}
    info = document["info"]
    return {
        RawMatches: [{**match, **_match_row(info, unknown)}],
        RawTeams: [{**match, **_team_row(team)} for team in info["teams"]],
        RawParticipants: [{**match, **_participant_row(each)} for each in info["participants"]],
    }


def _assert_rows(frames: Frames, expected: dict[type[Table], list[Document]]) -> None:
    for table, rows in expected.items():
        assert set(rows[0] if rows else table.schema()) == set(table.schema()), table.spec.name
        assert frames[table].equals(pl.DataFrame(rows, schema=table.schema())), table.spec.name


def _decode(document: Any) -> tuple[DecodedMatch, Frames]:
    decoded = decode_match(json.dumps(document).encode(), DAY, HASH)
    frames = rows_of([decoded])
    _assert_as_declared(frames)
    return decoded, frames


def _assert_as_declared(frames: Frames) -> None:
    assert tuple(frames) == match_objects.TABLES
    for table, frame in frames.items():
        check_schema(table, frame.schema)
        assert frame.columns == table.column_names()


# --------------------------------------------------------------------------- real files


@pytest.fixture(scope="module")
def real(realdata: Path) -> list[bytes]:
    """Real match objects."""
    return [gzip.decompress(path.read_bytes()) for path in sorted((realdata / "lol" / "matches").glob("*.json.gz"))]


def test_every_row_of_every_real_match_object_is_what_a_plain_reading_gives(real: list[bytes]) -> None:
    assert len(real) >= 40
    decoded = [decode_match(content, DAY, HASH) for content in real]
    assert all(each.rejections == {} for each in decoded)
    frames = rows_of(decoded)
    _assert_as_declared(frames)
    expected: dict[type[Table], list[Document]] = {table: [] for table in match_objects.TABLES}
    for content in real:
        for table, rows in _plain_rows(json.loads(content)).items():
            expected[table] += rows
    _assert_rows(frames, expected)
    assert all(screen(table, frame).rejections == [] for table, frame in frames.items())


# --------------------------------------------------------------------------- made-up documents


def _participant(number: int, **changes: Any) -> Document:
    text = {"puuid", "riotIdTagline", "summonerName", "championName", "teamPosition", "individualPosition"}
    flags = {key for key in STATISTICS.values() if key.startswith(("first", "gameEnded")) or key == "win"}
    result: Document = {
        key: f"{key} {number}" if key in text else number % 2 == 0 if key in flags else 10 * place + number
        for place, key in enumerate(STATISTICS.values())
    }
    styles = [
        {"description": "primaryStyle", "style": 8000, "selections": [{"perk": 8005}, {"perk": 9111}]},
        {"description": "subStyle", "style": 8100, "selections": [{"perk": 8139}]},
    ]
    result |= {"participantId": number, "teamId": 100 if number <= 5 else 200, "riotIdGameName": f"name {number}"}
    result |= {"perks": {"statPerks": {}, "styles": styles}, "challenges": {"kda": 1.5}, "allInPings": 3}
    return {**result, "playerAugment1": 30, "playerAugment2": 0, "playerAugment4": 7, **changes}


def _document(participants: int = 10, **info: Any) -> Document:
    names = (*OBJECTIVES.values(), "atakhan")
    teams = [
        {"teamId": team, "win": team == 100, "bans": [{"championId": ban, "pickTurn": 1} for ban in (-1, 266)],
         "objectives": {name: {"first": name == "tower", "kills": len(name)} for name in names}}
        for team in (100, 200)
    ]  # fmt: skip
    result = {
        "gameCreation": BEGAN_MS - 60_000, "gameStartTimestamp": BEGAN_MS, "gameEndTimestamp": BEGAN_MS + 1_500_300,
        "gameDuration": 1500, "gameVersion": "13.14.522.7601", "queueId": 420, "mapId": 11, "gameMode": "CLASSIC",
        "gameType": "MATCHED_GAME", "platformId": "NA1", "tournamentCode": "", "teams": teams,
        "endOfGameResult": "GameComplete",
        "participants": [_participant(number) for number in range(1, participants + 1)],
    }  # fmt: skip
    return {"metadata": {"matchId": "NA1_47101", "participants": []}, "info": {**result, **info}}


@pytest.mark.parametrize("gone", ["absent", "null"])
def test_what_a_row_can_do_without_may_be_absent_or_null(gone: str) -> None:
    needed = {"participantId", "teamId", "win", "championId", "kills", "deaths", "assists", "goldEarned",
              "totalDamageDealtToChampions"}  # fmt: skip
    full = _participant(3)
    bare = {key: full[key] for key in needed}
    bare |= {key: None for key in full if key not in needed} if gone == "null" else {}
    document = _document(participants=0)
    document["info"] |= {"participants": [bare], "teams": [{"teamId": 100}]}
    spared = ("platformId", "mapId", "gameMode", "gameType", "tournamentCode", "gameEndTimestamp", "gameStartTimestamp",
              "endOfGameResult")  # fmt: skip
    for key in spared:
        if gone == "absent":
            del document["info"][key]
        else:
            document["info"][key] = None
    decoded, frames = _decode(document)
    assert decoded.rejections == {}
    assert frames[RawMatches].get_column("started_at").to_list() == [BEGAN - timedelta(minutes=1)]
    [row] = frames[RawParticipants].to_dicts()
    result = {column for column, value in row.items() if value is not None}
    assert result == {"match_id", "match_date", "augment_ids"} | {
        column for column, key in STATISTICS.items() if key in needed
    }
    [team] = frames[RawTeams].to_dicts()
    result = {column for column, value in team.items() if value not in (None, [])}
    assert result == {"match_id", "match_date", "team_id"}
    assert frames[RawMatches].row(0, named=True)["winning_team_id"] is None


@pytest.mark.parametrize(("winners", "team"), [([100], 100), ([200], 200), ([], None), ([100, 200], None)])
def test_a_match_is_won_by_one_team_or_by_none(winners: list[int], team: int | None) -> None:
    document = _document()
    for each in document["info"]["teams"]:
        each["win"] = each["teamId"] in winners
    assert _decode(document)[1][RawMatches].get_column("winning_team_id").to_list() == [team]


def test_a_game_that_never_began_is_told_by_its_end_alone() -> None:
    never = {"gameCreation": 0, "gameStartTimestamp": 0, "gameDuration": 0, "gameVersion": "", "queueId": 0}
    decoded, frames = _decode(_document(0, **never, teams=[], endOfGameResult="Abort_Unexpected"))
    assert decoded.rejections == {}
    ended = BEGAN + timedelta(milliseconds=1_500_300)
    row = frames[RawMatches].row(0, named=True)
    assert (row["created_at"], row["started_at"], row["ended_at"]) == (None, ended, ended)
    assert (row["game_version"], row["participants"], row["end_of_game_result"]) == ("", 0, "Abort_Unexpected")


def test_keys_that_nobody_knows_are_counted_once_and_lose_nothing() -> None:
    document = _document()
    for participant in document["info"]["participants"][3:]:
        participant |= {"mood": {"deep": [1]}, "PlayerScore3": 7}
    document["info"]["participants"][8]["height"] = 180
    decoded, frames = _decode(document)
    assert decoded.rejections == {}
    _assert_rows(frames, _plain_rows(document, unknown=2))


def test_styles_are_found_by_their_description() -> None:
    document = _document()
    for participant in document["info"]["participants"]:
        participant["perks"]["styles"].reverse()
    document["info"]["participants"][0]["perks"] = {"styles": []}
    _assert_rows(_decode(document)[1], _plain_rows(document))


@pytest.mark.parametrize(
    "changes",
    [{"kills": "three"}, {"kills": 2.5}, {"kills": True}, {"kills": None}, {"totalDamageDealt": 2**31},
     {"totalDamageDealt": 2**70}, {"item0": -(2**31) - 1}, {"participantId": 2**15}, {"puuid": 5}, {"win": "yes"},
     {"perks": {"styles": [{"description": "subStyle", "style": "x"}]}}, {"playerAugment1": "x"}],
)  # fmt: skip
@pytest.mark.parametrize("known", [True, False])
def test_a_bad_participant_is_quarantined_and_the_others_load(changes: Document, known: bool) -> None:
    document = _document()
    bad = _participant(7, **changes, **({} if known else {"newKey": 1}))
    document["info"]["participants"][6] = bad
    decoded, frames = _decode(document)
    [(table, [rejection])] = decoded.rejections.items()
    assert table is RawParticipants
    assert (rejection.unit_id, rejection.scope, rejection.rule) == ("NA1_47101", "row", "participant_shape")
    assert (rejection.rejected_rows, rejection.reason.partition(": ")[0]) == (1, "Participant 7")
    # What is quarantined is cut.
    assert (rejection.content or "") == json.dumps(bad)[:4000]
    expected = _plain_rows(document)
    expected[RawParticipants].pop(6)
    _assert_rows(frames, expected)


def test_a_bad_team_is_quarantined_and_the_other_loads() -> None:
    document = _document()
    document["info"]["teams"][0]["objectives"]["baron"]["kills"] = "x"
    decoded, frames = _decode(document)
    [(table, [rejection])] = decoded.rejections.items()
    assert (table, rejection.rule, rejection.rejected_rows) == (RawTeams, "team_shape", 1)
    assert frames[RawTeams].get_column("team_id").to_list() == [200]
    assert frames[RawParticipants].height == 10


def _json(**info: Any) -> bytes:
    return json.dumps({"metadata": {"matchId": "NA1_1"}, "info": info}).encode()


SOUND = json.dumps(_document()).encode()
DATED = {"gameDuration": 1, "gameVersion": "13.14.1", "queueId": 420}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"{}", b"<html>", b"\xff", _json(), _json(**DATED), SOUND[:-1], SOUND + b"x",
        _json(**DATED, gameCreation=-1), _json(**DATED, gameCreation=9_300_000_000_000),
        _json(**{**DATED, "gameDuration": 2**63}, gameCreation=1), _json(**{**DATED, "queueId": None}, gameCreation=1),
        _json(**DATED, gameCreation=1, participants=4), _json(**DATED, gameCreation=1, teams=None),
        b'{"metadata": {}, "info": {"gameDuration": 1, "gameVersion": "13.14", "queueId": 1, "gameCreation": 1}}',
        b'{"metadata": {"matchId": "NA1_1"}, "info": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_match_object_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableMatchError, match="Expected"):
        decode_match(content, DAY, HASH)
