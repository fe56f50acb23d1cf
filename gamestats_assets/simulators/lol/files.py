"""Simulated matches in the files of Riot's API and Data Dragon: match objects and timelines of match-v5.

The values are computed as tables of many matches at once. The templates under `data/templates/lol` have every key of
the documents, with the column of each value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from isal import igzip

from gamestats_assets.simulators.lol.choices import is_since_14_1
from gamestats_assets.simulators.lol.events import BLUE, RED, of_matches, timeline_events
from gamestats_assets.simulators.lol.plan import OBJECTIVE_KINDS
from gamestats_assets.simulators.lol.purchases import final_items, item_events
from gamestats_assets.simulators.lol.reference import BUILDS, CHAMPIONS, GAME, ITEMS, POSITIONS, data_dragon
from gamestats_assets.simulators.lol.story import ARAM, BOTS, FRAMES, PLATFORM, Flags, Ints, Story
from gamestats_assets.simulators.templates import filled, template

Document = dict[str, Any]
_ENCODER = msgspec.json.Encoder()
_AT_ONCE = 256
"""Matches whose documents are made at a time."""
_STAND = np.array([[1900, 12600], [7000, 8200], [7400, 7400], [12600, 1900], [12200, 2300]])
"""Where participants stand, by position."""
_IS_MAGICAL = np.array([BUILDS[champion.build].tag in ("Mage", "Support") for champion in CHAMPIONS])


def write(
    story: Story,
    folder: Path,
) -> Document:
    """Writes a story as files.

    Writes `matches/<id>.json` and `timelines/<id>.json` of every match, and `datadragon/` with documents of the plan's
    patches. The same story gives the same bytes.

    Args:
        folder: created if missing.

    Returns:
        `matches`, `events`, `bytes` written, `patches`, `first_day`, `last_day` and `remakes`.
    """

    def put(part: str, name: str, document: Document) -> int:
        """Writes under a temporary name, then renames, so that readers never see half a file."""
        content = igzip.compress(_ENCODER.encode(document), compresslevel=2, mtime=0)
        path = folder / part / f"{name}.json.gz"
        temporary = path.with_name(f"{path.name}.part")
        temporary.write_bytes(content)
        os.replace(temporary, path)
        return len(content)

    size, events = 0, 0
    for part in ("matches", "timelines", "datadragon"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for version in story.plan.versions:
        size += sum(put("datadragon", name, document) for name, document in data_dragon(version).items())
    for match_id, match, timeline in documents(story):
        size += put("matches", match_id, match) + put("timelines", match_id, timeline)
        events += sum(len(frame["events"]) for frame in timeline["info"]["frames"])
    return {
        "matches": len(story),
        "events": events,
        "bytes": size,
        "patches": [patch for patch, _ in story.plan.patches],
        "first_day": story.plan.first_day,
        "last_day": story.plan.first_day + timedelta(days=story.plan.days - 1),
        "remakes": int(story.remake.sum()),
    }


def documents(story: Story) -> Iterator[tuple[str, Document, Document]]:
    """Yields id, match object and timeline of every match."""
    of_players = puuids(story)
    for number, rows in story.chunks(_AT_ONCE):
        rng = story.rng(30, number)
        items = item_events(story, rows, rng)
        ids = of_players[rows]
        participants, teams = _participants(story, rows, items, ids), _teams(story, rows)
        events, states = _events(story, rows, items, rng), _states(story, rows, items, rng)
        for match, game in enumerate(_games(story, rows).to_dicts()):
            at = story.frame_ms[rows][match, : story.frame_count[rows][match]].tolist()
            game["frames"] = [
                {
                    "events": here,
                    "participantFrames": {str(seat): next(states) for seat in range(1, 11)},
                    "timestamp": ms,
                }
                for here, ms in zip(events[match], at, strict=False)
            ]
            game["puuids"] = ids[match].tolist()
            game["people"] = [{"participantId": seat, "puuid": each} for seat, each in enumerate(game["puuids"], 1)]
            game["participants"] = participants[10 * match : 10 * match + 10]
            game["teams"] = teams[2 * match : 2 * match + 2]
            yield game["match_id"], filled(template(GAME, "match"), game), filled(template(GAME, "timeline"), game)


# --------------------------------------------------------------------------- names


def game_version(patch: str) -> str:
    """Returns the game's full version on a patch.

    >>> game_version("13.14")
    '13.14.522.7601'
    """
    first, second = map(int, patch.split("."))
    return f"{patch}.{340 + 13 * second + (first - 13) * 180}.{7601 + 17 * (second - 14)}"


def puuids(story: Story) -> npt.NDArray[Any]:
    """Returns ids of players, by match and participant; bots share one."""
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    rng = np.random.default_rng([story.plan.seed, 20])
    drawn = letters[rng.integers(0, 64, (int(story.player.max()) + 1, 78))]
    every = np.array(["".join(row) for row in drawn.tolist()])
    is_bot = (story.queue == BOTS)[:, None] & (np.arange(10) > 4)
    return np.where(is_bot, "BOT", every[story.player])


def player_name(number: int) -> str:
    """Returns the name of a player.

    >>> player_name(41)
    'River 41'
    """
    begin = ("Nexus", "River", "Brush", "Baron", "Dragon", "Herald", "Tower", "Lantern", "Poro", "Scuttle")
    return f"{begin[number % 10]} {number}"


# --------------------------------------------------------------------------- match objects


def _games(story: Story, rows: slice) -> pl.DataFrame:
    started, end, is_aram = story.started_ms[rows], story.end_ms[rows], story.queue[rows] == ARAM
    versions = [game_version(patch) for patch, _ in story.plan.patches]
    return pl.DataFrame(
        {
            "match_id": story.match_ids[rows],
            "game": story.number[rows],
            "name": [f"teambuilder-match-{number}" for number in story.number[rows].tolist()],
            "created_ms": started - 25_000,
            "started_ms": started,
            "ended_ms": started + end + 300,
            "duration_s": end // 1000,
            "version": [versions[patch] for patch in story.patch[rows].tolist()],
            "queue": story.queue[rows],
            "map": np.where(is_aram, 12, 11),
            "mode": np.where(is_aram, "ARAM", "CLASSIC"),
            "platform": pl.repeat(PLATFORM, end.size, eager=True),
        }
    )


def _split(total: Ints, is_magical: Flags, suffix: str = "") -> dict[str, Ints]:
    """Returns the parts of damage."""
    true = total // 20
    magic = (total - true) * np.where(is_magical, 9, 1) // 10
    return {f"physical{suffix}": total - true - magic, f"magic{suffix}": magic, f"true{suffix}": true}


def _participants(story: Story, rows: slice, items: pl.DataFrame, ids: npt.NDArray[Any]) -> list[Document]:
    """Returns all participants of some matches, one after the other."""
    m = rows.stop - rows.start
    everyone, seats = np.divmod(np.arange(10 * m), 10)
    match, end = everyone + rows.start, story.end_ms[rows][everyone]
    champion, remake = story.champion[rows].ravel(), story.remake[rows][everyone]
    stats = {name: values[rows].ravel() for name, values in story.stats.items()}
    is_magical, players = _IS_MAGICAL[champion], story.player[rows].ravel()
    place = np.where(story.queue[match] == ARAM, 5, seats % 5)
    objectives, kills = of_matches(story.objectives, rows), of_matches(story.kills, rows).filter(pl.col("killer") >= 0)
    towers = objectives.filter(kind="tower")

    def counted(of: pl.DataFrame, who: str = "killer") -> Ints:
        cells = of.filter(pl.col(who) >= 0).select(10 * pl.col("match") + pl.col(who)).to_series()
        return np.bincount(cells, minlength=10 * m)

    def first(of: pl.DataFrame, members: str) -> tuple[Flags, Flags]:
        """Returns who killed first in each match, and who helped."""
        of = of.unique("match", keep="first")
        bits = np.zeros(m, np.int64)
        bits[of["match"]] = of[members]
        killed = counted(of) > 0
        return killed, (bits[everyone] >> seats & 1).astype(bool) & ~killed

    blood, tower = first(kills, "assists"), first(towers, "members")
    name = np.array([player_name(player) for player in players.tolist()])
    has_riot_id = np.array([is_since_14_1(patch) for patch, _ in story.plan.patches])[story.patch[match]]
    columns = {
        **stats,
        **_split(stats["damage"], is_magical),
        **_split(stats["taken"], is_magical, "_taken"),
        **{kind: counted(objectives.filter(kind=kind)) for kind in OBJECTIVE_KINDS},
        "participant": seats + 1,
        "team": np.where(seats < 5, BLUE, RED),
        "won": story.blue_won[match] == (seats < 5),
        "champion_id": np.array([each.champion_id for each in CHAMPIONS])[champion],
        "champion": np.array([each.key for each in CHAMPIONS])[champion],
        "position": np.array([*POSITIONS, ""])[place],
        "individual_position": np.array([*POSITIONS, "Invalid"])[place],
        "level": (story.level_ms[rows] >= 0).sum(axis=2).ravel(),
        "xp": story.xp(match, seats, story.frame_count[match] - 1),
        "gold": story.gold[match, seats, story.frame_count[match] - 1],
        "spent": _spent(items, m),
        "first_blood_kill": blood[0],
        "first_blood_assist": blood[1],
        "first_tower_kill": tower[0],
        "first_tower_assist": tower[1],
        "lane": story.minions(match, seats, end, "lane"),
        "jungle": story.minions(match, seats, end, "jungle"),
        "items_purchased": counted(items.filter(type="ITEM_PURCHASED"), "seat")
        - counted(items.filter(type="ITEM_UNDO"), "seat"),
        "style": stats["keystone"] // 100 * 100,
        "account_level": 30 + players % 600,
        "duration_s": end // 1000,
        "remake": remake,
        "gave_up": remake | story.surrendered[match],
        "puuid": ids.ravel(),
        "summoner": np.array([each[:47] for each in ids.ravel().tolist()]),
        "riot_tagline": np.where(has_riot_id, "SIM", ""),
    }
    # Since patch 14.1 match objects have Riot ids, before it summoner names.
    tagged, own = pl.Series(has_riot_id), pl.Series(name)
    people = pl.DataFrame(columns).with_columns(
        riot_game_name=pl.when(tagged).then(own),
        riot_name=pl.when(~tagged).then(pl.lit("")),
        summoner_name=pl.when(tagged).then(pl.lit("")).otherwise(own),
    )
    held = final_items(items)["items"].to_list()
    shape = template(GAME, "participant")
    return [filled(shape, person | _slots(own)) for person, own in zip(people.to_dicts(), held, strict=True)]


def _slots(held: list[int]) -> Document:
    """Returns the items in the seven slots, the trinket last; 0 for an empty slot."""
    others = [item for item in held if ITEMS[item].kind != "trinket"]
    trinket = next((item for item in held if item not in others), 0)
    return {f"item{slot}": item for slot, item in enumerate([*others, *[0] * (6 - len(others)), trinket])}


def _spent(items: pl.DataFrame, matches: int) -> Ints:
    """Returns the gold that each participant spent in all, without refunds and sales."""
    cells = (10 * items["match"] + items["seat"]).to_numpy()
    return np.bincount(cells, items["gold"].to_numpy(), minlength=10 * matches).astype(np.int64)


def _teams(story: Story, rows: slice) -> list[Document]:
    """Returns both teams of some matches, one after the other."""
    kills = of_matches(story.kills, rows).filter(pl.col("killer") >= 0)
    slain = kills.select("match", blue=pl.col("killer") < 5, kind=pl.lit("champion"))
    taken = pl.concat([of_matches(story.objectives, rows).select("match", "blue", "kind"), slain])
    number = np.arange(rows.stop - rows.start)
    teams = pl.DataFrame({"match": np.repeat(number, 2), "blue": np.tile([True, False], number.size)})
    grubs = pl.Series([is_since_14_1(patch) for patch, _ in story.plan.patches]).gather(np.repeat(story.patch[rows], 2))
    for kind in (*OBJECTIVE_KINDS, "champion"):
        of_kind = taken.filter(kind=kind)
        counts = of_kind.group_by("match", "blue").agg(pl.len().alias(kind))
        first = of_kind.unique("match", keep="first").select("match", "blue", pl.lit(True).alias(f"first_{kind}"))
        for found in (counts, first):
            teams = teams.join(found, on=["match", "blue"], how="left", maintain_order="left")
        teams = teams.with_columns(pl.col(kind).fill_null(0), pl.col(f"first_{kind}").fill_null(value=False))
    won = pl.Series(np.repeat(story.blue_won[rows], 2))
    teams = teams.with_columns(
        pl.when(grubs).then(pl.col("grubs", "first_grubs")),
        team=pl.when("blue").then(BLUE).otherwise(RED),
        won=pl.col("blue") == won,
    )
    return [filled(template(GAME, "team"), team) for team in teams.to_dicts()]


# --------------------------------------------------------------------------- timelines


def _events(story: Story, rows: slice, items: pl.DataFrame, rng: np.random.Generator) -> list[list[list[Document]]]:
    """Returns the events of each match by frame: the first one that is not before their time."""
    shapes = template(GAME, "events")
    tables = timeline_events(story, rows, items, rng)
    events = [filled(shapes[kind], row) for kind, table in tables for row in table.to_dicts()]
    of, ms = (np.concatenate([table[name].to_numpy() for _, table in tables]) for name in ("match", "ms"))
    place = of * FRAMES + (story.frame_ms[rows][of] < ms[:, None]).sum(axis=1)
    order = np.lexsort((ms, place)).tolist()
    ends = np.cumsum(np.bincount(place, minlength=(rows.stop - rows.start) * FRAMES))
    in_order = [events[index] for index in order]
    by_frame = [in_order[begin:end] for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
    return [by_frame[begin : begin + FRAMES] for begin in range(0, len(by_frame), FRAMES)]


def _states(story: Story, rows: slice, items: pl.DataFrame, rng: np.random.Generator) -> Iterator[Document]:
    """Yields the states of participants at all frames, by match, frame and participant."""
    count = story.frame_count[rows]
    of, frame = (np.repeat(index, 10) for index in np.nonzero(np.arange(FRAMES) < count[:, None]))
    seat = np.arange(of.size) % 10
    match, end = of + rows.start, story.end_ms[rows][of]
    at, gold = story.frame_ms[match, frame], story.gold[match, seat, frame].astype(np.int64)
    part = np.where(frame == count[of] - 1, 1.0, np.clip((at - 90_000) / np.maximum(end - 90_000, 1), 0, 1) ** 1.4)
    dealt, taken = ((part * story.stats[name][match, seat]).astype(np.int64) for name in ("damage", "taken"))
    is_magical = _IS_MAGICAL[story.champion[match, seat]]
    earned = story.gold[match, seat, count[of] - 1]
    left = 1 - _spent(items, count.size)[10 * of + seat] / np.maximum(earned, 1)
    reached = story.level_ms[match, seat]
    states = pl.DataFrame(
        {
            "participant": seat + 1,
            "gold": gold,
            "gold_left": (gold * np.clip(left, 0, 1)).astype(np.int64),
            "xp": story.xp(match, seat, frame),
            "level": ((reached >= 0) & (reached <= at[:, None])).sum(axis=1),
            "lane": story.minions(match, seat, at, "lane"),
            "jungle": story.minions(match, seat, at, "jungle"),
            "damage": dealt,
            "taken": taken,
            **_split(dealt, is_magical),
            **_split(taken, is_magical, "_taken"),
            "x": _STAND[seat % 5, 0] + rng.integers(-400, 400, seat.size),
            "y": _STAND[seat % 5, 1] + rng.integers(-400, 400, seat.size),
        }
    )
    shape = template(GAME, "participant_frame")
    return (filled(shape, state) for state in states.to_dicts())
