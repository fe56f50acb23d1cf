"""Simulated League of Legends matches as silver tables, without the way through files.

Columns and types are written out here, and not taken from where tables are declared. Gold differences are interpolated
between the same frames that the files have, so they are the same but for the last bits of a number. What is not: in
files `event_index` of objectives counts every event, and here objectives alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lol.simulation.reference import CHAMPIONS, ITEMS, POSITIONS, TURNS_INTO
from gamestats_assets.lol.simulation.story import (
    ARAM,
    BOTS,
    DRAGONS,
    LEVELS,
    OBJECTIVE_KINDS,
    ORDERS,
    RANKED,
    TOWERS,
    Flags,
    Floats,
    Ints,
    Story,
    frame_before,
    interpolated,
    skill_levels,
)

QUEUE_GROUPS: Mapping[int, str] = {RANKED: "ranked_solo", ARAM: "aram", BOTS: "bots"}
"""Group of each queue that is played."""
_TYPES: Mapping[str, Any] = {
    "str": pl.String(),
    "date": pl.Date(),
    "at": pl.Datetime("us", "UTC"),
    "bool": pl.Boolean(),
    "i16": pl.Int16(),
    "i32": pl.Int32(),
    "f64": pl.Float64(),
    "i16s": pl.List(pl.Int16()),
    "i32s": pl.List(pl.Int32()),
    "strs": pl.List(pl.String()),
}
_COLUMNS: Mapping[str, str] = {
    "matches": """
        match_id:str match_date:date platform_id:str game_version:str patch:str queue_id:i32 queue_group:str
        has_positions:bool map_id:i32 game_mode:str started_at:at duration_s:f64 winning_team_id:i32 participants:i16
        is_remake:bool is_aborted:bool has_timeline:bool in_statistics:bool data_dragon_version:str version_is:str
    """,
    "participants": """
        match_id:str match_date:date participant_id:i16 puuid:str riot_id:str team_id:i16 subteam_id:i32 placement:i32
        won:bool champion_id:i32 champion_key:str position:str opponent_participant_id:i16 champion_level:i32 kills:i32
        deaths:i32 assists:i32 kda:f64 kill_participation:f64 damage_to_champions:i32 dpm:f64 damage_share:f64
        damage_taken_per_minute:f64 gold_earned:i32 gold_per_minute:f64 cs:i32 cs_per_minute:f64 vision_score:i32
        vision_per_minute:f64 wards_placed:i32 wards_killed:i32 control_wards_bought:i32 deaths_per_minute:f64
        time_dead_share:f64 damage_to_objectives:i32 keystone_id:i32 summoner1_id:i32 summoner2_id:i32 first_blood:bool
        gold_at_10:f64 gold_at_15:f64 gold_at_20:f64 xp_at_10:f64 xp_at_15:f64 cs_at_10:f64 cs_at_15:f64
        lane_gold_diff_at_10:f64 lane_gold_diff_at_15:f64 lane_gold_diff_at_20:f64 team_gold_diff_at_10:f64
        team_gold_diff_at_15:f64 team_gold_diff_at_20:f64
    """,
    "item_builds": """
        match_id:str match_date:date participant_id:i16 item_id:i32 kind:str completion:i16 core_order:i16
        is_transformation:bool transformed_from:i32 completed_at_s:f64 left_at_s:f64 team_gold_diff:f64
        lane_gold_diff:f64 items_version:str
    """,
    "skill_orders": """
        match_id:str match_date:date participant_id:i16 levels:str first_levels:str max_order:str is_complete:bool
        first_maxed:str first_maxed_at_s:f64 first_maxed_team_gold_diff:f64 second_maxed_at_s:f64 trigrams:strs
        dropped_events:i32
    """,
    "objectives": """
        match_id:str match_date:date patch:str queue_group:str in_statistics:bool event_index:i32 objective:str
        sub_type:str number_in_match:i16 number_of_team:i16 team_id:i16 killer_participant_id:i16 participant_ids:i16s
        at_s:f64 team_gold_diff_before:f64 won:bool
    """,
    "team_coordination": """
        match_id:str match_date:date team_id:i16 won:bool kills:i32 assists_per_kill:f64 assisted_kill_share:f64
        fights:i32 kills_together_share:f64 members_per_fight:f64 objectives:i32 objective_participation:f64
        synchronisation:f64
    """,
    "items": """
        version:str patch:str item_id:i32 name:str name_ko:str kind:str gold_total:i32 from_ids:i32s
        transformed_from:i32 upgraded_from:i32 goes_by_itself:bool required_champion:str
    """,
    "champions": "version:str patch:str champion_id:i32 champion_key:str name:str name_ko:str max_ranks:i32s",
}
SCHEMAS: Mapping[str, pl.Schema] = {
    table: pl.Schema({name: _TYPES[kind] for name, _, kind in (each.partition(":") for each in columns.split())})
    for table, columns in _COLUMNS.items()
}
"""Columns and types of every table."""
_FIGHT_GAP_MS = 15_000
_EPIC = ("dragon", "herald", "grubs", "baron")


def silver(story: Story) -> dict[str, pl.DataFrame]:
    """Silver and reference tables of a story, by name.

    `matches`, `participants`, `item_builds`, `skill_orders`, `objectives`, `team_coordination`, and the reference
    tables `items` and `champions`. Rows are in the order of match, participant and time.
    """
    told = _Tables(story)
    frames = {
        "matches": told.matches(),
        "participants": told.participants(),
        "item_builds": told.item_builds(),
        "skill_orders": told.skill_orders(),
        "objectives": told.objectives(),
        "team_coordination": told.team_coordination(),
        **reference(story.plan.versions),
    }
    return {table: _cast(table, columns) for table, columns in frames.items()}


def _cast(table: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    schema = SCHEMAS[table]
    return pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in schema.items())


def reference(versions: list[str]) -> dict[str, dict[str, Any]]:
    """Columns of the items and champions of versions of Data Dragon."""
    items = [
        {
            "version": version,
            "patch": _patch_of(version),
            "item_id": item.item_id,
            "name": item.name,
            "name_ko": item.name_ko,
            "kind": item.kind,
            "gold_total": item.gold_total,
            "from_ids": list(item.recipe),
            "transformed_from": item.transformed_from or None,
            "upgraded_from": None,
            # Potions and wards are used up, and the jungle's starters eaten.
            "required_champion": None,
            "goes_by_itself": (item.kind == "consumable" and item.item_id != 2031) or "Jungle" in item.tags[:1],
        }
        for version in versions
        for item in ITEMS.values()
    ]
    champions = [
        {
            "version": version,
            "patch": _patch_of(version),
            "champion_id": champion.champion_id,
            "champion_key": champion.key,
            "name": champion.name,
            "name_ko": champion.name_ko,
            "max_ranks": [5, 5, 5, 3],
        }
        for version in versions
        for champion in CHAMPIONS
    ]
    tables = {"items": items, "champions": champions}
    return {name: {key: [row[key] for row in rows] for key in rows[0]} for name, rows in tables.items()}


def _patch_of(version: str) -> str:
    return ".".join(version.split(".")[:2])


def game_version(patch: str) -> str:
    """The game's full version on a patch.

    >>> game_version("13.14")
    '13.14.522.7601'
    """
    first, second = map(int, patch.split("."))
    return f"{patch}.{340 + 13 * second + (first - 13) * 180}.{7601 + 17 * (second - 14)}"


def puuids(story: Story, match: Ints, seat: Ints) -> pl.Series:
    """Ids of the players of participants; those that the machine plays have none of their own."""
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    rng = np.random.default_rng([story.plan.seed, 20])
    drawn = letters[rng.integers(0, 64, (int(story.player.max()) + 1, 78))]
    every = pl.Series([*("".join(row) for row in drawn.tolist()), "BOT"], dtype=pl.String)
    is_bot = (story.queue[match] == BOTS) & (seat > 4)
    return _gathered(every, np.where(is_bot, len(every) - 1, story.player[match, seat]))


def player_names(story: Story) -> pl.Series:
    """Summoner names of players by their number."""
    begin = ("Nexus", "River", "Brush", "Baron", "Dragon", "Herald", "Tower", "Lantern", "Poro", "Scuttle")
    return pl.Series(
        [f"{begin[number % 10]} {number}" for number in range(int(story.player.max()) + 1)], dtype=pl.String
    )


def has_riot_ids(patch: str) -> bool:
    """Whether match objects tell Riot ids: since 14.1 they do, before they tell summoner names."""
    return int(patch.split(".")[0]) >= 14


class _Tables:
    """Columns of the tables of one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        n = len(story)
        self.ids = story.match_ids
        first = story.plan.first_day.toordinal() - date(1970, 1, 1).toordinal()
        self.dates = pl.Series(first + story.day, dtype=pl.Int32).cast(pl.Date)
        self.seats = np.tile(np.arange(10), n)
        self.of_match = np.repeat(np.arange(n), 10)
        self.sign = np.where(self.seats < 5, 1, -1)
        self.has_lanes = story.queue != ARAM
        self.patches = pl.Series([patch for patch, _ in story.plan.patches]).gather(story.patch.astype(np.int64))
        self.groups = pl.Series(story.queue).replace_strict(QUEUE_GROUPS, return_dtype=pl.String)
        self.in_statistics = ~story.remake & (story.queue != BOTS)

    def begin(self, match: Ints) -> dict[str, pl.Series]:
        """Columns that rows of matches begin with."""
        return {"match_id": _gathered(self.ids, match), "match_date": _gathered(self.dates, match)}

    def matches(self) -> dict[str, Any]:
        story, n = self.story, len(self.story)
        patches = [patch for patch, _ in story.plan.patches]
        of_patch = story.patch.astype(np.int64)
        is_aram = story.queue == ARAM
        return {
            **self.begin(np.arange(n)),
            "platform_id": pl.repeat(story.plan.platform, n, eager=True),
            "game_version": pl.Series([game_version(patch) for patch in patches]).gather(of_patch),
            "patch": self.patches,
            "queue_id": story.queue,
            "queue_group": self.groups,
            "has_positions": self.has_lanes,
            "map_id": np.where(is_aram, 12, 11),
            "game_mode": pl.Series(["CLASSIC", "ARAM"]).gather(is_aram.astype(np.int64)),
            "started_at": pl.Series(story.started_ms * 1000).cast(pl.Datetime("us", "UTC")),
            "duration_s": story.duration_s.astype(np.float64),
            "winning_team_id": np.where(story.blue_won, 100, 200),
            "participants": np.full(n, 10),
            "is_remake": story.remake,
            "is_aborted": np.zeros(n, bool),
            "has_timeline": np.ones(n, bool),
            "in_statistics": self.in_statistics,
            "data_dragon_version": pl.Series(story.plan.versions).gather(of_patch),
            "version_is": pl.repeat("exact", n, eager=True),
        }

    def participants(self) -> dict[str, Any]:
        story, n, seats = self.story, len(self.story), self.seats
        match, stats = self.of_match, story.stats
        seconds = story.duration_s[match].astype(np.float64)
        minutes = np.where(seconds > 0, seconds / 60, np.nan)
        kills, deaths, assists, damage = (
            stats[name].ravel().astype(np.int64) for name in ("kills", "deaths", "assists", "damage")
        )

        def of_team(values: Ints) -> Ints:
            return np.repeat(values.reshape(n, 2, 5).sum(axis=2), 5, axis=1).ravel()

        team_kills = of_team(kills)
        gold = story.gold[np.arange(n), :, story.frame_count - 1].ravel()
        cs = sum(story.minions(match, seats, story.end_ms[match], kind) for kind in ("lane", "jungle"))
        champion = story.champion.ravel().astype(np.int64)
        place = pl.Series(POSITIONS).gather(seats % 5)
        lanes = self.has_lanes[match]
        names = player_names(story)
        tagged = np.array([has_riot_ids(patch) for patch, _ in story.plan.patches])[story.patch][match]
        name = _gathered(names, story.player.ravel())
        blood = np.zeros((n, 10), bool)
        first, killer, assisted = self.first_bloods()
        blood[first, killer] = True
        helped = (assisted[:, None] >> np.arange(10) & 1).astype(bool)
        blood[first] |= helped
        columns: dict[str, Any] = {
            **self.begin(match),
            "participant_id": seats + 1,
            "puuid": puuids(story, match, seats),
            "riot_id": pl.select(pl.when(pl.Series(tagged)).then(name + "#SIM").otherwise(name)).to_series(),
            "team_id": np.where(seats < 5, 100, 200),
            "subteam_id": pl.repeat(None, n * 10, dtype=pl.Int32, eager=True),
            "placement": pl.repeat(None, n * 10, dtype=pl.Int32, eager=True),
            "won": story.blue_won[match] == (seats < 5),
            "champion_id": np.array([each.champion_id for each in CHAMPIONS])[champion],
            "champion_key": pl.Series([each.key for each in CHAMPIONS]).gather(champion),
            "position": _where(lanes, place),
            "opponent_participant_id": _where(lanes, pl.Series((seats + 5) % 10 + 1)),
            "champion_level": (story.level_ms >= 0).sum(axis=2).ravel(),
            "kills": kills,
            "deaths": deaths,
            "assists": assists,
            "kda": (kills + assists) / np.maximum(deaths, 1),
            "kill_participation": _ratio(kills + assists, team_kills),
            "damage_to_champions": damage,
            "dpm": damage / minutes,
            "damage_share": _ratio(damage, of_team(damage)),
            "damage_taken_per_minute": stats["taken"].ravel() / minutes,
            "gold_earned": gold,
            "gold_per_minute": gold / minutes,
            "cs": cs,
            "cs_per_minute": cs / minutes,
            "vision_score": stats["vision"].ravel(),
            "vision_per_minute": stats["vision"].ravel() / minutes,
            "wards_placed": stats["wards_placed"].ravel(),
            "wards_killed": stats["wards_killed"].ravel(),
            "control_wards_bought": stats["control_wards"].ravel(),
            "deaths_per_minute": deaths / minutes,
            "time_dead_share": stats["dead_s"].ravel() / seconds,
            "damage_to_objectives": stats["objective_damage"].ravel(),
            "keystone_id": stats["keystone"].ravel(),
            "summoner1_id": np.full(n * 10, 4),
            "summoner2_id": np.where(seats % 5 == 1, 11, stats["summoner2"].ravel()),
            "first_blood": blood.ravel(),
        }
        for minute in (10, 15, 20):
            columns |= self._after(minute)
        return columns

    def _after(self, minute: int) -> dict[str, pl.Series]:
        """How participants stood after so many minutes; null where the game was shorter."""
        story, seats, match = self.story, self.seats, self.of_match
        moment = np.minimum(minute * 60_000, story.end_ms)
        before = frame_before(story.frame_ms, np.arange(len(story)), moment)[match]
        lasted = (story.end_ms >= minute * 60_000)[match]
        moments = moment[match]

        def between(of_frame: Any) -> Floats:
            low, high = of_frame(before).astype(np.float64), of_frame(before + 1)
            begin, end = story.frame_ms[match, before], story.frame_ms[match, before + 1]
            part = np.where(end > begin, (moments - begin) / np.maximum(end - begin, 1), 0.0)
            return low + (high - low) * part

        gold = between(lambda frame: story.gold[match, seats, frame])
        of_other = gold.reshape(-1, 2, 5)[:, ::-1].ravel()
        values: dict[str, tuple[Floats, Flags]] = {f"gold_at_{minute}": (gold, lasted)}
        if minute < 20:
            values[f"xp_at_{minute}"] = between(lambda frame: story.xp(match, seats, frame)), lasted
            values[f"cs_at_{minute}"] = (
                between(
                    lambda frame: sum(
                        story.minions(match, seats, story.frame_ms[match, frame], kind) for kind in ("lane", "jungle")
                    )
                ),
                lasted,
            )
        team = gold.reshape(-1, 2, 5).sum(axis=2)
        lead = np.repeat(np.stack([team[:, 0] - team[:, 1], team[:, 1] - team[:, 0]], axis=1), 5, axis=1).ravel()
        values[f"lane_gold_diff_at_{minute}"] = gold - of_other, lasted & self.has_lanes[match]
        values[f"team_gold_diff_at_{minute}"] = lead, lasted
        return {name: _where(known, pl.Series(value)) for name, (value, known) in values.items()}

    def first_bloods(self) -> tuple[Ints, Ints, Ints]:
        """Matches with one, who killed, and who assisted, as bits."""
        kills = self.story.kills
        by_champion = np.flatnonzero(kills["killer"] >= 0)
        match, first = np.unique(kills["match"][by_champion], return_index=True)
        return match, kills["killer"][by_champion[first]], kills["assists"][by_champion[first]].astype(np.int64)

    def item_builds(self) -> dict[str, Any]:
        story = self.story
        times = np.concatenate([story.core_ms, story.boots_ms[..., None], story.turned_ms[..., None]], axis=2)
        turned = np.zeros(story.boots.shape, np.int64)
        slot = np.zeros(story.boots.shape, np.int64)
        bases = np.isin(story.core_item, list(TURNS_INTO)) & (story.core_ms >= 0)
        np.copyto(slot, bases.argmax(axis=2))
        base = np.where(bases.any(axis=2), np.take_along_axis(story.core_item, slot[..., None], axis=2)[..., 0], 0)
        for before, after in TURNS_INTO.items():
            turned[base == before] = after
        items = np.concatenate([story.core_item, story.boots[..., None], turned[..., None]], axis=2)
        known = times >= 0
        order = np.where(known, times, np.iinfo(np.int32).max).argsort(axis=2, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.broadcast_to(np.arange(order.shape[2]), order.shape), axis=2)
        by_time = np.take_along_axis(known, order, axis=2)
        match, seat, number = np.nonzero(by_time)
        column = order[match, seat, number]
        ms, item = times[match, seat, column].astype(np.int64), items[match, seat, column]
        is_core, is_turned = column < 5, column == 6
        core_order = np.where(is_turned, slot[match, seat], column) + 1
        left = is_core & (item == base[match, seat]) & (story.turned_ms[match, seat] >= 0)
        versions = pl.Series(story.plan.versions).gather(story.patch.astype(np.int64))
        return {
            **self.begin(match),
            "participant_id": seat + 1,
            "item_id": item,
            "kind": pl.Series(["boots", "core"]).gather((column != 5).astype(np.int64)),
            "completion": number + 1,
            "core_order": _where(column != 5, pl.Series(core_order)),
            "is_transformation": is_turned,
            "transformed_from": _where(is_turned, pl.Series(base[match, seat])),
            "completed_at_s": ms / 1000,
            "left_at_s": _where(left, pl.Series(story.turned_ms[match, seat] / 1000)),
            "team_gold_diff": np.where(seat < 5, 1, -1) * story.lead_at(match, ms),
            "lane_gold_diff": _where(self.has_lanes[match], pl.Series(self._lane_lead(match, seat, ms))),
            "items_version": _gathered(versions, match),
        }

    def _lane_lead(self, match: Ints, seat: Ints, ms: Ints) -> Floats:
        """Gold less that of the opponent in the same position."""
        story = self.story
        before = frame_before(story.frame_ms, match, ms)
        low, high = (
            story.gold[match, seat, frame] - story.gold[match, (seat + 5) % 10, frame] for frame in (before, before + 1)
        )
        begin, end = story.frame_ms[match, before], story.frame_ms[match, before + 1]
        part = np.where(end > begin, (ms - begin) / np.maximum(end - begin, 1), 0.0)
        return low.astype(np.float64) + (high - low.astype(np.float64)) * part

    def skill_orders(self) -> dict[str, Any]:
        story, match, seats = self.story, self.of_match, self.seats
        at = story.skill_ms().reshape(-1, LEVELS)
        learnt = (at >= 0).sum(axis=1)
        code = (story.order.ravel().astype(np.int64) * 6 + story.first.ravel()) * (LEVELS + 1) + learnt
        every = [
            skill_levels(order, first)[:count] for order in ORDERS for first in range(6) for count in range(LEVELS + 1)
        ]
        # The first skill has its highest rank at level 9, the second at level 13.
        has_first, has_second = learnt >= 9, learnt >= 13
        first_ms = np.where(has_first, at[:, 8], 0).astype(np.int64)
        lead = self.sign * interpolated(story.frame_ms, story.lead, match, first_ms)
        tables = {
            "levels": pl.Series(every),
            "first_levels": pl.Series([levels[:6] for levels in every]),
            "max_order": pl.Series([max_order_of(levels) for levels in every]),
            "trigrams": pl.Series(
                [[levels[i : i + 3] for i in range(min(len(levels), 9) - 2)] for levels in every],
                dtype=pl.List(pl.String),
            ),
        }
        orders = pl.Series([order[0] for order in ORDERS]).gather(story.order.ravel().astype(np.int64))
        return {
            **self.begin(match),
            "participant_id": seats + 1,
            **{name: _gathered(table, code) for name, table in tables.items()},
            "is_complete": has_second,
            "first_maxed": _where(has_first, orders),
            "first_maxed_at_s": _where(has_first, pl.Series(first_ms / 1000)),
            "first_maxed_team_gold_diff": _where(has_first, pl.Series(lead)),
            "second_maxed_at_s": _where(has_second, pl.Series(at[:, 12] / 1000)),
            "dropped_events": story.doubled.ravel(),
        }

    def objectives(self) -> dict[str, Any]:
        story = self.story
        taken = story.objectives
        match, killer, assists = self.first_bloods()
        at = np.unique(story.kills["match"][story.kills["killer"] >= 0], return_index=True)[1]
        blood_ms = story.kills["ms"][story.kills["killer"] >= 0][at]
        kinds = [*OBJECTIVE_KINDS, "first_blood"]
        of = np.concatenate([taken["match"], match]).astype(np.int64)
        ms = np.concatenate([taken["ms"], blood_ms]).astype(np.int64)
        order = np.lexsort((ms, of))
        of, ms = of[order], ms[order]
        kind = np.concatenate([taken["kind"], np.full(match.size, len(OBJECTIVE_KINDS))])[order].astype(np.int64)
        blue = np.concatenate([taken["blue"], killer < 5])[order]
        who = np.concatenate([taken["killer"], killer])[order].astype(np.int64)
        members = np.concatenate([taken["members"], assists | 1 << killer.astype(np.int64)])[order].astype(np.int64)
        names = [*DRAGONS, "ELDER_DRAGON", *TOWERS, None]
        sub = np.concatenate([taken["sub_type"], np.full(match.size, -1)])[order].astype(np.int64)
        sub = np.select(
            [kind == OBJECTIVE_KINDS.index("dragon"), kind == OBJECTIVE_KINDS.index("tower")],
            [sub, sub + len(DRAGONS) + 1],
            len(names) - 1,
        )
        before = frame_before(story.frame_ms, of, ms)
        lead = np.where(blue, 1, -1) * story.lead[of, before]
        numbers = pl.DataFrame({"match": of, "kind": kind, "blue": blue}).select(
            in_match=pl.int_range(1, pl.len() + 1).over("match", "kind"),
            of_team=pl.int_range(1, pl.len() + 1).over("match", "kind", "blue"),
            index=pl.int_range(0, pl.len()).over("match"),
        )
        return {
            **self.begin(of),
            "patch": _gathered(self.patches, of),
            "queue_group": _gathered(self.groups, of),
            "in_statistics": self.in_statistics[of],
            "event_index": numbers["index"],
            "objective": pl.Series(kinds).gather(kind),
            "sub_type": pl.Series(names).gather(sub),
            "number_in_match": numbers["in_match"],
            "number_of_team": numbers["of_team"],
            "team_id": np.where(blue, 100, 200),
            "killer_participant_id": _where(who >= 0, pl.Series(who + 1)),
            "participant_ids": _gathered(_MEMBERS, members),
            "at_s": ms / 1000,
            "team_gold_diff_before": lead.astype(np.float64),
            "won": blue == story.blue_won[of],
        }

    def team_coordination(self) -> dict[str, Any]:
        story, n = self.story, len(self.story)
        kills = story.kills
        by_champion = kills["killer"] >= 0
        team = kills["match"][by_champion].astype(np.int64) * 2 + (kills["killer"][by_champion] >= 5)
        ms, killer = kills["ms"][by_champion], kills["killer"][by_champion].astype(np.int64)
        assists = kills["assists"][by_champion].astype(np.int64)
        order = np.argsort(team, kind="stable")
        team, ms, killer, assists = team[order], ms[order].astype(np.int64), killer[order], assists[order]
        begins = np.flatnonzero((np.diff(team, prepend=-1) != 0) | (np.diff(ms, prepend=0) > _FIGHT_GAP_MS))
        size = np.diff(np.append(begins, team.size))
        members = _bits(np.bitwise_or.reduceat(assists | 1 << killer, begins)) if begins.size else np.zeros(0)
        fight_team = team[begins]
        count = np.bincount(team, minlength=2 * n)
        helpers = _bits(assists)

        def summed(of: Ints, weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.bincount(of, weights, minlength=2 * n)

        fights = np.bincount(fight_team, minlength=2 * n)
        taken = story.objectives
        of = taken["match"].astype(np.int64) * 2 + ~taken["blue"]
        is_epic = np.isin(taken["kind"], [OBJECTIVE_KINDS.index(kind) for kind in _EPIC])
        epic = np.bincount(of[is_epic], minlength=2 * n)
        part = summed(of[is_epic], _bits(taken["members"][is_epic].astype(np.int64)) / 5)
        match = np.repeat(np.arange(n), 2)
        is_blue = np.tile([True, False], n)
        return {
            **self.begin(match),
            "team_id": np.where(is_blue, 100, 200),
            "won": story.blue_won[match] == is_blue,
            "kills": count,
            "assists_per_kill": _ratio(summed(team, helpers), count),
            "assisted_kill_share": _ratio(summed(team, helpers > 0), count),
            "fights": fights,
            "kills_together_share": _ratio(summed(fight_team, size * (size > 1)), count),
            "members_per_fight": _ratio(summed(fight_team, members), fights),
            "objectives": np.bincount(of, minlength=2 * n),
            "objective_participation": _ratio(part, epic),
            "synchronisation": _ratio(summed(fight_team, members * (members - 1) / 20 * size), count),
        }


_MEMBERS = pl.Series(
    [[seat + 1 for seat in range(10) if bits >> seat & 1] for bits in range(1024)], dtype=pl.List(pl.Int16)
)
"""Participants by their bits."""
_COUNTS = np.array([bits.bit_count() for bits in range(1024)])


def _bits(values: Ints) -> Ints:
    return _COUNTS[values]


def _gathered(values: pl.Series, index: npt.NDArray[Any]) -> pl.Series:
    return values.gather(index.astype(np.int64))


def _where(known: Flags, values: pl.Series) -> pl.Series:
    """The values that are known, null for the others."""
    return pl.select(pl.when(pl.Series(known)).then(values)).to_series()


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> pl.Series:
    """Null where the whole is 0."""
    return _where(whole > 0, pl.Series(part / np.maximum(whole, 1)))


def max_order_of(levels: str) -> str:
    """The order in which Q, W and E reach their highest ranks.

    Those that reach it come first, then the others by rank, and of equal ranks the one that had its own first.

    >>> max_order_of("QEWQQRQEQE"), max_order_of("EQ"), max_order_of("")
    ('QEW', 'EQW', '')
    """
    if not levels:
        return ""
    ranks = {skill: levels.count(skill) for skill in "QWE"}
    last = {skill: levels.rfind(skill) if rank else LEVELS for skill, rank in ranks.items()}
    return "".join(sorted("QWE", key=lambda skill: (ranks[skill] < 5, -ranks[skill], last[skill])))
