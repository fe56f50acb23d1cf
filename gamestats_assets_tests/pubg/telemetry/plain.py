"""A plain reading of telemetry, one key after the other: what decoding must give."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.telemetry import telemetry

DAY = date(2025, 7, 12)
MATCH = "match-1"


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _base(index: int, event: dict[str, Any]) -> dict[str, Any]:
    is_game = (event.get("common") or {}).get("isGame")
    return {
        "match_id": MATCH,
        "match_date": DAY,
        "event_index": index,
        "occurred_at": time_of(event["_D"]),
        "phase": None if is_game is None else round(is_game, 1),
    }


def _who(person: dict[str, Any] | None, role: str) -> dict[str, Any]:
    if not person or (not person.get("accountId") and role not in ("victim_", "")):
        person = {}
    return {
        f"{role}account_id": person.get("accountId"),
        f"{role}name" if role else "player_name": person.get("name"),
        f"{role}team_id": person.get("teamId"),
    }


def _kind(person: dict[str, Any] | None) -> str | None:
    return person.get("type") if person and person.get("accountId") else None


def _where(person: dict[str, Any] | None, role: str = "") -> dict[str, Any]:
    spot = (person.get("location") if person and person.get("accountId") else None) or {}
    return {f"{role}{axis}_cm": spot.get(axis) for axis in "xyz"}


def _what(damage: dict[str, Any] | None, prefix: str = "") -> dict[str, Any]:
    damage = damage or {}
    return {
        f"{prefix}damage_causer_name": damage.get("damageCauserName"),
        f"{prefix}damage_type_category": damage.get("damageTypeCategory"),
    }


def _assistants(event: dict[str, Any]) -> list[str]:
    account_id = (event.get("assistant") or {}).get("accountId")
    return [account_id] if account_id else []


def _kill(event: dict[str, Any]) -> dict[str, Any]:
    second = event["_T"] == "LogPlayerKillV2"
    damage = (event.get("killerDamageInfo") if second else event) or {}
    finish = (event.get("finishDamageInfo") or event.get("finisherDamageInfo") or {}) if second else {}
    victim, killer = event["victim"], event.get("killer")
    return {
        "event_version": 2 if second else 1,
        "attack_id": event.get("attackId"),
        "dbno_id": event.get("dBNOId"),
        **_who(victim, "victim_"),
        "victim_type": _kind(victim),
        **_where(victim, "victim_"),
        "victim_ranking": victim.get("ranking"),
        **_who(killer, "killer_"),
        "killer_type": _kind(killer),
        **_where(killer, "killer_"),
        **_who(event.get("finisher"), "finisher_"),
        **_who(event.get("dBNOMaker"), "knocker_"),
        **_what(damage),
        "damage_reason": damage.get("damageReason"),
        "distance_cm": damage.get("distance"),
        **_what(finish, "finish_"),
        "is_suicide": event.get("isSuicide"),
        "assist_account_ids": event.get("assists_AccountId") if second else _assistants(event),
        "team_killer_account_ids": event.get("teamKillers_AccountId"),
    }


def plain_rows(events: list[dict[str, Any]]) -> dict[type[Table], list[dict[str, Any]]]:
    """The rows of every telemetry table but the counts."""
    rows: dict[type[Table], list[dict[str, Any]]] = {
        table: [] for table in telemetry.TABLES if table is not t.TelemetryEventCounts
    }
    for index, e in enumerate(events):
        base = _base(index, e)
        match e["_T"]:
            case "LogPlayerPosition":
                c = e["character"]
                row = {
                    **_who(c, ""), **_where(c), "character_type": _kind(c), "health": c.get("health"),
                    "ranking": c.get("ranking"), "is_in_vehicle": c.get("isInVehicle"),
                    "is_in_blue_zone": c.get("isInBlueZone"), "elapsed_time_s": e.get("elapsedTime"),
                    "alive_players": e.get("numAlivePlayers"),
                }  # fmt: skip
                rows[t.TelemetryPositions].append({**base, **row})
            case "LogGameStatePeriodic":
                s = e["gameState"]
                row = {
                    "elapsed_time_s": s.get("elapsedTime"), "alive_teams": s.get("numAliveTeams"),
                    "alive_players": s.get("numAlivePlayers"),
                    "safety_zone_x_cm": s["safetyZonePosition"]["x"], "safety_zone_y_cm": s["safetyZonePosition"]["y"],
                    "safety_zone_radius_cm": s["safetyZoneRadius"],
                    "poison_gas_warning_x_cm": s["poisonGasWarningPosition"]["x"],
                    "poison_gas_warning_y_cm": s["poisonGasWarningPosition"]["y"],
                    "poison_gas_warning_radius_cm": s["poisonGasWarningRadius"],
                    "red_zone_x_cm": s["redZonePosition"]["x"], "red_zone_y_cm": s["redZonePosition"]["y"],
                    "red_zone_radius_cm": s["redZoneRadius"],
                }  # fmt: skip
                rows[t.TelemetryGameStates].append({**base, **row})
            case "LogPlayerKill" | "LogPlayerKillV2":
                rows[t.TelemetryKills].append({**base, **_kill(e)})
            case "LogPlayerMakeGroggy":
                row = {
                    "attack_id": e.get("attackId"), "dbno_id": e.get("dBNOId"), **_who(e["victim"], "victim_"),
                    "victim_type": _kind(e["victim"]), **_who(e.get("attacker"), "attacker_"),
                    "attacker_type": _kind(e.get("attacker")), **_what(e), "damage_reason": e.get("damageReason"),
                    "distance_cm": e.get("distance"),
                }  # fmt: skip
                rows[t.TelemetryKnocks].append({**base, **row})
            case "LogPlayerRevive":
                row = {"dbno_id": e.get("dBNOId"), **_who(e.get("reviver"), "reviver_"), **_who(e["victim"], "victim_")}
                rows[t.TelemetryRevives].append({**base, **row})
            case "LogPlayerTakeDamage":
                row = {
                    "attack_id": e.get("attackId"), **_who(e.get("attacker"), "attacker_"),
                    "attacker_type": _kind(e.get("attacker")), **_where(e.get("attacker"), "attacker_"),
                    **_who(e["victim"], "victim_"), "victim_type": _kind(e["victim"]), **_where(e["victim"], "victim_"),
                    "victim_health": e["victim"].get("health"), "damage": e["damage"], **_what(e),
                    "damage_reason": e.get("damageReason"),
                }  # fmt: skip
                rows[t.TelemetryDamage].append({**base, **row})
            case "LogPlayerAttack" | "LogPlayerUseThrowable":
                weapon = e.get("weapon") or {}
                who = _who(e.get("attacker") if (e.get("attacker") or {}).get("accountId") else None, "")
                row = {
                    "event_type": e["_T"], "attack_id": e.get("attackId"), **who, "attack_type": e.get("attackType"),
                    "item_id": weapon.get("itemId"), "category": weapon.get("category"),
                    "sub_category": weapon.get("subCategory"),
                }  # fmt: skip
                rows[t.TelemetryAttacks].append({**base, **row})
            case "LogItemUse":
                item = e.get("item") or {}
                row = {
                    **_who(e.get("character"), ""), "item_id": item.get("itemId"),
                    "stack_count": item.get("stackCount"),
                    "category": item.get("category"), "sub_category": item.get("subCategory"),
                }  # fmt: skip
                rows[t.TelemetryItemUses].append({**base, **row})
            case "LogParachuteLanding":
                c = e["character"]
                row = {
                    **_who(c, ""), **_where(c), "character_type": _kind(c), "parachute_distance_m": e.get("distance"),
                }  # fmt: skip
                rows[t.TelemetryLandings].append({**base, **row})
            case "LogMatchStart" | "LogMatchEnd":
                for place, entry in enumerate(e["characters"]):
                    c = entry.get("character", entry)
                    row = {
                        **_who(c, ""), "list_index": place, "moment": "start" if e["_T"] == "LogMatchStart" else "end",
                        "character_type": _kind(c), "ranking": c.get("ranking"),
                        "individual_ranking": c.get("individualRanking"), "health": c.get("health"),
                    }  # fmt: skip
                    rows[t.TelemetryCharacters].append({**base, **row})
    return rows
