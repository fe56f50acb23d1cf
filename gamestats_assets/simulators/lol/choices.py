"""Choices of players: champions, items, skill orders; and the fights and objectives of their teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gamestats_assets.simulators.lol.plan import CORE_SLOTS, OBJECTIVE_KINDS, skill_orders
from gamestats_assets.simulators.lol.reference import BUILDS, CHAMPIONS, ITEMS, POSITIONS, TURNS_INTO
from gamestats_assets.simulators.lol.story import ARAM, ORDERS, Flags, Ints, Story, Table, frame_before, sigmoid

DRAGONS = ("FIRE_DRAGON", "WATER_DRAGON", "EARTH_DRAGON", "AIR_DRAGON", "HEXTECH_DRAGON", "CHEMTECH_DRAGON")
ELDER = len(DRAGONS)
"""`sub_type` of the elder dragon; other dragons have their place in `DRAGONS`."""
_TAKER = {"dragon": 0.25, "herald": 0.25, "grubs": 0.25, "baron": 0.45, "tower": 0.35, "inhibitor": 0.60}
"""Log odds that blue takes an objective, per 1,000 gold ahead at the last frame before."""


def choose(story: Story) -> None:
    """Draws all choices, and the takers and killers of everything."""
    n = len(story)
    story.champion = np.full((n, 10), -1, np.int16)
    story.core_item = np.zeros((n, 10, CORE_SLOTS), np.int16)
    story.boots, story.turned_ms = np.zeros((n, 10), np.int16), np.full((n, 10), -1, np.int32)
    story.order, story.first = np.zeros((n, 10), np.int8), np.zeros((n, 10), np.int8)
    story.doubled = np.zeros((n, 10), np.int8)
    taken: list[Table] = []
    for number, rows in story.chunks():
        rng = story.rng(2, number)
        _champions(story, rng, rows)
        _items(story, rng, rows)
        _boots_and_turns(story, rng, rows)
        _skills(story, rng, rows)
        taken.append(_objectives(story, story.rng(3, number), rows))
    story.objectives = _joined(taken)
    story.kills = _joined([_kills(story, story.rng(4, number), rows) for number, rows in story.chunks()])


# --------------------------------------------------------------------------- champions and their items


def _padded(lists: Sequence[tuple[int, ...]]) -> Ints:
    width = max(map(len, lists))
    return np.array([[*row, *[0] * (width - len(row))] for row in lists], np.int16)


_POOLS = _padded([BUILDS[champion.build].core_items for champion in CHAMPIONS])
_BOOTS = _padded([BUILDS[champion.build].boots for champion in CHAMPIONS])
_MYTHIC = np.isin(_POOLS, [item.item_id for item in ITEMS.values() if item.is_mythic])
_SLOPES = np.vectorize(lambda item: ITEMS[item].win_more if item else 0.0)(_POOLS)
_USUAL = -0.32 * np.abs(np.arange(_POOLS.shape[1])[:, None] - 1.7 * np.arange(CORE_SLOTS))[None] + 0.25 * np.cos(
    np.arange(len(CHAMPIONS))[:, None, None] * 1.7 + np.arange(_POOLS.shape[1])[:, None] * 2.3
)
"""Log odds of each place in a champion's item list for its first core item, its second and so on."""
_ORDER_USUAL, _ORDER_SLOPES = np.full((len(CHAMPIONS), 6), -np.inf), np.zeros((len(CHAMPIONS), 6))
for _index, _each in enumerate(CHAMPIONS):
    for _order, _log_odds, _slope in zip(skill_orders(_each), (1.8, 0.5, -0.1, -0.8), (0, 0.12, -0.12, 0), strict=True):
        _ORDER_USUAL[_index, ORDERS.index(_order)] = _log_odds
        _ORDER_SLOPES[_index, ORDERS.index(_order)] = _slope


def _champions(story: Story, rng: np.random.Generator, rows: slice) -> None:
    m, chosen = rows.stop - rows.start, story.champion[rows]
    used = np.zeros((m, len(CHAMPIONS)), bool)
    for place in rng.permutation(10):
        pool = np.array(story.plan.pool(POSITIONS[place % 5]))
        liked = -0.6 * np.log(np.arange(pool.size) + 3.0) + rng.gumbel(size=(m, pool.size))
        chosen[:, place] = pool[np.argmax(np.where(used[:, pool], -np.inf, liked), axis=1)]
        used[np.arange(m), chosen[:, place]] = True


def _items(story: Story, rng: np.random.Generator, rows: slice) -> None:
    chosen, champion, core_ms = story.core_item[rows], story.champion[rows], story.core_ms[rows]
    pools, mythic = _POOLS[champion], _MYTHIC[champion]
    barred = np.zeros(pools.shape, bool)
    for slot in range(CORE_SLOTS):
        match, seat = np.nonzero(core_ms[:, :, slot] >= 0)
        lead = story.own_lead(match + rows.start, seat, core_ms[match, seat, slot])
        of, pool = champion[match, seat], pools[match, seat]
        wish = _USUAL[of, :, slot] + _SLOPES[of] * (lead / 1000)[:, None]
        wish += rng.gumbel(size=wish.shape)
        wish[barred[match, seat] | (pool == 0)] = -np.inf
        best = np.argmax(wish, axis=1)
        chosen[match, seat, slot] = pool[np.arange(best.size), best]
        barred[match, seat, best] = True
        was_mythic = mythic[match, seat, best]
        barred[match[was_mythic], seat[was_mythic]] |= mythic[match[was_mythic], seat[was_mythic]]


def _boots_and_turns(story: Story, rng: np.random.Generator, rows: slice) -> None:
    champion, core_ms = story.champion[rows], story.core_ms[rows]
    boots = _BOOTS[champion]
    kind = rng.integers(0, boots.shape[2], champion.shape)
    worn = np.take_along_axis(boots, kind[..., None], axis=2)[..., 0]
    story.boots[rows] = np.where(story.boots_ms[rows] >= 0, worn, 0)
    turns = np.isin(story.core_item[rows], list(TURNS_INTO))
    at = np.where(turns, core_ms, 0).max(axis=2)
    at = np.where(at > 0, at + rng.integers(90_000, 420_000, at.shape), -1)
    # Not at the same moment as another completion.
    other = np.concatenate([core_ms, story.boots_ms[rows][..., None]], axis=2)
    near = (np.abs(other - at[..., None]) < 3_000).any(axis=2)
    story.turned_ms[rows] = np.where((at > 0) & (at < story.end_ms[rows][:, None] - 8_000) & ~near, at, -1)


def _skills(story: Story, rng: np.random.Generator, rows: slice) -> None:
    champion = story.champion[rows]
    # By level 9 the first skill has its highest rank in every order.
    at = story.level_ms[rows, :, 8]
    match, seat = np.nonzero(np.ones_like(champion, dtype=bool))
    ms = np.where(at >= 0, at + story.learns_after_ms[rows], story.end_ms[rows][:, None]).ravel()
    lead = story.own_lead(match + rows.start, seat, np.minimum(ms, story.end_ms[rows][match]))
    of = champion.ravel()
    wish = _ORDER_USUAL[of] + _ORDER_SLOPES[of] * (lead / 1000)[:, None]
    wish += rng.gumbel(size=wish.shape)
    story.order[rows] = np.argmax(wish, axis=1).reshape(champion.shape)
    story.first[rows] = np.minimum(rng.geometric(0.6, champion.shape) - 1, 5)
    story.doubled[rows] = (rng.random(champion.shape) < 0.01) & (at >= 0)


# --------------------------------------------------------------------------- objectives and fights


def is_since_14_1(patch: str) -> bool:
    """Whether a patch has void grubs, and match objects with Riot ids instead of summoner names."""
    return int(patch.split(".")[0]) >= 14


def _joined(parts: Sequence[Table]) -> Table:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _sorted(events: Table) -> Table:
    """Sorts by match and time, in the smallest types that fit."""
    narrow: dict[str, Any] = {"match": np.int32, "ms": np.int32, "assists": np.int16, "members": np.int16, "blue": bool}
    order = np.lexsort((events["ms"], events["match"]))
    return {name: values[order].astype(narrow.get(name, np.int8)) for name, values in events.items()}


def _times(
    rng: np.random.Generator, size: int, first_s: float, late_s: float, gap_s: float, more_s: float, count: int
) -> list[Ints]:
    """Returns the times of the first occurrence, the second and so on, in milliseconds."""
    at, times = np.zeros(size, np.int64), []
    for number in range(count):
        least, mean = (first_s, late_s) if number == 0 else (gap_s, more_s)
        at = at + (1000 * (least + rng.exponential(mean, size))).astype(np.int64)
        times.append(at)
    return times


def _objectives(story: Story, rng: np.random.Generator, rows: slice) -> Table:
    m = rows.stop - rows.start
    grubs = np.array([is_since_14_1(patch) for patch, _ in story.plan.patches])[story.patch[rows]]
    everywhere = story.end_ms[rows].astype(np.int64) - 5_000
    on_rift = np.where(story.queue[rows] == ARAM, 0, everywhere)
    parts: list[Table] = []

    def take(kind: str, times: list[Ints], until: Ints, cap: int = 99) -> None:
        parts.extend(_taken(story, rng, rows, kind, times, until, cap))

    take("dragon", _times(rng, m, 305, 100, 302, 70, 8), on_rift)
    herald = [np.where(grubs, at + 360_000, at) for at in _times(rng, m, 485, 130, 362, 70, 2)]
    take("herald", herald, np.minimum(on_rift, np.where(grubs, 1_430_000, 1_184_000)))
    take("grubs", _times(rng, m, 305, 120, 5, 3, 3), np.where(grubs, on_rift, 0))
    take("baron", _times(rng, m, 1220, 250, 362, 160, 4), on_rift)
    take("tower", _times(rng, m, 560, 230, 12, 125, 20), everywhere, cap=11)
    take("inhibitor", _times(rng, m, 1300, 280, 25, 160, 5), everywhere, cap=3)
    return _sorted(_joined(parts))


def _taken(
    story: Story, rng: np.random.Generator, rows: slice, kind: str, times: list[Ints], until: Ints, cap: int
) -> list[Table]:
    """Returns one table for each time at which objectives of a kind are taken, each at most once a match."""
    m, end = rows.stop - rows.start, story.end_ms[rows]
    everyone, blue = np.arange(m), np.zeros(m, bool)
    taken = np.zeros((2, m), np.int64)
    species = np.argsort(rng.random((m, len(DRAGONS))), axis=1)
    parts: list[Table] = []
    for number, at in enumerate(times):
        before = frame_before(story.frame_ms[rows], everyone, np.minimum(at, end))
        lead = story.lead[rows][everyone, before] / 1000
        if number == 0 or kind != "grubs":
            blue = rng.random(m) < sigmoid(_TAKER[kind] * lead)
            # A side without towers loses none.
            blue = np.where(np.where(blue, *taken) >= cap, ~blue, blue)
        here = (at < until) & (np.where(blue, *taken) < cap)
        sub = np.full(m, -1)
        if kind == "dragon":
            sub = np.where((taken >= 4).any(axis=0), ELDER, species[:, min(number, 2)])
        if kind == "tower":
            sub = np.minimum(np.where(blue, *taken) // 3, 3)
        taken += np.stack([here & blue, here & ~blue])
        which = np.flatnonzero(here)
        base = np.where(blue[which], 0, 5)
        killer, members = _takers(rng, kind, which.size)
        parts.append(
            {
                "match": which + rows.start,
                "ms": at[which],
                "kind": np.full(which.size, OBJECTIVE_KINDS.index(kind)),
                "blue": blue[which],
                "sub_type": sub[which],
                "killer": np.where(killer >= 0, killer + base, -1),
                "members": members << base,
            }
        )
    return parts


def _takers(rng: np.random.Generator, kind: str, size: int) -> tuple[Ints, Ints]:
    """Returns the takers of objectives in a team, -1 for its minions, and all who take part, as bits."""
    is_building = kind in ("tower", "inhibitor")
    weights = np.array([1.2, 0.6, 1.1, 1.4, 0.3]) if is_building else np.array([0.4, 4.0, 0.4, 0.6, 0.1])
    killer = np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(size)).clip(0, 4)
    helps = rng.random((size, 5)) < (0.3 if is_building else 0.5)
    alone = (rng.random(size) < 0.12) & is_building
    helps[np.arange(size), killer] = True
    helps[alone] = rng.random((int(alone.sum()), 5)) < 0.2
    return np.where(alone, -1, killer), helps @ (1 << np.arange(5))


_DIES = np.array([1.0, 1.0, 1.0, 1.0, 1.1])
_SLAYS = np.array([1.0, 1.0, 1.2, 1.35, 0.35])
_HELPS = np.array([0.36, 0.52, 0.44, 0.40, 0.62])


def _kills(story: Story, rng: np.random.Generator, rows: slice) -> Table:
    """Returns fights: several kills within seconds, each more often by the team that was ahead at the last frame."""
    m, end = rows.stop - rows.start, story.end_ms[rows].astype(np.int64)
    fights = rng.poisson(0.95 * np.maximum(end / 60_000 - 2.2, 0.2))
    match = np.repeat(np.arange(m), fights)
    f = int(match.size)
    at = (105_000 + (end[match] - 115_000) * rng.random(f) ** 0.85).astype(np.int64)
    size = rng.choice(np.arange(1, 6), f, p=(0.48, 0.23, 0.15, 0.08, 0.06))
    lead = story.lead[rows][match, frame_before(story.frame_ms[rows], match, at)]
    chance = sigmoid(0.30 * lead / 1000 + rng.normal(0, 0.9, f))
    falls = np.argsort(rng.standard_exponential((f, 2, 5), np.float32) / _DIES, axis=2).astype(np.int8)
    fight = np.repeat(np.arange(f), size)
    begin = np.cumsum(size) - size
    k = fight.size
    blue: Flags = rng.random(k) < chance[fight]
    one = np.stack([~blue, blue]).astype(np.int64)
    so_far = np.cumsum(one, axis=1)
    of_team = (so_far - (so_far - one)[:, begin][:, fight])[blue.astype(np.int64), np.arange(k)]
    # The first of a team to slay in a fight slays the first of the other to fall.
    rank = of_team - 1
    victim = np.where(blue, 5 + falls[fight, 1, rank], falls[fight, 0, rank])
    killer = np.searchsorted(np.cumsum(_SLAYS / _SLAYS.sum()), rng.random(k)).clip(0, 4)
    helps = (rng.random((k, 5), np.float32) < _HELPS) & (rng.random(k) < 0.82)[:, None]
    helps[np.arange(k), killer] = False
    by_no_player = rng.random(k) < 0.01
    helps[by_no_player] = False
    base = np.where(blue, 0, 5)
    gaps = rng.integers(900, 6_500, k)
    gaps[begin] = 0
    since = np.cumsum(gaps)
    ms = at[fight] + since - since[begin][fight]
    kept = ms < end[match][fight] - 2_000
    return _sorted(
        {
            "match": (match[fight] + rows.start)[kept],
            "ms": ms[kept],
            "killer": np.where(by_no_player, -1, killer + base)[kept],
            "victim": victim[kept],
            "assists": ((helps @ (1 << np.arange(5))) << base)[kept],
        }
    )
