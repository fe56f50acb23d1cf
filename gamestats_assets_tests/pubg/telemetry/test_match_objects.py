"""Decoding one match object: against a plain reading of 62 real ones, and with damaged ones."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.quality import check_schema
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.telemetry.match_objects import DecodedMatch, UnreadableMatchError, decode_match
from gamestats_assets_tests.support.damage import damaged, places

DAY = date(2026, 4, 7)
HASH = "0" * 32
STATISTICS = {
    "dbnos": "DBNOs", "assists": "assists", "boosts": "boosts", "damage_dealt": "damageDealt",
    "death_type": "deathType",
    "headshot_kills": "headshotKills", "heals": "heals", "kill_place": "killPlace", "kill_streaks": "killStreaks",
    "kills": "kills", "longest_kill_m": "longestKill", "revives": "revives", "ride_distance_m": "rideDistance",
    "road_kills": "roadKills", "swim_distance_m": "swimDistance", "team_kills": "teamKills",
    "time_survived_s": "timeSurvived", "vehicle_destroys": "vehicleDestroys", "walk_distance_m": "walkDistance",
    "weapons_acquired": "weaponsAcquired", "win_place": "winPlace", "account_id": "playerId", "player_name": "name",
}  # fmt: skip


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _decode(document: Any) -> DecodedMatch:
    return decode_match(json.dumps(document).encode(), DAY, HASH)


def _match_row(decoded: DecodedMatch) -> dict[str, Any]:
    return decoded.frames[tables.RawMatches].row(0, named=True)


def _participants(decoded: DecodedMatch) -> pl.DataFrame:
    return decoded.frames[tables.RawParticipants]


def _assert_as_declared(decoded: DecodedMatch) -> None:
    for table in (tables.RawMatches, tables.RawParticipants):
        check_schema(table, decoded.frames[table].schema)
        table.validate(decoded.frames[table])
    assert decoded.frames[tables.RawMatches].height == 1


def _real(realdata: Path) -> list[bytes]:
    folder = realdata / "pubg" / "matches"
    return [path.read_bytes() for path in sorted(folder.glob("*.json"))] + [
        gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*/*.json.gz"))
    ]


def test_every_real_match_object_is_what_a_plain_reading_gives(realdata: Path) -> None:
    contents = _real(realdata)
    assert len(contents) >= 62
    for content in contents:
        document = json.loads(content)
        decoded = decode_match(content, DAY, HASH)
        _assert_as_declared(decoded)
        assert decoded.rejections == {}
        attributes = document["data"]["attributes"]
        of_type = {
            kind: [record for record in document["included"] if record["type"] == kind]
            for kind in ("participant", "roster", "asset")
        }
        keys = {key for record in of_type["participant"] for key in record["attributes"]["stats"]}
        assert decoded.match_id == document["data"]["id"]
        assert _match_row(decoded) == {
            "match_id": document["data"]["id"],
            "match_date": DAY,
            "content_hash": HASH,
            "created_at": _utc(attributes["createdAt"]),
            "duration_s": attributes["duration"],
            "game_mode": attributes["gameMode"],
            "match_type": attributes.get("matchType"),
            "map_id": attributes["mapName"],
            "is_custom_match": attributes["isCustomMatch"],
            "season_state": attributes["seasonState"],
            "shard_id": attributes["shardId"],
            "title_id": attributes["titleId"],
            "telemetry_url": of_type["asset"][0]["attributes"]["URL"],
            "telemetry_created_at": _utc(of_type["asset"][0]["attributes"]["createdAt"]),
            "participants": len(of_type["participant"]),
            "rosters": len(of_type["roster"]),
            "unknown_stat_keys": len(keys - set(STATISTICS.values())),
            "other_files": 0,
        }
        roster_of = {
            member["id"]: roster
            for roster in of_type["roster"]
            for member in roster["relationships"]["participants"]["data"]
        }
        expected = []
        for record in of_type["participant"]:
            roster = roster_of[record["id"]]
            expected.append(
                {
                    "match_id": document["data"]["id"],
                    "match_date": DAY,
                    "participant_id": record["id"],
                    "roster_id": roster["id"],
                    "team_id": roster["attributes"]["stats"]["teamId"],
                    "roster_rank": roster["attributes"]["stats"]["rank"],
                    "won": roster["attributes"]["won"] == "true",
                    **{column: record["attributes"]["stats"][key] for column, key in STATISTICS.items()},
                }
            )
        assert _participants(decoded).to_dicts() == [
            {name: row[name] for name in tables.RawParticipants.schema()} for row in expected
        ]


# --------------------------------------------------------------------------- made-up documents


def _statistics(number: int, **changes: Any) -> dict[str, Any]:
    values = {key: number for key in STATISTICS.values()}
    return {**values, "deathType": "alive", "playerId": f"account.{number:032x}", "name": f"player{number}", **changes}


def _participant(number: int, **changes: Any) -> dict[str, Any]:
    attributes = {"actor": "", "shardId": "steam", "stats": _statistics(number, **changes)}
    return {"type": "participant", "id": f"participant-{number}", "attributes": attributes}


def _document(participants: int = 4) -> dict[str, Any]:
    rosters = [
        {
            "type": "roster",
            "id": f"roster-{number}",
            "attributes": {"won": "true" if number == 0 else "false", "stats": {"rank": number + 1, "teamId": number}},
            "relationships": {
                "participants": {
                    "data": [{"type": "participant", "id": f"participant-{2 * number + i}"} for i in (0, 1)]
                }
            },
        }
        for number in range(participants // 2)
    ]
    telemetry = {"name": "telemetry", "createdAt": "2026-04-07T22:34:06Z", "URL": "https://cdn.example/t.json"}
    asset = {"type": "asset", "id": "a", "attributes": telemetry}
    return {
        "data": {
            "type": "match",
            "id": "match-1",
            "attributes": {"createdAt": "2026-04-07T22:26:23Z", "duration": 1800, "gameMode": "squad"},
        },
        "included": [*rosters, *(_participant(number) for number in range(participants)), asset],
    }


def test_absent_keys_are_null() -> None:
    document = _document()
    document["data"]["attributes"] = {"createdAt": "2026-04-07T22:26:23Z", "mapName": None}
    document["included"] = [_participant(1)]
    document["included"][0]["attributes"]["stats"] = {"playerId": "account.1", "name": "one", "kills": None}
    decoded = _decode(document)
    _assert_as_declared(decoded)
    row = _match_row(decoded)
    assert (row["participants"], row["rosters"], row["telemetry_url"]) == (1, 0, None)
    assert [row[name] for name in ("duration_s", "map_id", "match_type", "is_custom_match")] == [None] * 4
    [participant] = _participants(decoded).to_dicts()
    assert {name for name, value in participant.items() if value is not None} == {
        "match_id", "match_date", "participant_id", "account_id", "player_name",
    }  # fmt: skip


@pytest.mark.parametrize("included", [[], None])
def test_a_match_without_participants_is_a_match(included: Any) -> None:
    decoded = _decode({**_document(), "included": included})
    assert _match_row(decoded)["participants"] == 0
    assert _participants(decoded).is_empty()


def test_whole_numbers_may_come_with_a_point() -> None:
    document = _document()
    document["data"]["attributes"]["duration"] = 1799.6
    document["included"][2]["attributes"]["stats"] |= {"kills": 3.0, "winPlace": 1.0}
    decoded = _decode(document)
    assert decoded.rejections == {}
    assert _match_row(decoded)["duration_s"] == 1800
    assert _participants(decoded).row(0, named=True)["kills"] == 3
    assert _participants(decoded).row(0, named=True)["win_place"] == 1


def test_the_roster_tells_who_won() -> None:
    document = _document()
    document["included"][1]["attributes"]["won"] = False
    frame = _participants(_decode(document)).sort("participant_id")
    assert frame.get_column("won").to_list() == [True, True, False, False]
    assert frame.get_column("roster_rank").to_list() == [1, 1, 2, 2]
    assert frame.get_column("team_id").to_list() == [0, 0, 1, 1]


def test_the_telemetry_address_is_the_one_of_the_telemetry_asset() -> None:
    document = _document()
    other = {"type": "asset", "id": "b", "attributes": {"name": "replay", "URL": "https://cdn.example/r"}}
    document["included"] = [other, {"type": "asset", "attributes": None}, *document["included"]]
    row = _match_row(_decode(document))
    assert row["telemetry_url"] == "https://cdn.example/t.json"
    assert row["telemetry_created_at"] == _utc("2026-04-07T22:34:06Z")


def test_unknown_keys_and_records_are_counted_or_passed_over() -> None:
    document = _document()
    for record in document["included"][2:6]:
        record["attributes"]["stats"] |= {"winPoints": 1, "rankPoints": 2}
    document["included"][2]["attributes"]["stats"]["mood"] = {"deep": [1]}
    document["included"] += [{"type": "somethingNew"}, None, 5, {"type": ["odd"]}]
    decoded = _decode(document)
    assert decoded.rejections == {}
    assert _match_row(decoded)["unknown_stat_keys"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kills": "three"}, "kills: expected a whole number|kills: expected a number"),
        ({"kills": 2.5}, "kills: expected a whole number"),
        ({"kills": True}, "kills: expected a number"),
        ({"winPlace": 40_000}, "winPlace: expected a whole number of 16 bits"),
        ({"damageDealt": "1"}, "damageDealt: expected a number"),
        ({"playerId": None}, "account_id: expected text, found nothing"),
        ({"name": 5}, "name: expected text"),
    ],
)
def test_a_bad_participant_is_quarantined_and_the_others_load(changes: dict[str, Any], message: str) -> None:
    document = _document(100)
    bad = _participant(7, **changes)
    document["included"] = [bad if r["id"] == "participant-7" else r for r in document["included"]]
    decoded = _decode(document)
    _assert_as_declared(decoded)
    [rejection] = decoded.rejections[tables.RawParticipants]
    assert (rejection.unit_id, rejection.scope, rejection.rejected_rows) == ("match-1", "row", 1)
    assert any(part in rejection.reason for part in message.split("|"))
    assert json.loads(rejection.content or "") == bad
    assert _participants(decoded).height == 99
    assert _match_row(decoded)["participants"] == 100


def test_two_bad_participants_of_a_hundred_condemn_all() -> None:
    document = _document(100)
    document["included"][-2]["attributes"]["stats"]["kills"] = "x"
    document["included"][-3]["attributes"]["stats"]["kills"] = "x"
    decoded = _decode(document)
    [rejection] = decoded.rejections[tables.RawParticipants]
    assert (rejection.scope, rejection.rejected_rows) == ("unit", 100)
    assert rejection.reason.startswith("2 of 100 participants could not be read, more than 1%.")
    assert _participants(decoded).is_empty()
    assert _match_row(decoded)["participants"] == 100


def test_a_bad_roster_leaves_its_participants_without_it() -> None:
    document = _document()
    document["included"][0]["attributes"]["stats"]["rank"] = "first"
    decoded = _decode(document)
    assert [r.rule for r in decoded.rejections[tables.RawParticipants]] == ["roster_shape"]
    frame = _participants(decoded).sort("participant_id")
    assert frame.get_column("roster_id").to_list() == [None, None, "roster-1", "roster-1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"<html>",
        b'{"data": {"type": "match", "id": "m"',
        b'{"data": []}',
        b'{"data": {"type": "player", "id": "m", "attributes": {"createdAt": "2026-04-07T22:26:23Z"}}}',
        b'{"data": {"type": "match", "attributes": {"createdAt": "2026-04-07T22:26:23Z"}}}',
        b'{"data": {"type": "match", "id": "m", "attributes": {}}}',
        b'{"data": {"type": "match", "id": "m", "attributes": null}}',
        b'{"data": {"type": "match", "id": "m", "attributes": {"createdAt": "soon"}}}',
        b'{"data": {"type": "match", "id": "m", "attributes": {"createdAt": "2026-04-07T22:26:23Z"}}, "included": 4}',
        b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_match_object_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableMatchError):
        decode_match(content, DAY, HASH)


PLACES = places(_document())


@settings(max_examples=300)
@given(
    place=st.sampled_from(PLACES),
    garbage=st.sampled_from([None, "", "x", -1, 3.7, 2**70, True, [], {}, [None], {"x": "y"}, "drop"]),
)
def test_no_damage_stops_the_reading(place: tuple[Any, ...], garbage: Any) -> None:
    document = damaged(_document(), place, garbage)
    try:
        decoded = _decode(document)
    except UnreadableMatchError:
        assert place[0] == "data" or place == ("included",)
        return
    for table in (tables.RawMatches, tables.RawParticipants):
        check_schema(table, decoded.frames[table].schema)
    assert decoded.frames[tables.RawMatches].height == 1
    rejected = sum(r.rejected_rows for r in decoded.rejections.get(tables.RawParticipants, []))
    assert _participants(decoded).height + rejected == _match_row(decoded)["participants"]
