"""Silver tables of simulated matches, straight from their story: what `participant_features` takes, and its lists.

It is an implementation independent of the pipeline's. What the pipeline reads from files must agree with it, and tests
of statistics get many matches without files. The two differ in the last bits of interpolated gold differences, and in
`event_index` of objectives, which here counts objectives alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets.simulators.lol.choices import DRAGONS, is_since_14_1
from gamestats_assets.simulators.lol.events import MEMBERS, TOWERS
from gamestats_assets.simulators.lol.files import game_version, player_name, puuids
from gamestats_assets.simulators.lol.plan import OBJECTIVE_KINDS
from gamestats_assets.simulators.lol.reference import CHAMPIONS, ITEMS, POSITIONS, TURNS_INTO
from gamestats_assets.simulators.lol.story import (
    ARAM,
    BOTS,
    LEVELS,
    ORDERS,
    PLATFORM,
    RANKED,
    Flags,
    Floats,
    Ints,
    Story,
    frame_before,
    interpolated,
    skill_levels,
)

Frames = dict[type[Table], pl.DataFrame]
_QUEUE_GROUPS: Mapping[int, str] = {RANKED: "ranked_solo", ARAM: "aram", BOTS: "bots"}
_FIGHT_GAP_MS = 15_000
_EPIC = ("dragon", "herald", "grubs", "baron")


def silver(story: Story) -> Frames:
    """Silver and reference tables of a story. Rows are in the order of match, participant and time."""
    result = _Tables(story)
    frames: dict[type[Table], Mapping[str, Any]] = {
        t.Matches: result.matches(),
        t.Participants: result.participants(),
        t.ItemBuilds: result.item_builds(),
        t.SkillOrders: result.skill_orders(),
        t.Objectives: result.objectives(),
        t.TeamCoordination: result.team_coordination(),
        t.Items: _items(story.plan.versions),
        t.Champions: _champions(story.plan.versions),
    }
    return {
        table: pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in table.schema().items())
        for table, columns in frames.items()
    }


def _items(versions: list[str]) -> dict[str, Any]:
    items = [(version, item) for version in versions for item in ITEMS.values()]
    return {
        "version": [version for version, _ in items],
        "patch": [version.rpartition(".")[0] for version, _ in items],
        **{name: [getattr(item, name) for _, item in items] for name in ("item_id", "name", "name_ko", "kind")},
        "gold_total": [item.gold_total for _, item in items],
        "from_ids": [[*item.recipe] for _, item in items],
        "transformed_from": [item.transformed_from or None for _, item in items],
        "upgraded_from": pl.repeat(None, len(items), eager=True),
        "required_champion": pl.repeat(None, len(items), eager=True),
        # Potions and wards are used up, and the jungle's starters eaten.
        "goes_by_itself": [
            (item.kind == "consumable" and item.item_id != 2031) or "Jungle" in item.tags[:1] for _, item in items
        ],
    }


def _champions(versions: list[str]) -> dict[str, Any]:
    champions = [(version, champion) for version in versions for champion in CHAMPIONS]
    return {
        "version": [version for version, _ in champions],
        "patch": [version.rpartition(".")[0] for version, _ in champions],
        "champion_id": [champion.champion_id for _, champion in champions],
        "champion_key": [champion.key for _, champion in champions],
        "name": [champion.name for _, champion in champions],
        "name_ko": [champion.name_ko for _, champion in champions],
        "max_ranks": [[5, 5, 5, 3] for _ in champions],
    }


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
        self.groups = pl.Series(story.queue).replace_strict(_QUEUE_GROUPS, return_dtype=pl.String)
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
            "platform_id": pl.repeat(PLATFORM, n, eager=True),
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
        tagged = np.array([is_since_14_1(patch) for patch, _ in story.plan.patches])[story.patch][match]
        name = pl.Series([player_name(number) for number in story.player.ravel().tolist()])
        blood = np.zeros((n, 10), bool)
        first, killer, assisted = self.first_bloods()
        blood[first, killer] = True
        helped = (assisted[:, None] >> np.arange(10) & 1).astype(bool)
        blood[first] |= helped
        columns: dict[str, Any] = {
            **self.begin(match),
            "participant_id": seats + 1,
            "puuid": puuids(story).ravel(),
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
            "summoner2_id": stats["summoner2"].ravel(),
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
            "participant_ids": _gathered(MEMBERS, members),
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
