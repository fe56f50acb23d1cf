"""Decoding one timeline: against a plain reading of real files, and with damaged ones."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import check_schema, screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.tables import TimelineEventCounts, TimelineEvents, TimelineFiles, TimelineFrames
from gamestats_assets.lol.timelines import timeline
from gamestats_assets.lol.timelines.timeline import DecodedTimeline, UnreadableTimelineError, decode, rows_of

DAY = date(2023, 7, 14)
MATCH = "NA1_47101"
Document = dict[str, Any]
Frames = dict[type[Table], pl.DataFrame]

# --------------------------------------------------------------------------- a plain reading, the expectation

EVENT = {
    "victim_id": "victimId", "assisting_participant_ids": "assistingParticipantIds", "team_id": "teamId",
    "killer_team_id": "killerTeamId", "item_id": "itemId", "before_id": "beforeId", "after_id": "afterId",
    "gold_gain": "goldGain", "level": "level", "skill_slot": "skillSlot", "level_up_type": "levelUpType",
    "ward_type": "wardType", "monster_type": "monsterType", "monster_sub_type": "monsterSubType",
    "building_type": "buildingType", "tower_type": "towerType", "lane_type": "laneType", "kill_type": "killType",
    "multi_kill_length": "multiKillLength", "kill_streak_length": "killStreakLength", "bounty": "bounty",
    "shutdown_bounty": "shutdownBounty", "transform_type": "transformType", "name": "name",
    "winning_team_id": "winningTeam",
}  # fmt: skip
STATE = {
    "level": "level", "xp": "xp", "total_gold": "totalGold", "current_gold": "currentGold",
    "gold_per_second": "goldPerSecond", "lane_minions_killed": "minionsKilled",
    "jungle_minions_killed": "jungleMinionsKilled", "time_enemy_spent_controlled_ms": "timeEnemySpentControlled",
}  # fmt: skip
DAMAGE = {
    "damage_to_champions": "totalDamageDoneToChampions",
    "physical_damage_to_champions": "physicalDamageDoneToChampions",
    "magic_damage_to_champions": "magicDamageDoneToChampions",
    "true_damage_to_champions": "trueDamageDoneToChampions",
    "damage_dealt": "totalDamageDone", "damage_taken": "totalDamageTaken",
}  # fmt: skip
CHAMPION = {
    "health": "health", "health_max": "healthMax", "power": "power", "power_max": "powerMax",
    "attack_damage": "attackDamage", "attack_speed": "attackSpeed", "ability_power": "abilityPower",
    "ability_haste": "abilityHaste", "armor": "armor", "magic_resist": "magicResist",
    "movement_speed": "movementSpeed",
}  # fmt: skip


def _spot(given: Document) -> Document:
    position = given.get("position") or {}
    return {"position_x": position.get("x"), "position_y": position.get("y")}


def _first(given: Document, *keys: str) -> Any:
    return next((given[key] for key in keys if given.get(key) is not None), None)


def _event_row(event: Document) -> Document:
    clock = event.get("realTimestamp")
    return {
        "timestamp_ms": event["timestamp"],
        "event_type": event["type"],
        "participant_id": _first(event, "participantId", "creatorId", "killerId"),
        **{column: event.get(key) for column, key in EVENT.items()},
        "occurred_at": None if clock is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=clock),
        **_spot(event),
    }


def _state_row(state: Document) -> Document:
    damage, champion = state.get("damageStats") or {}, state.get("championStats") or {}
    return {
        "participant_id": state["participantId"],
        **{column: state.get(key) for column, key in STATE.items()},
        **_spot(state),
        **{column: damage.get(key) for column, key in DAMAGE.items()},
        **{column: champion.get(key) for column, key in CHAMPION.items()},
    }


def _plain_rows(document: Document, known: frozenset[str] = timeline.KNOWN_TYPES) -> dict[type[Table], list[Document]]:
    match = {"match_id": document["metadata"]["matchId"], "match_date": DAY}
    frames = document["info"]["frames"]
    events = [(number, event) for number, frame in enumerate(frames) for event in frame.get("events") or []]
    counts = sorted(Counter(event["type"] for _, event in events).items())
    return {
        TimelineFrames: [
            {**match, "frame_index": number, "timestamp_ms": frame["timestamp"], **_state_row(state)}
            for number, frame in enumerate(frames)
            for state in (frame.get("participantFrames") or {}).values()
        ],
        TimelineEvents: [
            {**match, "event_index": index, "frame_index": number, **_event_row(event)}
            for index, (number, event) in enumerate(events)
        ],
        TimelineEventCounts: [
            {**match, "event_type": kind, "is_known": kind in known, "events": events, "quarantined": 0}
            for kind, events in counts
        ],
    }


def _assert_rows(frames: Frames, expected: dict[type[Table], list[Document]]) -> None:
    for table, rows in expected.items():
        assert set(rows[0] if rows else table.schema()) == set(table.schema()), table.spec.name
        assert frames[table].equals(pl.DataFrame(rows, schema=table.schema())), table.spec.name


def _assert_as_declared(frames: Frames) -> None:
    assert tuple(frames) == timeline.TABLES
    for table, frame in frames.items():
        check_schema(table, frame.schema)
        assert frame.columns == table.column_names()


def _events(frames: Frames, *columns: str) -> list[tuple[Any, ...]]:
    return frames[TimelineEvents].select(columns).rows()


def _counts(frames: Frames) -> dict[str, tuple[bool, int, int]]:
    result = frames[TimelineEventCounts].select("event_type", "is_known", "events", "quarantined")
    return {kind: (is_known, events, bad) for kind, is_known, events, bad in result.rows()}


# --------------------------------------------------------------------------- real files


@pytest.fixture(scope="module")
def real(realdata: Path) -> dict[str, bytes]:
    """Real timelines by match id."""
    return {
        path.name.partition(".")[0]: gzip.decompress(path.read_bytes())
        for path in sorted((realdata / "lol" / "timelines").glob("*.json.gz"))
    }


def test_every_row_of_every_real_timeline_is_what_a_plain_reading_gives(real: dict[str, bytes]) -> None:
    decoded = [decode(content, match_id, DAY) for match_id, content in real.items()]
    assert len(decoded) >= 40
    assert [(each.rejections, each.unreadable_reason, dict(each.quarantined)) for each in decoded] == [
        ({}, None, {})
    ] * len(decoded)
    frames = rows_of(decoded)
    _assert_as_declared(frames)
    expected: dict[type[Table], list[Document]] = {table: [] for table in timeline.TABLES}
    for content, each in zip(real.values(), decoded, strict=True):
        document = json.loads(content)
        for table, rows in _plain_rows(document).items():
            expected[table] += rows
        result = document["info"]["frames"]
        assert each.facts == {
            "frame_interval_ms": document["info"]["frameInterval"],
            "frames": len(result),
            "events": sum(len(frame["events"]) for frame in result),
            "last_timestamp_ms": max(frame["timestamp"] for frame in result),
        }
    _assert_rows(frames, expected)
    assert all(screen(table, frame).rejections == [] for table, frame in frames.items())


def test_the_whole_and_the_piecewise_reading_give_the_same(
    real: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows_of([decode(content, match_id, DAY) for match_id, content in real.items()])
    monkeypatch.setattr(timeline, "_WHOLE", msgspec.json.Decoder(int))
    piecewise = rows_of([decode(content, match_id, DAY) for match_id, content in real.items()])
    assert all(whole[table].equals(piecewise[table]) for table in timeline.TABLES)


# --------------------------------------------------------------------------- made-up files


def _state(number: int = 1, **changes: Any) -> Document:
    return {
        "participantId": number, "level": 3, "xp": 900, "totalGold": 1500, "currentGold": -5, "goldPerSecond": 0,
        "minionsKilled": 12, "jungleMinionsKilled": 4, "timeEnemySpentControlled": 800,
        "position": {"x": 100 + number, "y": -3},
        "damageStats": {key: 10 + place for place, key in enumerate(DAMAGE.values())},
        "championStats": {key: 20 + place for place, key in enumerate(CHAMPION.values())} | {"armorPen": 0},
        **changes,
    }  # fmt: skip


ONE_OF_EACH: list[Document] = [
    {"realTimestamp": 1689378600030, "timestamp": 0, "type": "PAUSE_END"},
    {"itemId": 1055, "participantId": 1, "timestamp": 5, "type": "ITEM_PURCHASED"},
    {"itemId": 2003, "participantId": 1, "timestamp": 6, "type": "ITEM_DESTROYED"},
    {"itemId": 1055, "participantId": 1, "timestamp": 7, "type": "ITEM_SOLD"},
    {"afterId": 0, "beforeId": 1055, "goldGain": -450, "participantId": 1, "timestamp": 8, "type": "ITEM_UNDO"},
    {"levelUpType": "NORMAL", "participantId": 2, "skillSlot": 1, "timestamp": 9, "type": "SKILL_LEVEL_UP"},
    {"level": 2, "participantId": 2, "timestamp": 10, "type": "LEVEL_UP"},
    {"creatorId": 3, "timestamp": 11, "type": "WARD_PLACED", "wardType": "YELLOW_TRINKET"},
    {"killerId": 4, "timestamp": 12, "type": "WARD_KILL", "wardType": "CONTROL_WARD"},
    {"assistingParticipantIds": [2, 3], "bounty": 300, "killStreakLength": 1, "killerId": 1,
     "position": {"x": 1, "y": 2}, "shutdownBounty": 150, "timestamp": 13, "type": "CHAMPION_KILL", "victimId": 6,
     "victimDamageDealt": [{"basic": True, "name": "Vi"}], "victimDamageReceived": [{"name": "]}\\\""}]},
    {"killerId": 0, "timestamp": 14, "type": "CHAMPION_KILL", "victimId": 7, "position": None},
    {"killType": "KILL_MULTI", "killerId": 1, "multiKillLength": 2, "position": {"x": 5, "y": 6}, "timestamp": 15,
     "type": "CHAMPION_SPECIAL_KILL"},
    {"bounty": 0, "killerId": 1, "killerTeamId": 300, "monsterSubType": "FIRE_DRAGON", "monsterType": "DRAGON",
     "position": {"x": 7, "y": 8}, "timestamp": 16, "type": "ELITE_MONSTER_KILL"},
    {"buildingType": "TOWER_BUILDING", "killerId": 1, "laneType": "MID_LANE", "position": {"x": 9, "y": 10},
     "teamId": 200, "timestamp": 17, "towerType": "OUTER_TURRET", "type": "BUILDING_KILL"},
    {"killerId": 1, "laneType": "MID_LANE", "position": {"x": 9, "y": 10}, "teamId": 200, "timestamp": 18,
     "type": "TURRET_PLATE_DESTROYED"},
    {"name": "Hextech", "teamId": 0, "timestamp": 19, "type": "DRAGON_SOUL_GIVEN"},
    {"participantId": 5, "timestamp": 20, "transformType": "SLAYER", "type": "CHAMPION_TRANSFORM"},
    {"actualStartTime": 5000, "teamId": 100, "timestamp": 21, "type": "OBJECTIVE_BOUNTY_PRESTART"},
    {"featType": 1, "featValue": 3, "teamId": 100, "timestamp": 22, "type": "FEAT_UPDATE"},
    {"gameId": 47101, "realTimestamp": 1689380100000, "timestamp": 23, "type": "GAME_END", "winningTeam": 100},
]  # fmt: skip


def _document(*frames: list[Any], states: list[Document] | None = None, match_id: str = MATCH, **info: Any) -> Document:
    """A timeline of frames a minute apart, each with the events given and one participant's state."""
    result = [
        {
            "events": events,
            "participantFrames": {str(each["participantId"]): each for each in states or [_state()]},
            "timestamp": 60_000 * number,
        }
        for number, events in enumerate(frames)
    ]
    return {"metadata": {"matchId": match_id}, "info": {"frameInterval": 60_000, "frames": result, **info}}


def _bytes(document: Any, spaced: bool = False) -> bytes:
    return json.dumps(document, separators=(", ", ": ") if spaced else (",", ":")).encode()


def _decode(document: Any, match_id: str = MATCH) -> tuple[DecodedTimeline, Frames]:
    decoded = decode(_bytes(document), match_id, DAY)
    frames = rows_of([decoded])
    _assert_as_declared(frames)
    return decoded, frames


def _padded(*events: Any) -> list[Any]:
    """Events before enough good ones for bad ones to stay within the tolerance."""
    return [*events, *([ONE_OF_EACH[1]] * 20 * len(events))]


def test_frames_without_events_or_participants_and_files_without_frames_are_timelines() -> None:
    document = _document([], [ONE_OF_EACH[1]])
    document["info"]["frames"][0] |= {"participantFrames": None, "events": None}
    del document["info"]["frames"][1]["participantFrames"]
    del document["info"]["frameInterval"]
    decoded, frames = _decode(document)
    _assert_rows(frames, _plain_rows(document))
    assert decoded.facts == {"frame_interval_ms": None, "frames": 2, "events": 1, "last_timestamp_ms": 60_000}
    decoded, frames = _decode(_document())
    assert decoded.facts == {"frame_interval_ms": 60_000, "frames": 0, "events": 0, "last_timestamp_ms": None}
    assert all(frame.is_empty() for frame in frames.values())
    assert all(frame.is_empty() for frame in rows_of([]).values())


@pytest.mark.parametrize(
    "new",
    [
        {"type": "NASHOR_DANCE", "timestamp": 3, "participantId": 4, "mood": {"deep": [1]}},
        {"type": "WARD_PLACED", "timestamp": 3, "creatorId": 4, "wardType": "X", "position": {"x": 1, "y": 2}},
        {"type": "ITEM_PURCHASED", "timestamp": 3, "participantId": 4, "itemId": 5, "goldSpent": {"a": 1}},
    ],
    ids=["kind", "known key", "unknown key"],
)
def test_what_is_new_in_one_event_changes_no_other(new: Document) -> None:
    document = _document(ONE_OF_EACH, [new, *ONE_OF_EACH])
    decoded, frames = _decode(document)
    assert decoded.rejections == {}
    _assert_rows(frames, _plain_rows(document))
    assert _counts(frames)[new["type"]][0] == (new["type"] != "NASHOR_DANCE")


BIG = 2**31
BAD_EVENTS: dict[str, tuple[Any, str]] = {
    "item as text": ({**ONE_OF_EACH[1], "itemId": "1055"}, "ITEM_PURCHASED"),
    "item beyond 32 bits": ({**ONE_OF_EACH[1], "itemId": BIG}, "ITEM_PURCHASED"),
    "item with a fraction": ({**ONE_OF_EACH[1], "itemId": 1.5}, "ITEM_PURCHASED"),
    "participant beyond 16 bits": ({**ONE_OF_EACH[1], "participantId": 2**15}, "ITEM_PURCHASED"),
    "an assistant beyond 16 bits": ({**ONE_OF_EACH[9], "assistingParticipantIds": [1, 2**15]}, "CHAMPION_KILL"),
    "position beyond 32 bits": ({**ONE_OF_EACH[9], "position": {"x": BIG, "y": 0}}, "CHAMPION_KILL"),
    "time beyond 64 bits": ({**ONE_OF_EACH[6], "timestamp": 2**63}, "LEVEL_UP"),
    "clock after 2262": ({**ONE_OF_EACH[0], "realTimestamp": 9_300_000_000_000}, "PAUSE_END"),
    "no time": ({"type": "LEVEL_UP", "level": 3}, "LEVEL_UP"),
    "no type": ({"timestamp": 3}, "(none)"),
    "type is a number": ({"type": 3, "timestamp": 3}, "(none)"),
    "a number": (17, "(none)"),
}


@pytest.mark.parametrize(("event", "kind"), BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_bad_event_is_quarantined_and_the_others_load(event: Any, kind: str) -> None:
    decoded, frames = _decode(_document([ONE_OF_EACH[0]], _padded(event)))
    assert decoded.unreadable_reason is None
    [(table, [rejection])] = decoded.rejections.items()
    assert table is TimelineEvents
    assert (rejection.unit_id, rejection.scope, rejection.rule) == (MATCH, "row", "event_shape")
    assert rejection.rejected_rows == 1
    assert rejection.reason.startswith("Event 1 of frame 1: ")
    assert json.loads(rejection.content or "") == event
    assert _events(frames, "event_index", "frame_index") == [(0, 0), *((index, 1) for index in range(2, 22))]
    assert frames[TimelineFrames].height == 2
    of_kind = {"ITEM_PURCHASED": 20, "PAUSE_END": 1}.get(kind, 0)
    assert _counts(frames)[kind] == (kind != "(none)", of_kind + 1, 1)
    assert decoded.facts["events"] == 22


@pytest.mark.parametrize("edge", [BIG - 1, -BIG])
def test_the_largest_and_smallest_numbers_are_kept(edge: int) -> None:
    clock = {"type": "PAUSE_START", "timestamp": 2**63 - 1, "realTimestamp": 9_214_646_400_000}
    states = [_state(totalGold=edge, position={"x": edge, "y": edge})]
    document = _document([{**ONE_OF_EACH[4], "goldGain": edge}, clock], states=states)
    _assert_rows(_decode(document)[1], _plain_rows(document))


@pytest.mark.parametrize(
    "changes",
    [{"level": "3"}, {"totalGold": BIG}, {"participantId": None}, {"position": [1, 2]},
     {"damageStats": {"totalDamageDone": 1.5}}, {"championStats": 7}],
)  # fmt: skip
def test_a_bad_frame_of_a_participant_is_quarantined_and_the_others_load(changes: Document) -> None:
    document = _document(ONE_OF_EACH, states=[_state(1), _state(2), _state(3)])
    bad = _state(2, **changes)
    document["info"]["frames"][0]["participantFrames"]["2"] = bad
    decoded, frames = _decode(document)
    [(table, [rejection])] = decoded.rejections.items()
    assert table is TimelineFrames
    assert (rejection.scope, rejection.rule, rejection.rejected_rows) == ("row", "participant_frame_shape", 1)
    assert rejection.reason.startswith("Participant 2 of frame 0: ")
    assert json.loads(rejection.content or "") == bad
    del document["info"]["frames"][0]["participantFrames"]["2"]
    _assert_rows(frames, _plain_rows(document))


@pytest.mark.parametrize(("bad", "is_condemned"), [(5, False), (6, True)])
def test_more_than_one_bad_event_in_twenty_condemns_the_timeline(bad: int, is_condemned: bool) -> None:
    events = [*([{**ONE_OF_EACH[6], "level": "x"}] * bad), *([ONE_OF_EACH[1]] * (100 - bad))]
    decoded, frames = _decode(_document(events))
    assert (decoded.unreadable_reason is not None) == is_condemned
    assert _counts(frames) == {
        "ITEM_PURCHASED": (True, 100 - bad, (100 - bad) * is_condemned),
        "LEVEL_UP": (True, bad, bad),
    }
    assert decoded.facts["events"] == 100
    if not is_condemned:
        assert (frames[TimelineEvents].height, frames[TimelineFrames].height) == (95, 1)
        return
    assert decoded.unreadable_reason is not None
    assert decoded.unreadable_reason.startswith("6 of 100 events cannot be read, more than 5%: Event 0 of frame 0: ")
    [(table, [rejection])] = decoded.rejections.items()
    assert (table, rejection.scope, rejection.rejected_rows) == (TimelineFiles, "file", 100)
    assert (frames[TimelineEvents].height, frames[TimelineFrames].height) == (0, 0)


SOUND = _bytes(_document(ONE_OF_EACH, ONE_OF_EACH))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"  \n", b"null", b"[]", b"{}", b"<html>", b"\xff\xfe", b'{"metadata": {}, "info": {"frames": []}}',
        b'{"metadata": {"matchId": "NA1_47101"}, "info": {}}', b'{"metadata": {"matchId": "NA1_47101"}}',
        b'{"metadata": {"matchId": "NA1_47101"}, "info": {"frames": [{"events": []}]}}',
        b'{"metadata": {"matchId": "NA1_47101"}, "info": {"frames": [null]}}',
        b'{"metadata": {"matchId": 5}, "info": {"frames": []}}', SOUND[:-1], SOUND[:-1] + b"]", SOUND + b"{}",
        b'{"status": {"message": "Forbidden", "status_code": 403}}',
        b'{"metadata": {"matchId": "NA1_47101"}, "info": {"frames": ' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_timeline_is_unreadable_and_says_so(content: bytes) -> None:
    with pytest.raises(UnreadableTimelineError, match="Expected a timeline of match-v5, with metadata and info"):
        decode(content, MATCH, DAY)


def test_the_timeline_of_another_match_is_refused() -> None:
    with pytest.raises(UnreadableTimelineError, match="Expected the timeline of KR_9, found that of NA1_47101"):
        decode(SOUND, "KR_9", DAY)
