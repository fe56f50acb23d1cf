"""Decoding one telemetry file: against a plain reading of real files, and with damaged ones."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.quality import check_schema
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.telemetry import telemetry
from gamestats_assets.pubg.telemetry.telemetry import DecodedTelemetry, UnreadableTelemetryError, decode
from gamestats_assets_tests.pubg.telemetry.plain import DAY, MATCH, plain_rows, time_of
from gamestats_assets_tests.support.damage import damaged, places


def _counts(decoded: DecodedTelemetry) -> dict[str, tuple[int, int, int, int]]:
    frame = decoded.frames[tables.TelemetryEventCounts].select(
        "event_type", "events", "kept", "not_wanted", "quarantined"
    )
    return {row[0]: row[1:] for row in frame.iter_rows()}


def _assert_as_declared(decoded: DecodedTelemetry) -> None:
    assert set(decoded.frames) == set(telemetry.TABLES)
    for table, frame in decoded.frames.items():
        check_schema(table, frame.schema)
        assert frame.columns == table.schema().names()
        table.validate(frame)


# --------------------------------------------------------------------------- real files

REAL = [
    "telemetry/c2fb5093-866c-4d6d-96bf-7abf755094af.json.gz",
    "telemetry_shapes/2018-04_one_event_per_type.json",
    "telemetry_shapes/2025-07_one_event_per_shape.json",
]


@pytest.fixture(params=REAL, ids=lambda name: Path(name).name)
def real_content(request: pytest.FixtureRequest, realdata: Path) -> bytes:
    content = (realdata / "pubg" / request.param).read_bytes()
    return gzip.decompress(content) if request.param.endswith(".gz") else content


def test_every_row_of_a_real_file_is_what_a_plain_reading_gives(real_content: bytes) -> None:
    events = json.loads(real_content)
    decoded = decode(real_content, MATCH, DAY)
    _assert_as_declared(decoded)
    assert decoded.rejections == {}
    for table, rows in plain_rows(events).items():
        expected = [{name: row.get(name) for name in table.schema()} for row in rows]
        assert decoded.frames[table].to_dicts() == expected, table.spec.name


def test_minified_and_cut_in_pieces_a_real_file_gives_the_same(
    real_content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decode(real_content, MATCH, DAY)
    monkeypatch.setattr(telemetry, "_PIECE_BYTES", 3000)
    for content in (_minified(json.loads(real_content)), real_content):
        assert len(list(telemetry._cuts(content))) > 2
        decoded = decode(content, MATCH, DAY)
        assert decoded.facts == whole.facts
        for table, frame in whole.frames.items():
            assert decoded.frames[table].equals(frame), table.spec.name


def test_every_event_of_a_real_file_is_counted(real_content: bytes) -> None:
    decoded = decode(real_content, MATCH, DAY)
    seen = Counter(event["_T"] for event in json.loads(real_content))
    counts = _counts(decoded)
    assert {name: events for name, (events, *_) in counts.items()} == dict(seen)
    known = dict(decoded.frames[tables.TelemetryEventCounts].select("event_type", "is_wanted").iter_rows())
    wanted = {"LogMatchDefinition", "LogMatchStart", "LogMatchEnd", "LogPlayerPosition", "LogGameStatePeriodic",
              "LogPlayerKill", "LogPlayerKillV2", "LogPlayerMakeGroggy", "LogPlayerRevive", "LogPlayerTakeDamage",
              "LogPlayerAttack", "LogPlayerUseThrowable", "LogItemUse", "LogParachuteLanding"}  # fmt: skip
    for name, (events, kept, not_wanted, quarantined) in counts.items():
        assert known[name] == (name in wanted)
        assert (kept, not_wanted, quarantined) == ((events, 0, 0) if name in wanted else (0, events, 0))


def test_the_facts_of_the_complete_real_file(realdata: Path) -> None:
    content = gzip.decompress((realdata / "pubg" / REAL[0]).read_bytes())
    events = json.loads(content)
    start = next(event for event in events if event["_T"] == "LogMatchStart")
    end = next(event for event in events if event["_T"] == "LogMatchEnd")
    definition = next(event for event in events if event["_T"] == "LogMatchDefinition")
    facts = decode(content, MATCH, DAY).facts
    assert facts.events == len(events) == 2871
    assert (facts.started_at, facts.ended_at) == (time_of(start["_D"]), time_of(end["_D"]))
    assert facts.map_id == start["mapName"]
    assert facts.is_custom_match == start["isCustomGame"]
    assert facts.team_size == start["teamSize"]
    assert facts.camera_view == start["cameraViewBehaviour"]
    assert facts.weather_id == start["weatherId"]
    assert facts.definition_id == definition["MatchId"]


# --------------------------------------------------------------------------- made-up files


def _person(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"player{number}", "teamId": number, "health": 100, "location": {"x": 1.5, "y": 2, "z": 3},
        "ranking": 0, "individualRanking": 0, "accountId": f"account.{number:032x}", "isInBlueZone": False,
        "isInVehicle": False, "zone": [], "type": "user", **changes,
    }  # fmt: skip


def _event(kind: str, **keys: Any) -> dict[str, Any]:
    common = {"common": {"isGame": 0.10000000149011612}, "_D": "2025-07-12T17:10:28.700Z", "_T": kind}
    return {**keys, **{key: value for key, value in common.items() if key not in keys}}


def _damage_info(cause: str) -> dict[str, Any]:
    return {"damageReason": "HeadShot", "damageTypeCategory": "Damage_Gun", "damageCauserName": cause, "distance": 12.5}


ITEM = {
    "itemId": "Item_Heal_FirstAid_C",
    "stackCount": 1,
    "category": "Use",
    "subCategory": "Heal",
    "attachedItems": [],
}
CIRCLES = {
    "elapsedTime": 10, "numAliveTeams": 2, "numAlivePlayers": 3,
    "safetyZonePosition": {"x": 1, "y": 2, "z": 0}, "safetyZoneRadius": 3,
    "poisonGasWarningPosition": {"x": 4, "y": 5, "z": 0}, "poisonGasWarningRadius": 6,
    "redZonePosition": {"x": 7, "y": 8, "z": 0}, "redZoneRadius": 9,
}  # fmt: skip
ONE_OF_EACH: list[dict[str, Any]] = [
    {"MatchId": "match.bro.custom.1", "_D": "2025-07-12T17:11:34.0158674Z", "_T": "LogMatchDefinition"},
    _event("LogMatchStart", mapName="Baltic_Main", weatherId="Clear", teamSize=4, isCustomGame=True,
           cameraViewBehaviour="FpsOnly", characters=[{"character": _person(1)}, _person(2)]),
    _event("LogPlayerPosition", character=_person(), elapsedTime=3, numAlivePlayers=2),
    _event("LogGameStatePeriodic", gameState=CIRCLES),
    _event("LogPlayerKill", attackId=1, killer=_person(1), victim=_person(2), assistant=_person(3),
           **_damage_info("WeapAK47_C")),
    _event("LogPlayerKillV2", attackId=2, dBNOId=5, killer=_person(1), victim=_person(2), finisher=_person(3),
           dBNOMaker=_person(4), killerDamageInfo=_damage_info("WeapAK47_C"),
           finishDamageInfo=_damage_info("WeapM16A4_C"), isSuicide=False,
           assists_AccountId=["account.a"], teamKillers_AccountId=[]),
    _event("LogPlayerMakeGroggy", attackId=3, dBNOId=5, attacker=_person(1), victim=_person(2), **_damage_info("W")),
    _event("LogPlayerRevive", dBNOId=5, reviver=_person(1), victim=_person(2)),
    _event("LogPlayerTakeDamage", attackId=-1, victim=_person(2), damage=20.5, damageCauserName="BP_Zone"),
    _event("LogPlayerAttack", attackId=4, attacker=_person(1), attackType="Weapon", weapon=ITEM),
    _event("LogPlayerUseThrowable", attackId=4, attacker=_person(1), attackType="Weapon", weapon=ITEM),
    _event("LogItemUse", character=_person(1), item=ITEM),
    _event("LogParachuteLanding", character=_person(1), distance=312.5),
    _event("LogMatchEnd", characters=[_person(1), {"character": _person(2)}]),
    _event("LogHeal", character=_person(1), item=ITEM, healAmount=5),
    _event("LogSomethingNew2031", anything=[1, {"a": None}]),
]  # fmt: skip


def _minified(events: list[Any]) -> bytes:
    return json.dumps(events, separators=(",", ":")).encode()


def _padded(*events: Any) -> list[Any]:
    """Events among enough good ones for a bad one to stay within the tolerance."""
    good = _event("LogPlayerPosition", character=_person(), elapsedTime=3, numAlivePlayers=2)
    return [*events, *([good] * 200 * max(len(events), 1))]


def _only(table: type[Table], *events: Any) -> dict[str, Any]:
    """The row of a table that comes from the first events of a padded file."""
    decoded = decode(_minified(_padded(*events)), MATCH, DAY)
    return decoded.frames[table].filter(pl.col("event_index") < len(events)).row(0, named=True)


def test_one_event_of_each_type_reads_as_a_plain_reading_does() -> None:
    decoded = decode(_minified(ONE_OF_EACH), MATCH, DAY)
    _assert_as_declared(decoded)
    for table, rows in plain_rows(ONE_OF_EACH).items():
        assert rows, table.spec.name
        assert decoded.frames[table].to_dicts() == [{name: row.get(name) for name in table.schema()} for row in rows]


@pytest.mark.parametrize("gone", ["null", "absent"])
def test_null_and_absent_keys_are_the_same(gone: str) -> None:
    def without(event: dict[str, Any], *keys: str) -> dict[str, Any]:
        kept = {key: value for key, value in event.items() if key not in keys}
        return {**kept, **dict.fromkeys(keys, None)} if gone == "null" else kept

    kill = without(ONE_OF_EACH[5], "killer", "finisher", "dBNOMaker", "killerDamageInfo", "finishDamageInfo",
                   "assists_AccountId", "isSuicide", "common")  # fmt: skip
    row = _only(tables.TelemetryKills, kill)
    absent = ["killer_account_id", "killer_x_cm", "finisher_name", "knocker_team_id", "damage_causer_name", "phase",
              "finish_damage_causer_name", "assist_account_ids", "is_suicide"]  # fmt: skip
    assert [row[name] for name in absent] == [None] * len(absent)
    assert row["victim_account_id"] == _person(2)["accountId"]
    item = _only(tables.TelemetryItemUses, without(ONE_OF_EACH[11], "character", "item"))
    assert (item["account_id"], item["item_id"]) == (None, None)


def test_an_actor_with_an_empty_account_is_nobody() -> None:
    nobody = {"name": "", "teamId": 0, "health": 0, "location": {"x": 0, "y": 0, "z": 0}, "accountId": ""}
    row = _only(tables.TelemetryDamage, {**ONE_OF_EACH[8], "attacker": nobody})
    assert (row["attacker_account_id"], row["attacker_name"], row["attacker_team_id"]) == (None, None, None)
    assert row["attacker_x_cm"] is None
    assert _only(tables.TelemetryKills, {**ONE_OF_EACH[4], "killer": nobody})["killer_account_id"] is None


def test_uninitialised_items_stay_as_they_are() -> None:
    item = {"itemId": "", "stackCount": 112953231, "category": "", "subCategory": "", "attachedItems": []}
    row = _only(tables.TelemetryAttacks, {**ONE_OF_EACH[9], "weapon": item})
    assert (row["item_id"], row["category"], row["sub_category"]) == ("", "", "")


def test_the_other_spellings_are_read() -> None:
    kill = {key: value for key, value in ONE_OF_EACH[5].items() if key not in ("finishDamageInfo", "attackId")}
    row = _only(tables.TelemetryKills, {**kill, "finisherDamageInfo": _damage_info("WeapSLR"), "atackId": 77})
    assert (row["finish_damage_causer_name"], row["attack_id"]) == ("WeapSLR", 77)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2018-04-27T09:14:41.7057369+00:00", 705736),
        ("2018-04-27T09:14:41.7057369Z", 705736),
        ("2018-04-27T09:14:41.705Z", 705000),
        ("2018-04-27T09:14:41.705+00:00", 705000),
        ("2018-04-27T09:14:41Z", 0),
    ],
)
def test_every_form_of_time_is_read(text: str, microsecond: int) -> None:
    row = _only(tables.TelemetryLandings, {**ONE_OF_EACH[12], "_D": text})
    assert row["occurred_at"] == datetime(2018, 4, 27, 9, 14, 41, microsecond, tzinfo=UTC)


def test_phases_are_rounded_to_one_digit() -> None:
    for stored, phase in ((0.10000000149011612, 0.1), (0, 0.0), (1.5, 1.5), (7.5, 7.5)):
        assert _only(tables.TelemetryLandings, {**ONE_OF_EACH[12], "common": {"isGame": stored}})["phase"] == phase


BAD_EVENTS: dict[str, tuple[Any, str, type[Table]]] = {
    "health as text": (
        {**ONE_OF_EACH[2], "character": _person(health="100")}, "LogPlayerPosition", tables.TelemetryPositions
    ),
    "no victim": (
        {key: value for key, value in ONE_OF_EACH[8].items() if key != "victim"}, "LogPlayerTakeDamage",
        tables.TelemetryDamage,
    ),
    "null victim": ({**ONE_OF_EACH[6], "victim": None}, "LogPlayerMakeGroggy", tables.TelemetryKnocks),
    "victim without account": (
        {**ONE_OF_EACH[7], "victim": {"name": "x"}}, "LogPlayerRevive", tables.TelemetryRevives
    ),
    "no location": (
        {**ONE_OF_EACH[12], "character": _person(location=None)}, "LogParachuteLanding", tables.TelemetryLandings
    ),
    "time is no time": ({**ONE_OF_EACH[11], "_D": "yesterday"}, "LogItemUse", tables.TelemetryItemUses),
    "time without a zone": (
        {**ONE_OF_EACH[11], "_D": "2025-07-12T17:10:28.700"}, "LogItemUse", tables.TelemetryItemUses
    ),
    "time is a number": ({**ONE_OF_EACH[11], "_D": 17}, "LogItemUse", tables.TelemetryItemUses),
    "no time": (
        {key: value for key, value in ONE_OF_EACH[4].items() if key != "_D"}, "LogPlayerKill", tables.TelemetryKills
    ),
    "number too large": ({**ONE_OF_EACH[9], "attackId": 2**64}, "LogPlayerAttack", tables.TelemetryAttacks),
    "ranking beyond its type": (
        {**ONE_OF_EACH[2], "character": _person(ranking=70_000)}, "LogPlayerPosition", tables.TelemetryPositions
    ),
    "entry without account": (
        {**ONE_OF_EACH[1], "characters": [_person(1), {"character": None}]}, "LogMatchStart", tables.TelemetryCharacters
    ),
    "null entry": ({**ONE_OF_EACH[13], "characters": [None]}, "LogMatchEnd", tables.TelemetryCharacters),
    "game state gone": (_event("LogGameStatePeriodic"), "LogGameStatePeriodic", tables.TelemetryGameStates),
    "definition without time": ({"_T": "LogMatchDefinition"}, "LogMatchDefinition", tables.TelemetryFiles),
    "no type": ({"_D": "2025-07-12T17:10:28.700Z"}, "(none)", tables.TelemetryEventCounts),
    "null type": ({"_T": None}, "(none)", tables.TelemetryEventCounts),
    "type is a number": ({"_T": 5}, "(none)", tables.TelemetryEventCounts),
    "null": (None, "(none)", tables.TelemetryEventCounts),
    "a number": (17, "(none)", tables.TelemetryEventCounts),
    "a list": ([{"_T": "LogHeal"}], "(none)", tables.TelemetryEventCounts),
}  # fmt: skip


@pytest.mark.parametrize(("event", "kind", "table"), BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_bad_event_is_quarantined_and_the_others_load(event: Any, kind: str, table: type[Table]) -> None:
    decoded = decode(_minified(_padded(event)), MATCH, DAY)
    _assert_as_declared(decoded)
    [(of_table, [rejection])] = decoded.rejections.items()
    assert of_table is table
    assert (rejection.unit_id, rejection.scope, rejection.rejected_rows) == (MATCH, "row", 1)
    assert rejection.reason.startswith(f"Event 0, {kind}: ")
    assert json.loads(rejection.content or "") == event
    good = 200
    assert _counts(decoded)[kind] == ((201, 200, 0, 1) if kind == "LogPlayerPosition" else (1, 0, 0, 1))
    assert decoded.frames[tables.TelemetryPositions].get_column("event_index").to_list() == list(range(1, good + 1))


def test_invalid_text_costs_its_event_alone() -> None:
    content = _minified(_padded(ONE_OF_EACH[2])).replace(b'"player1"', b'"pl\xffyer1"', 1)
    decoded = decode(content, MATCH, DAY)
    assert [r.rule for r in decoded.rejections[tables.TelemetryPositions]] == ["event_shape"]
    assert decoded.frames[tables.TelemetryPositions].height == 200


def test_a_long_event_is_cut_in_quarantine() -> None:
    decoded = decode(_minified(_padded({"padding": "ü" * 50_000})), MATCH, DAY)
    assert len(decoded.rejections[tables.TelemetryEventCounts][0].content or "") == 4000


def test_unknown_types_are_counted_and_stop_nothing() -> None:
    events = [*ONE_OF_EACH, *(_event(f"LogNew{number % 300}") for number in range(900))]
    decoded = decode(_minified(events), MATCH, DAY)
    counts = _counts(decoded)
    assert decoded.rejections == {}
    assert all(counts[f"LogNew{number}"] == (3, 0, 3, 0) for number in range(300))
    assert counts["LogHeal"] == (1, 0, 1, 0)


def test_too_many_bad_events_condemn_the_file() -> None:
    bad = BAD_EVENTS["health as text"][0]
    good = [ONE_OF_EACH[2]] * 792 + [_event("LogHeal")]
    within = decode(_minified([*good, *([bad] * 8)]), MATCH, DAY)
    assert within.unreadable_reason is None
    assert within.frames[tables.TelemetryPositions].height == 792

    beyond = decode(_minified([*good, *([bad] * 9)]), MATCH, DAY)
    _assert_as_declared(beyond)
    assert beyond.unreadable_reason is not None
    assert beyond.unreadable_reason.startswith("9 of 802 events could not be read, more than 1%: LogPlayerPosition 9x.")
    [rejection] = beyond.rejections[tables.TelemetryFiles]
    assert rejection.scope == "file"
    assert rejection.rejected_rows == 801
    assert [json.loads(line) for line in (rejection.content or "").splitlines()] == [bad] * 5
    assert all(f.is_empty() for table, f in beyond.frames.items() if table is not tables.TelemetryEventCounts)
    assert _counts(beyond) == {"LogPlayerPosition": (801, 0, 0, 801), "LogHeal": (1, 0, 1, 0)}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"  \n", "an empty file"),
        (b'{"errors": []}', "found"),
        (b"null", "found"),
        (b"<html>", "found"),
        (b"[", "truncated"),
        (_minified(ONE_OF_EACH)[:-1], "truncated"),
        (_minified(ONE_OF_EACH)[:-30], "truncated"),
        (_minified(ONE_OF_EACH)[:-30] + b"]", "malformed"),
        (_minified(ONE_OF_EACH)[:-1] + b",]", "malformed"),
        (_minified(ONE_OF_EACH)[:-1] + b"] [1]", "malformed"),
        (b"[" + b"[" * 5000 + b"]" * 5000 + b"]", "malformed"),
    ],
)
def test_what_is_no_whole_array_is_unreadable(content: bytes, found: str) -> None:
    with pytest.raises(UnreadableTelemetryError, match=found):
        decode(content, MATCH, DAY)


def test_an_empty_array_has_no_events() -> None:
    for content in (b"[]", b" [ ]\n", b"\xef\xbb\xbf[]"):
        decoded = decode(content, MATCH, DAY)
        assert decoded.facts.events == 0
        assert all(frame.is_empty() for frame in decoded.frames.values())


def test_text_that_looks_like_the_end_of_an_event_is_not_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_PIECE_BYTES", 20)
    tricky = '"_T":"LogHeal"},{"_T":"LogHeal"},{'
    nested = [{"a": 1, "_T": "LogHeal"}, {"b": 2, "_T": "LogHeal"}, {"c": 3, "_T": "LogHeal"}, {"d": 4}]
    events = [
        *ONE_OF_EACH,
        _event("LogMatchStart", characters=[_person(1), _person(2)], blueZoneCustomOptions=json.dumps(nested)),
        _event("LogItemUse", character=_person(1, name=tricky), item={**ITEM, "attachedItems": nested}),
        *ONE_OF_EACH,
    ]
    content = _minified(events)
    # Some cuts are wrong: they fall between the nested objects.
    assert any(not _is_array(b"[" + content[1:cut] + b"]") for cut in telemetry._cuts(content))
    decoded = decode(content, MATCH, DAY)
    assert decoded.rejections == {}
    assert decoded.facts.events == len(events)
    for table, rows in plain_rows(events).items():
        assert decoded.frames[table].to_dicts() == [{name: row.get(name) for name in table.schema()} for row in rows]


def _is_array(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


# --------------------------------------------------------------------------- any damage at all


GARBAGE = [None, "", "x", -1, 3.7, 2**70, True, [], {}, [None], {"x": "y"}, "2025-13-45T99:00:00Z"]


def _mutate(events: list[Any], random: Random) -> int:
    """Damage one event in place; its index."""
    index = random.randrange(len(events))
    event = events[index]
    kind = random.choice(["drop", "garbage", "garbage", "replace", "retype"])
    inside = places(event) if isinstance(event, dict) else []
    if kind == "replace" or not inside:
        events[index] = random.choice(GARBAGE)
        return index
    if kind == "retype":
        events[index] = {**event, "_T": random.choice(["LogNew", "", "LogPlayerKillV2", "LogHeal", 4, None])}
        return index
    place = random.choice(inside)
    events[index] = damaged(event, place, "drop" if kind == "drop" else random.choice(GARBAGE))
    return index


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), damages=st.integers(0, 12), pieces=st.sampled_from([300, 5000, 200_000]))
def test_no_damage_stops_the_reading_and_every_event_is_accounted_for(seed: int, damages: int, pieces: int) -> None:
    random = Random(seed)
    events: list[Any] = ONE_OF_EACH * 40
    if random.random() < 0.5:
        random.shuffle(events)
    damaged = {_mutate(events, random) for _ in range(damages)}
    content = json.dumps(events, separators=random.choice([(",", ":"), (", ", ": ")])).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "_PIECE_BYTES", pieces)
        decoded = decode(content, MATCH, DAY)
    _assert_as_declared(decoded)

    types = Counter(
        event["_T"] if isinstance(event, dict) and isinstance(event.get("_T"), str) and event["_T"] else "(none)"
        for event in events
    )
    counts = _counts(decoded)
    assert {name: events for name, (events, *_) in counts.items()} == dict(types)
    assert all(all_ == kept + passed + bad for all_, kept, passed, bad in counts.values())
    assert decoded.facts.events == len(events)

    if decoded.unreadable_reason is not None:
        assert len(damaged) > 0.01 * len(events)
        assert [r.scope for r in decoded.rejections[tables.TelemetryFiles]] == ["file"]
        return
    rejected = sum(len(rejections) for rejections in decoded.rejections.values())
    assert rejected == sum(bad for *_, bad in counts.values()) <= len(damaged)
    for names, table in (
        (["LogPlayerPosition"], tables.TelemetryPositions),
        (["LogPlayerKill", "LogPlayerKillV2"], tables.TelemetryKills),
        (["LogPlayerTakeDamage"], tables.TelemetryDamage),
        (["LogPlayerAttack", "LogPlayerUseThrowable"], tables.TelemetryAttacks),
        (["LogItemUse"], tables.TelemetryItemUses),
    ):
        assert decoded.frames[table].height == sum(counts.get(name, (0, 0))[1] for name in names)
    undamaged = [event if index not in damaged else {"_T": "LogHeal"} for index, event in enumerate(events)]
    for index, event in enumerate(undamaged):
        undamaged[index] = event if isinstance(event, dict) else {"_T": "LogHeal"}
    for table, rows in plain_rows([{"_D": "2025-07-12T17:10:28.700Z", **event} for event in undamaged]).items():
        found = decoded.frames[table].filter(~pl.col("event_index").is_in(sorted(damaged)))
        assert found.to_dicts() == [{name: row.get(name) for name in table.schema()} for row in rows], table.spec.name
