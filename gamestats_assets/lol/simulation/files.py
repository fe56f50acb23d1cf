"""Simulated League of Legends matches as the files that Riot's API and Data Dragon give.

Each match is a match object and a timeline of match-v5 as they were on patch 13.14, with every key that those have.
What a story tells stands in them to the millisecond; what it does not (wards, components and potions, positions,
pings) is made up here, by a generator of the match's own, so that its files do not depend on which others are written.
"""

from __future__ import annotations

import os
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
from isal import igzip

from gamestats_assets.lol.simulation.reference import CHAMPIONS, ITEMS, POSITIONS, TURNS_INTO, data_dragon
from gamestats_assets.lol.simulation.silver import game_version, has_riot_ids, player_names, puuids
from gamestats_assets.lol.simulation.story import (
    ARAM,
    DRAGONS,
    ELDER,
    LEVELS,
    OBJECTIVE_KINDS,
    ORDERS,
    TOWERS,
    Story,
    skill_levels,
)

_ENCODER = msgspec.json.Encoder()
Event = dict[str, Any]

_BLUE, _RED = 100, 200
_SOULS = ("Infernal", "Ocean", "Mountain", "Cloud", "Hextech", "Chemtech")
_MONSTERS = {"dragon": "DRAGON", "herald": "RIFTHERALD", "grubs": "HORDE", "baron": "BARON_NASHOR"}
_LAIRS = {"dragon": (9866, 4414), "herald": (5007, 10471), "grubs": (5007, 10471), "baron": (5007, 10471)}
_LANES = ("TOP_LANE", "MID_LANE", "BOT_LANE")
_OUTER = {
    (_BLUE, "TOP_LANE"): (981, 10441),
    (_BLUE, "MID_LANE"): (5846, 6396),
    (_BLUE, "BOT_LANE"): (10504, 1029),
    (_RED, "TOP_LANE"): (4318, 13875),
    (_RED, "MID_LANE"): (8955, 8510),
    (_RED, "BOT_LANE"): (13866, 4505),
}
_HOME = {_BLUE: (500, 500), _RED: (14300, 14300)}
_STAND = ((1900, 12600), (7000, 8200), (7400, 7400), (12600, 1900), (12200, 2300))
_POTION, _REFILLABLE, _CONTROL_WARD, _ELIXIR = 2003, 2031, 2055, 2140
_WARD_TRINKET, _FARSIGHT, _SWEEPER, _SNAX = 3340, 3363, 3364, 2052
_GROWS = {3850: (3851, 3853), 3858: (3859, 3860)}
_PLATES_UNTIL_MS = 14 * 60_000
_SLOTS = 6

# Challenges that everybody has a whole number of: 0 unless something is known of it.
_CHALLENGES = """
12AssistStreakCount abilityUses acesBefore15Minutes alliedJungleMonsterKills baronTakedowns
blastConeOppositeOpponentCount bountyGold buffsStolen completeSupportQuestInTime controlWardsPlaced
dancedWithRiftHerald deathsByEnemyChamps dodgeSkillShotsSmallWindow doubleAces dragonTakedowns
earlyLaningPhaseGoldExpAdvantage effectiveHealAndShielding elderDragonKillsWithOpposingSoul elderDragonMultikills
enemyChampionImmobilizations enemyJungleMonsterKills epicMonsterKillsNearEnemyJungler
epicMonsterKillsWithin30SecondsOfSpawn epicMonsterSteals epicMonsterStolenWithoutSmite firstTurretKilled flawlessAces
fullTeamTakedown hadOpenNexus immobilizeAndKillWithAlly initialBuffCount initialCrabCount jungleCsBefore10Minutes
junglerTakedownsNearDamagedEpicMonster kTurretsDestroyedBeforePlatesFall killAfterHiddenWithAlly
killedChampTookFullTeamDamageSurvived killingSprees killsNearEnemyTurret killsOnRecentlyHealedByAramPack
killsUnderOwnTurret killsWithHelpFromEpicMonster knockEnemyIntoTeamAndKill landSkillShotsEarlyGame
laneMinionsFirst10Minutes laningPhaseGoldExpAdvantage legendaryCount lostAnInhibitor maxCsAdvantageOnLaneOpponent
maxKillDeficit maxLevelLeadLaneOpponent mejaisFullStackInTime moreEnemyJungleThanOpponent multiKillOneSpell
multiTurretRiftHeraldCount multikills multikillsAfterAggressiveFlash outerTurretExecutesBefore10Minutes
outnumberedKills outnumberedNexusKill perfectDragonSoulsTaken perfectGame pickKillWithAlly playedChampSelectPosition
poroExplosions quickCleanse quickFirstTurret quickSoloKills riftHeraldTakedowns saveAllyFromDeath scuttleCrabKills
skillshotsDodged skillshotsHit snowballsHit soloBaronKills soloKills stealthWardsPlaced survivedSingleDigitHpCount
survivedThreeImmobilizesInFight takedownOnFirstTurret takedowns takedownsAfterGainingLevelAdvantage
takedownsBeforeJungleMinionSpawn takedownsFirstXMinutes takedownsInAlcove takedownsInEnemyFountain teamBaronKills
teamElderDragonKills teamRiftHeraldKills tookLargeDamageSurvived turretPlatesTaken turretTakedowns
turretsTakenWithRiftHerald twentyMinionsIn3SecondsCount twoWardsOneSweeperCount unseenRecalls wardTakedowns
wardTakedownsBefore20M wardsGuarded
""".split()  # noqa: SIM905
_LANER_CHALLENGES = ("getTakedownsInAllLanesEarlyJungleAsLaner", "killsOnOtherLanesEarlyJungleAsLaner")
_JUNGLER_CHALLENGES = ("junglerKillsEarlyJungle", "killsOnLanersEarlyJungleAsJungler")
# Figures of participants that nothing is known of.
_ZEROS = """
allInPings assistMePings baitPings basicPings bountyLevel championTransform commandPings dangerPings enemyMissingPings
enemyVisionPings getBackPings holdPings largestCriticalStrike needVisionPings nexusKills nexusLost nexusTakedowns
objectivesStolen objectivesStolenAssists onMyWayPings placement playerAugment1 playerAugment2 playerAugment3
playerAugment4 playerSubteamId pushPings sightWardsBoughtInGame subteamPlacement totalAllyJungleMinionsKilled
totalDamageShieldedOnTeammates totalEnemyJungleMinionsKilled totalHealsOnTeammates unrealKills visionClearedPings
""".split()  # noqa: SIM905
_STATS = """
abilityHaste abilityPower armor armorPen armorPenPercent attackDamage attackSpeed bonusArmorPenPercent
bonusMagicPenPercent ccReduction cooldownReduction health healthMax healthRegen lifesteal magicPen magicPenPercent
magicResist movementSpeed omnivamp physicalVamp power powerMax powerRegen spellVamp
""".split()  # noqa: SIM905
_MAGICAL = {"mage", "ap_assassin", "enchanter"}


def write(
    story: Story,
    folder: Path,
    *,
    compress: bool = True,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write a story as files.

    `matches/<id>.json` and `timelines/<id>.json` of every match, and `datadragon/` with documents of the plan's
    patches. The same story gives the same bytes.

    Args:
        folder: made if missing.
        compress: with gzip, and `.gz` at the end of the names of the game's files.
        progress: called with the number of matches written so far.

    Returns:
        `matches`, `events`, `bytes` written, `patches`, `first_day`, `last_day` and `remakes`.
    """
    ending = ".json.gz" if compress else ".json"

    def put(path: Path, content: bytes) -> int:
        packed = igzip.compress(content, compresslevel=2, mtime=0) if compress else content
        return _put(path.with_name(f"{path.name}{ending}"), packed)

    size, events = 0, 0
    for part in ("matches", "timelines", "datadragon"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for version in story.plan.versions:
        for name, document in data_dragon(version).items():
            size += put(folder / "datadragon" / name.removesuffix(".json"), _ENCODER.encode(document))
    for number, (match_id, match, timeline) in enumerate(documents(story), 1):
        size += put(folder / "matches" / match_id, _ENCODER.encode(match))
        size += put(folder / "timelines" / match_id, _ENCODER.encode(timeline))
        events += sum(len(frame["events"]) for frame in timeline["info"]["frames"])
        if progress:
            progress(number)
    return {
        "matches": len(story),
        "events": events,
        "bytes": size,
        "patches": [patch for patch, _ in story.plan.patches],
        "first_day": story.plan.first_day,
        "last_day": story.plan.first_day + timedelta(days=story.plan.days - 1),
        "remakes": int(story.remake.sum()),
    }


def _put(path: Path, content: bytes) -> int:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
    return len(content)


def documents(story: Story) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Id, match object and timeline of every match."""
    everyone, seats = np.repeat(np.arange(len(story)), 10), np.tile(np.arange(10), len(story))
    players = puuids(story, everyone, seats).to_list()
    names = player_names(story).gather(story.player.ravel()).to_list()
    for match, match_id in enumerate(story.match_ids.to_list()):
        of = slice(10 * match, 10 * match + 10)
        game = _Game(story, match, players[of], names[of])
        yield match_id, game.match_object(match_id), game.timeline(match_id)


class _Game:
    """The files of one match."""

    def __init__(self, story: Story, match: int, puuids: list[str], names: list[str]) -> None:
        self.story, self.match = story, match
        self.rng = Random(f"{story.plan.seed} {story.number[match]}")
        self.end = int(story.end_ms[match])
        self.started = int(story.started_ms[match])
        self.is_aram = bool(story.queue[match] == ARAM)
        self.count = int(story.frame_count[match])
        self.frames: list[int] = story.frame_ms[match, : self.count].tolist()
        self.gold: list[list[int]] = story.gold[match, :, : self.count].tolist()
        self.champions = [CHAMPIONS[index] for index in story.champion[match].tolist()]
        self.puuids, self.names = puuids, names
        self.stats: dict[str, list[Any]] = {
            name: values[match].tolist() for name, values in story.stats.items() if values.ndim == 2
        }
        self.blue_won = bool(story.blue_won[match])
        self.events: list[tuple[int, int, Event]] = []
        self.kills = self._events_of(story.kills)
        self.objectives = self._events_of(story.objectives)
        self.streaks: list[dict[str, int]] = [dict.fromkeys(_STREAKS, 0) for _ in range(10)]
        self.plates = [0] * 10
        self.add(0, {"realTimestamp": self.started - self.rng.randint(5, 60), "timestamp": 0, "type": "PAUSE_END"})
        self.shops = [_Shop(self, seat) for seat in range(10)]
        for shop in self.shops:
            shop.open()
        self._levels()
        self._fights()
        self._takings()
        self._wards()

    def _events_of(self, table: Any) -> list[dict[str, int]]:
        begin, end = np.searchsorted(table["match"], [self.match, self.match + 1])
        columns = {name: values[begin:end].tolist() for name, values in table.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def add(self, ms: int, event: Event) -> None:
        """Put an event after those of its time that are there."""
        self.events.append((ms, len(self.events), event))

    def gold_at(self, seat: int, ms: int) -> float:
        """Gold earned until then."""
        frame = min(max(ms // 60_000, 0), self.count - 1)
        while frame and self.frames[frame] > ms:
            frame -= 1
        after = min(frame + 1, self.count - 1)
        begin, end = self.frames[frame], self.frames[after]
        part = (ms - begin) / (end - begin) if end > begin else 0.0
        low = self.gold[seat][frame]
        return low + (self.gold[seat][after] - low) * part

    # ----------------------------------------------------------------- what happened

    def _levels(self) -> None:
        story, match, rng = self.story, self.match, self.rng
        levels = story.level_ms[match].tolist()
        learnt_at = story.skill_ms(slice(match, match + 1))[0].tolist()
        for seat in range(10):
            order = skill_levels(ORDERS[story.order[match, seat]], int(story.first[match, seat]))
            twice = rng.randrange(6) if story.doubled[match, seat] else -1
            for level, at in enumerate(levels[seat]):
                if at < 0:
                    continue
                if level:
                    self.add(at, {"level": level + 1, "participantId": seat + 1, "timestamp": at, "type": "LEVEL_UP"})
                learnt = learnt_at[seat][level]
                if learnt < 0:
                    continue
                event = {
                    "levelUpType": "NORMAL",
                    "participantId": seat + 1,
                    "skillSlot": "QWER".index(order[level]) + 1,
                    "timestamp": learnt,
                    "type": "SKILL_LEVEL_UP",
                }
                self.add(learnt, event)
                if level == twice:
                    self.add(learnt, dict(event))

    def _somewhere(self) -> dict[str, int]:
        return {"x": self.rng.randint(900, 14_000), "y": self.rng.randint(900, 14_000)}

    def _fights(self) -> None:
        rng = self.rng
        streak, chain, last = [0] * 10, [0] * 10, [-(10**9)] * 10
        alive_since = [0] * 10
        self.lives = [0] * 10
        fallen: list[tuple[int, int]] = []
        first = True
        for kill in self.kills:
            at, killer, victim = kill["ms"], kill["killer"], kill["victim"]
            helpers = [seat + 1 for seat in range(10) if kill["assists"] >> seat & 1]
            position = self._somewhere()
            event: Event = {"assistingParticipantIds": helpers} if helpers else {}
            event |= {
                "bounty": 400 if first and killer >= 0 else 300,
                "killStreakLength": streak[killer] if killer >= 0 else 0,
                "killerId": killer + 1,
                "position": position,
                "shutdownBounty": min(700, 150 * max(streak[victim] - 2, 0)),
                "timestamp": at,
                "type": "CHAMPION_KILL",
            }
            if rng.random() < 0.85:
                target = killer if killer >= 0 else rng.randrange(5) + (5 if victim < 5 else 0)
                event["victimDamageDealt"] = [self._damage(victim, target)]
            event["victimDamageReceived"] = [self._damage(killer, killer)]
            event["victimId"] = victim + 1
            self.add(at, event)
            self.lives[victim] = max(self.lives[victim], (at - alive_since[victim]) // 1000)
            alive_since[victim] = at + 20_000
            streak[victim] = 0
            if killer < 0:
                continue
            special = {"killerId": killer + 1, "position": position, "timestamp": at, "type": "CHAMPION_SPECIAL_KILL"}
            if first:
                self.add(at, {"killType": "KILL_FIRST_BLOOD", **special})
                first = False
            chain[killer] = chain[killer] + 1 if at - last[killer] < 10_000 else 1
            last[killer] = at
            streak[killer] += 1
            own = self.streaks[killer]
            own["longest"] = max(own["longest"], streak[killer])
            own["at_once"] = max(own["at_once"], chain[killer])
            own["sprees"] += streak[killer] == 2
            own["alone"] += not helpers
            if chain[killer] > 1:
                own[_MULTI[min(chain[killer], 5)]] += 1
                self.add(at, {"killType": "KILL_MULTI", "multiKillLength": min(chain[killer], 5), **special})
            fallen = [(when, who) for when, who in fallen if at - when < 20_000] + [(at, victim)]
            if len({who for _, who in fallen if (who < 5) == (victim < 5)}) == 5:
                self.add(at, {"killType": "KILL_ACE", **special})
                fallen = []
        for seat in range(10):
            self.lives[seat] = max(self.lives[seat], (self.end - alive_since[seat]) // 1000)

    def _damage(self, by: int, shown_as: int) -> Event:
        rng = self.rng
        if by < 0:
            return {
                "basic": True, "magicDamage": 0, "name": "SRU_ChaosMinionMelee", "participantId": 0,
                "physicalDamage": rng.randint(20, 300), "spellName": "sru_chaosminionmeleebasicattack",
                "spellSlot": 64, "trueDamage": 0, "type": "MINION",
            }  # fmt: skip
        champion = self.champions[by]
        slot = rng.randrange(4)
        is_magic = champion.build in _MAGICAL
        amount = rng.randint(80, 1200)
        return {
            "basic": False,
            "magicDamage": amount if is_magic else 0,
            "name": champion.key,
            "participantId": shown_as + 1,
            "physicalDamage": 0 if is_magic else amount,
            "spellName": f"{champion.key.lower()}{'qwer'[slot]}",
            "spellSlot": slot,
            "trueDamage": 0,
            "type": "OTHER",
        }

    def _takings(self) -> None:
        rng = self.rng
        lost = {_BLUE: 0, _RED: 0}
        inhibitors = {_BLUE: 0, _RED: 0}
        lanes = {team: rng.sample(_LANES, 3) for team in (_BLUE, _RED)}
        dragons = {_BLUE: 0, _RED: 0}
        slain = 0
        for taken in self.objectives:
            kind, at = OBJECTIVE_KINDS[taken["kind"]], taken["ms"]
            team, other = (_BLUE, _RED) if taken["blue"] else (_RED, _BLUE)
            helpers = [seat + 1 for seat in range(10) if taken["members"] >> seat & 1 and seat != taken["killer"]]
            event: Event = {"assistingParticipantIds": helpers} if helpers else {}
            event["bounty"] = 0
            if kind not in _MONSTERS:
                if kind == "tower":
                    lane = lanes[other][lost[other] % 3] if lost[other] < 9 else "MID_LANE"
                    lost[other] += 1
                    event |= {"buildingType": "TOWER_BUILDING", "towerType": TOWERS[taken["sub_type"]]}
                else:
                    lane = lanes[other][inhibitors[other] % 3]
                    inhibitors[other] += 1
                    event["buildingType"] = "INHIBITOR_BUILDING"
                x, y = _OUTER[other, lane]
                event |= {
                    "killerId": taken["killer"] + 1,
                    "laneType": lane,
                    "position": {"x": x, "y": y},
                    "teamId": other,
                    "timestamp": at,
                    "type": "BUILDING_KILL",
                }
                self.add(at, event)
                continue
            event |= {"killerId": taken["killer"] + 1, "killerTeamId": team, "monsterType": _MONSTERS[kind]}
            sub = taken["sub_type"]
            if kind == "dragon":
                event["monsterSubType"] = "ELDER_DRAGON" if sub == ELDER else DRAGONS[sub]
            x, y = _LAIRS[kind]
            self.add(at, {**event, "position": {"x": x, "y": y}, "timestamp": at, "type": "ELITE_MONSTER_KILL"})
            if kind == "dragon" and sub != ELDER:
                slain += 1
                dragons[team] += 1
                soul = {"name": _SOULS[sub], "timestamp": at, "type": "DRAGON_SOUL_GIVEN"}
                if slain == 3:
                    self.add(at, {**soul, "teamId": 0})
                if dragons[team] == 4:
                    self.add(at, {**soul, "teamId": team})
        self._unclaimed()

    def _unclaimed(self) -> None:
        """Plates, bounties that are announced, and a herald that nobody slew."""
        rng = self.rng
        if self.is_aram:
            return
        for _ in range(rng.randint(2, 10)):
            at = rng.randint(240_000, _PLATES_UNTIL_MS)
            if at >= self.end - 1_000:
                continue
            team, lane = rng.choice((_BLUE, _RED)), rng.choice(_LANES)
            killer = rng.choice((0, *range(1, 6))) if team == _RED else rng.choice((0, *range(6, 11)))
            if killer:
                self.plates[killer - 1] += 1
            x, y = _OUTER[team, lane]
            self.add(
                at,
                {
                    "killerId": killer,
                    "laneType": lane,
                    "position": {"x": x, "y": y},
                    "teamId": team,
                    "timestamp": at,
                    "type": "TURRET_PLATE_DESTROYED",
                },
            )
        lead = self.story.lead[self.match]
        behind = [frame for frame in range(14, self.count - 1) if abs(int(lead[frame])) > 4_000]
        if behind:
            at = self.frames[behind[0]] + 1_000
            team = _RED if lead[behind[0]] > 0 else _BLUE
            start = {"actualStartTime": at + 15_000, "teamId": team, "timestamp": at}
            if at < self.end:
                self.add(at, {**start, "type": "OBJECTIVE_BOUNTY_PRESTART"})
            if at + 90_000 < self.end:
                over = {"teamId": team, "timestamp": at + 90_000, "type": "OBJECTIVE_BOUNTY_FINISH"}
                self.add(at + 90_000, over)
        heralds = sum(OBJECTIVE_KINDS[taken["kind"]] == "herald" for taken in self.objectives)
        if heralds < 2 and self.end > 1_200_000 and not has_riot_ids(self._patch) and rng.random() < 0.5:
            at = 1_185_000 + rng.randint(40, 250)
            gone = {"bounty": 0, "killerId": 0, "killerTeamId": 300, "monsterType": "RIFTHERALD"}
            place = {"position": {"x": 4930, "y": 10371}, "timestamp": at, "type": "ELITE_MONSTER_KILL"}
            self.add(at, {**gone, **place})

    def _wards(self) -> None:
        rng = self.rng
        placed, killed = self.stats["wards_placed"], self.stats["wards_killed"]
        for seat in range(10):
            control = self.shops[seat].wards_used
            others = max(placed[seat] - len(control), 0)
            for at in control:
                self._ward(at, "WARD_PLACED", "creatorId", seat, "CONTROL_WARD")
            kind = "SIGHT_WARD" if seat % 5 == 4 else "YELLOW_TRINKET"
            for _ in range(others):
                self._ward(rng.randint(60_000, max(self.end - 1_000, 60_001)), "WARD_PLACED", "creatorId", seat, kind)
            for _ in range(killed[seat]):
                at = rng.randint(90_000, max(self.end - 1_000, 90_001))
                self._ward(at, "WARD_KILL", "killerId", seat, rng.choice(("CONTROL_WARD", "YELLOW_TRINKET")))
        for _ in range(rng.randint(2, 12)):
            self._ward(rng.randint(0, self.end - 1_000), "WARD_PLACED", "creatorId", rng.randint(-1, 9), "UNDEFINED")

    def _ward(self, at: int, event: str, by: str, seat: int, kind: str) -> None:
        self.add(at, {by: seat + 1, "timestamp": at, "type": event, "wardType": kind})

    # ----------------------------------------------------------------- the timeline

    def timeline(self, match_id: str) -> dict[str, Any]:
        """The timeline."""
        over = {
            "gameId": int(self.story.number[self.match]),
            "realTimestamp": self.started + self.end + 100,
            "timestamp": self.end,
            "type": "GAME_END",
            "winningTeam": _BLUE if self.blue_won else _RED,
        }
        self.events.sort(key=lambda each: each[:2])
        listed = [(at, event) for at, _, event in self.events] + [(self.end, over)]
        frames: list[dict[str, Any]] = []
        place = 0
        states = [self._states(seat) for seat in range(10)]
        for number, at in enumerate(self.frames):
            events: list[Event] = []
            while place < len(listed) and listed[place][0] <= at:
                events.append(listed[place][1])
                place += 1
            participants = {str(seat + 1): states[seat][number] for seat in range(10)}
            frames.append({"events": events, "participantFrames": participants, "timestamp": at})
        return {
            "metadata": self._metadata(match_id),
            "info": {
                "frameInterval": 60_000,
                "frames": frames,
                "gameId": int(self.story.number[self.match]),
                "participants": [{"participantId": seat + 1, "puuid": puuid} for seat, puuid in enumerate(self.puuids)],
            },
        }

    def _metadata(self, match_id: str) -> dict[str, Any]:
        return {"dataVersion": "2", "matchId": match_id, "participants": self.puuids}

    def _states(self, seat: int) -> list[dict[str, Any]]:
        """The participant at every frame."""
        story, match, rng = self.story, self.match, self.rng
        frame, of = np.arange(self.count), np.full(self.count, match)
        seats = np.full(self.count, seat)
        at = np.array(self.frames)
        xp = story.xp(of, seats, frame).tolist()
        lane = story.minions(of, seats, at, "lane").tolist()
        jungle = story.minions(of, seats, at, "jungle").tolist()
        reached = story.level_ms[match, seat]
        levels = np.searchsorted(reached[reached >= 0], at, side="right").clip(1, LEVELS).tolist()
        spent = self.shops[seat].spent_until(self.frames)
        played = np.clip((at - 90_000) / max(self.end - 90_000, 1), 0, 1) ** 1.4
        played[-1] = 1.0
        dealt = [self._split(total, seat) for total in (played * self.stats["damage"][seat]).astype(int).tolist()]
        taken = [self._split(total, seat) for total in (played * self.stats["taken"][seat]).astype(int).tolist()]
        home, stand = _HOME[_BLUE if seat < 5 else _RED], _STAND[seat % 5]
        states: list[dict[str, Any]] = []
        for number, (level, gold) in enumerate(zip(levels, self.gold[seat], strict=True)):
            total, physical, magic, true = dealt[number]
            x, y = home if number < 2 else stand
            health = 600 + 105 * (level - 1) + gold // 20
            stats = dict.fromkeys(_STATS, 0)
            stats |= {
                "abilityHaste": min(gold // 400, 80),
                "abilityPower": gold // 35 if self.champions[seat].build in _MAGICAL else 0,
                "armor": 30 + 4 * level,
                "attackDamage": 25 if number == 0 else 60 + 3 * level,
                "attackSpeed": 100 + 3 * level,
                "health": rng.randint(health // 3, health) if number else health,
                "healthMax": health,
                "magicResist": 30 + level,
                "movementSpeed": 335 if number < 5 else 380,
                "power": 350 + 30 * level,
                "powerMax": 350 + 40 * level,
            }
            states.append(
                {
                    "championStats": stats,
                    "currentGold": max(gold - spent[number], 0),
                    "damageStats": {
                        "magicDamageDone": 6 * magic,
                        "magicDamageDoneToChampions": magic,
                        "magicDamageTaken": taken[number][2],
                        "physicalDamageDone": 6 * physical,
                        "physicalDamageDoneToChampions": physical,
                        "physicalDamageTaken": taken[number][1],
                        "totalDamageDone": 6 * (physical + magic) + true,
                        "totalDamageDoneToChampions": total,
                        "totalDamageTaken": taken[number][0],
                        "trueDamageDone": true,
                        "trueDamageDoneToChampions": true,
                        "trueDamageTaken": taken[number][3],
                    },
                    "goldPerSecond": 0,
                    "jungleMinionsKilled": jungle[number],
                    "level": level,
                    "minionsKilled": lane[number],
                    "participantId": seat + 1,
                    "position": {"x": x + rng.randint(-400, 400), "y": y + rng.randint(-400, 400)},
                    "timeEnemySpentControlled": 1_500 * number,
                    "totalGold": gold,
                    "xp": xp[number],
                }
            )
        return states

    def _split(self, total: int, seat: int) -> tuple[int, int, int, int]:
        """A total with its physical, magic and true parts."""
        true = total // 20
        magic = (total - true) * (9 if self.champions[seat].build in _MAGICAL else 1) // 10
        return total, total - true - magic, magic, true

    # ----------------------------------------------------------------- the match object

    @property
    def _patch(self) -> str:
        return self.story.plan.patches[self.story.patch[self.match]][0]

    def match_object(self, match_id: str) -> dict[str, Any]:
        """The match object."""
        story, match = self.story, self.match
        game = int(story.number[match])
        return {
            "metadata": self._metadata(match_id),
            "info": {
                "gameCreation": self.started - self.rng.randint(15_000, 40_000),
                "gameDuration": self.end // 1000,
                "gameEndTimestamp": self.started + self.end + self.rng.randint(50, 600),
                "gameId": game,
                "gameMode": "ARAM" if self.is_aram else "CLASSIC",
                "gameName": f"teambuilder-match-{game}",
                "gameStartTimestamp": self.started,
                "gameType": "MATCHED_GAME",
                "gameVersion": game_version(self._patch),
                "mapId": 12 if self.is_aram else 11,
                "participants": [self._participant(seat) for seat in range(10)],
                "platformId": story.plan.platform,
                "queueId": int(story.queue[match]),
                "teams": [self._team(team) for team in (_BLUE, _RED)],
                "tournamentCode": "",
            },
        }

    def _taken(self, kind: str, team: int) -> list[dict[str, int]]:
        return [
            each
            for each in self.objectives
            if OBJECTIVE_KINDS[each["kind"]] == kind and bool(each["blue"]) == (team == _BLUE)
        ]

    def _team(self, team: int) -> dict[str, Any]:
        def objective(kind: str) -> dict[str, Any]:
            index = OBJECTIVE_KINDS.index(kind)
            first = next((each for each in self.objectives if each["kind"] == index), None)
            is_first = first is not None and bool(first["blue"]) == (team == _BLUE)
            return {"first": is_first, "kills": len(self._taken(kind, team))}

        seats = range(5) if team == _BLUE else range(5, 10)
        slain = [kill for kill in self.kills if kill["killer"] >= 0]
        counts = {
            "baron": objective("baron"),
            "champion": {
                "first": bool(slain) and slain[0]["killer"] in seats,
                "kills": sum(self.stats["kills"][seat] for seat in seats),
            },
            "dragon": objective("dragon"),
            "inhibitor": objective("inhibitor"),
            "riftHerald": objective("herald"),
            "tower": objective("tower"),
        }
        if has_riot_ids(self._patch):
            counts["horde"] = objective("grubs")
        played = {champion.champion_id for champion in self.champions}
        free = [champion.champion_id for champion in CHAMPIONS if champion.champion_id not in played]
        turns = range(1, 6) if team == _BLUE else range(6, 11)
        bans = zip(turns, self.rng.sample(free, 5), strict=True)
        return {
            "bans": [] if self.is_aram else [{"championId": banned, "pickTurn": turn} for turn, banned in bans],
            "objectives": counts,
            "teamId": team,
            "win": self.blue_won == (team == _BLUE),
        }

    def _participant(self, seat: int) -> dict[str, Any]:
        story, match, rng, stats = self.story, self.match, self.rng, self.stats
        champion, shop, own = self.champions[seat], self.shops[seat], self.streaks[seat]
        team = _BLUE if seat < 5 else _RED
        other = _RED if team == _BLUE else _BLUE
        won = self.blue_won == (seat < 5)
        seconds = self.end // 1000
        position = "" if self.is_aram else POSITIONS[seat % 5]
        total, physical, magic, true = self._split(stats["damage"][seat], seat)
        taken, physically, magically, truly = self._split(stats["taken"][seat], seat)
        of, seats, ends = np.array([match]), np.array([seat]), np.array([self.end])
        lane, jungle = (int(story.minions(of, seats, ends, kind)[0]) for kind in ("lane", "jungle"))
        xp = int(story.xp(of, seats, np.array([self.count - 1]))[0])
        remake, gave_up = bool(story.remake[match]), bool(story.stats["surrendered"][match])
        bit = 1 << seat
        towers = self._taken("tower", team)
        first_tower = next((each for each in self.objectives if OBJECTIVE_KINDS[each["kind"]] == "tower"), None)
        blood = next((kill for kill in self.kills if kill["killer"] >= 0), None)
        lane_name = {"TOP": "TOP", "JUNGLE": "JUNGLE", "MIDDLE": "MIDDLE", "": "NONE"}.get(position, "BOTTOM")
        role = {"TOP": "SOLO", "JUNGLE": "NONE", "MIDDLE": "SOLO", "BOTTOM": "CARRY"}.get(position, "SUPPORT")

        def by_hand(kind: str) -> int:
            return sum(each["killer"] == seat for each in self._taken(kind, team))

        def part_in(kind: str) -> int:
            return sum(bool(each["members"] & bit) for each in self._taken(kind, team))

        slots = shop.final_slots()
        name = self.names[seat]
        riot = (
            {"riotIdGameName": name, "riotIdTagline": "SIM"}
            if has_riot_ids(self._patch)
            else {"riotIdName": "", "riotIdTagline": ""}
        )
        return {
            **dict.fromkeys(_ZEROS, 0),
            "assists": stats["assists"][seat],
            "baronKills": by_hand("baron"),
            "challenges": self._challenges(seat, position, part_in, lane, jungle),
            "champExperience": xp,
            "champLevel": int((story.level_ms[match, seat] >= 0).sum()),
            "championId": champion.champion_id,
            "championName": champion.key,
            "consumablesPurchased": shop.consumables,
            "damageDealtToBuildings": stats["objective_damage"][seat] // 3,
            "damageDealtToObjectives": stats["objective_damage"][seat],
            "damageDealtToTurrets": stats["objective_damage"][seat] // 3,
            "damageSelfMitigated": taken,
            "deaths": stats["deaths"][seat],
            "detectorWardsPlaced": len(shop.wards_used),
            "doubleKills": own["doubleKills"],
            "dragonKills": by_hand("dragon"),
            "eligibleForProgression": not remake,
            "firstBloodAssist": blood is not None and bool(blood["assists"] & bit),
            "firstBloodKill": blood is not None and blood["killer"] == seat,
            "firstTowerAssist": first_tower is not None
            and bool(first_tower["members"] & bit)
            and first_tower["killer"] != seat,
            "firstTowerKill": first_tower is not None and first_tower["killer"] == seat,
            "gameEndedInEarlySurrender": remake,
            "gameEndedInSurrender": remake or gave_up,
            "goldEarned": self.gold[seat][-1],
            "goldSpent": max(shop.spent_until([self.end])[0], 0),
            "individualPosition": position or "Invalid",
            "inhibitorKills": by_hand("inhibitor"),
            "inhibitorTakedowns": part_in("inhibitor"),
            "inhibitorsLost": len(self._taken("inhibitor", other)),
            **{f"item{slot}": item for slot, item in enumerate(slots)},
            "itemsPurchased": shop.purchases,
            "killingSprees": own["sprees"],
            "kills": stats["kills"][seat],
            "lane": lane_name,
            "largestKillingSpree": own["longest"] if own["longest"] > 1 else 0,
            "largestMultiKill": own["at_once"],
            "longestTimeSpentLiving": max(self.lives[seat], 0) if stats["deaths"][seat] else 0,
            "magicDamageDealt": 6 * magic,
            "magicDamageDealtToChampions": magic,
            "magicDamageTaken": magically,
            "neutralMinionsKilled": jungle,
            "participantId": seat + 1,
            "pentaKills": own["pentaKills"],
            "perks": _perks(stats["keystone"][seat]),
            "physicalDamageDealt": 6 * physical,
            "physicalDamageDealtToChampions": physical,
            "physicalDamageTaken": physically,
            "profileIcon": 1 + seat * 37,
            "puuid": self.puuids[seat],
            "quadraKills": own["quadraKills"],
            **riot,
            "role": role,
            "spell1Casts": rng.randint(30, 250),
            "spell2Casts": rng.randint(20, 150),
            "spell3Casts": rng.randint(20, 150),
            "spell4Casts": rng.randint(2, 40),
            "summoner1Casts": rng.randint(1, 8),
            "summoner1Id": 4,
            "summoner2Casts": rng.randint(1, 12),
            "summoner2Id": 11 if seat % 5 == 1 else stats["summoner2"][seat],
            "summonerId": self.puuids[seat][:47],
            "summonerLevel": 30 + int(story.player[match, seat]) % 600,
            "summonerName": "" if has_riot_ids(self._patch) else name,
            "teamEarlySurrendered": remake and not won,
            "teamId": team,
            "teamPosition": position,
            "timeCCingOthers": rng.randint(0, 60),
            "timePlayed": seconds,
            "totalDamageDealt": 6 * (physical + magic) + true,
            "totalDamageDealtToChampions": total,
            "totalDamageTaken": taken,
            "totalHeal": taken // 4,
            "totalMinionsKilled": lane,
            "totalTimeCCDealt": rng.randint(20, 600),
            "totalTimeSpentDead": stats["dead_s"][seat],
            "totalUnitsHealed": 1,
            "tripleKills": own["tripleKills"],
            "trueDamageDealt": true,
            "trueDamageDealtToChampions": true,
            "trueDamageTaken": truly,
            "turretKills": by_hand("tower"),
            "turretTakedowns": sum(bool(each["members"] & bit) for each in towers),
            "turretsLost": len(self._taken("tower", other)),
            "visionScore": stats["vision"][seat],
            "visionWardsBoughtInGame": stats["control_wards"][seat],
            "wardsKilled": stats["wards_killed"][seat],
            "wardsPlaced": stats["wards_placed"][seat],
            "win": won,
        }

    def _challenges(
        self, seat: int, position: str, part_in: Callable[[str], int], lane: int, jungle: int
    ) -> dict[str, Any]:
        stats, story, match = self.stats, self.story, self.match
        minutes = max(self.end / 60_000, 1e-9)
        mates = range(5) if seat < 5 else range(5, 10)
        team_kills = sum(stats["kills"][mate] for mate in mates)
        team_damage = sum(stats["damage"][mate] for mate in mates)
        team_taken = sum(stats["taken"][mate] for mate in mates)
        kills, deaths, assists = (stats[name][seat] for name in ("kills", "deaths", "assists"))
        ten = np.array([min(600_000, self.end)])
        of, seats = np.array([match]), np.array([seat])
        team = _BLUE if seat < 5 else _RED
        told: dict[str, Any] = dict.fromkeys(_CHALLENGES, 0)
        told |= {
            "abilityUses": 10 * int(minutes),
            "baronTakedowns": part_in("baron"),
            "controlWardsPlaced": len(self.shops[seat].wards_used),
            "damagePerMinute": stats["damage"][seat] / minutes,
            "damageTakenOnTeamPercentage": stats["taken"][seat] / max(team_taken, 1),
            "deathsByEnemyChamps": deaths,
            "dragonTakedowns": part_in("dragon"),
            "gameLength": self.end / 1000,
            "goldPerMinute": self.gold[seat][-1] / minutes,
            "kda": (kills + assists) / max(deaths, 1),
            "killParticipation": (kills + assists) / max(team_kills, 1),
            "killingSprees": self.streaks[seat]["sprees"],
            "jungleCsBefore10Minutes": int(story.minions(of, seats, ten, "jungle")[0]),
            "laneMinionsFirst10Minutes": int(story.minions(of, seats, ten, "lane")[0]),
            "riftHeraldTakedowns": part_in("herald"),
            "soloKills": self.streaks[seat]["alone"],
            "stealthWardsPlaced": stats["wards_placed"][seat],
            "takedowns": kills + assists,
            "teamBaronKills": len(self._taken("baron", team)),
            "teamDamagePercentage": stats["damage"][seat] / max(team_damage, 1),
            "teamRiftHeraldKills": len(self._taken("herald", team)),
            "turretPlatesTaken": self.plates[seat],
            "turretTakedowns": part_in("tower"),
            "visionScoreAdvantageLaneOpponent": stats["vision"][seat] / max(stats["vision"][(seat + 5) % 10], 1) - 1,
            "visionScorePerMinute": stats["vision"][seat] / minutes,
            "wardTakedowns": stats["wards_killed"][seat],
        }
        told |= dict.fromkeys(_JUNGLER_CHALLENGES if position == "JUNGLE" else _LANER_CHALLENGES, 0)
        if dragons := [each for each in self._taken("dragon", team) if each["members"] >> seat & 1]:
            told["earliestDragonTakedown"] = dragons[0]["ms"] / 1000
        if barons := self._taken("baron", team):
            told |= {"earliestBaron": barons[0]["ms"] / 1000, "baronBuffGoldAdvantageOverThreshold": 1}
        if towers := self._taken("tower", team):
            told |= {"firstTurretKilled": 1, "firstTurretKilledTime": towers[0]["ms"] / 1000}
        if mythic := self.shops[seat].mythic:
            told["mythicItemUsed"] = mythic
        if stats["control_wards"][seat]:
            told["controlWardTimeCoverageInRiverOrEnemyHalf"] = 0.25
        if stats["damage"][seat] == max(stats["damage"]):
            told["highestChampionDamage"] = 1
        if seat % 5 == 0 and seat < 5:
            told["highestCrowdControlScore"] = 1
        if stats["wards_killed"][seat] == max(stats["wards_killed"]):
            told["highestWardKills"] = 1
        if position == "UTILITY":
            told["fasterSupportQuestCompletion"] = 1
        if story.remake[match]:
            told["hadAfkTeammate"] = 1
        if minutes > 35:
            told["soloTurretsLategame"] = 0
        if kills + assists > 20:
            told |= {"fastestLegendary": 900.5, "shortestTimeToAceFromFirstTakedown": 12.5}
        return told


_STREAKS = (
    "longest", "at_once", "sprees", "alone", "doubleKills", "tripleKills", "quadraKills", "pentaKills",
)  # fmt: skip
_MULTI = {2: "doubleKills", 3: "tripleKills", 4: "quadraKills", 5: "pentaKills"}


def _perks(keystone: int) -> dict[str, Any]:
    def selections(*runes: int) -> list[dict[str, int]]:
        return [{"perk": rune, "var1": 100 + rune % 400, "var2": 0, "var3": 0} for rune in runes]

    return {
        "statPerks": {"defense": 5002, "flex": 5008, "offense": 5005},
        "styles": [
            {
                "description": "primaryStyle",
                "selections": selections(keystone, 9111, 9104, 8299),
                "style": keystone // 100 * 100,
            },
            {"description": "subStyle", "selections": selections(8345, 8304), "style": 8300},
        ],
    }


class _Shop:
    """What one participant buys, uses, sells and takes back, in the order of time.

    Completed items stand in the story; components are bought on the way to them as far as the gold lasts.
    """

    def __init__(self, game: _Game, seat: int) -> None:
        self.game, self.seat, self.rng = game, seat, game.rng
        self.held: list[int] = []
        self.counts: dict[int, int] = {}
        self.trinket = _SNAX if game.is_aram else _WARD_TRINKET
        self.purchases = self.consumables = self.mythic = 0
        self.wards_used: list[int] = []
        self.ledger: list[tuple[int, int]] = []
        self.todo: list[tuple[int, int, Callable[[int], None]]] = []
        self.used: set[int] = set()
        self.spent = 0

    # ------------------------------------------------------------- what is to be done

    def at(self, ms: int, do: Callable[[int], None], *, exactly: bool = False) -> None:
        """Do something then; what need not be exact is moved away from what else happens at that millisecond."""
        while not exactly and ms in self.used:
            ms += 17
        if ms < self.game.end:
            self.used.add(ms)
            insort(self.todo, (ms, len(self.used), do), key=lambda each: each[:2])

    def open(self) -> None:
        """Go through the whole game."""
        story, match, seat, rng = self.game.story, self.game.match, self.seat, self.rng
        wanted = [
            (int(ms), int(item))
            for ms, item in zip(
                [*story.core_ms[match, seat], story.boots_ms[match, seat]],
                [*story.core_item[match, seat], story.boots[match, seat]],
                strict=True,
            )
            if ms >= 0
        ]
        wanted.sort()
        turned = int(story.turned_ms[match, seat])
        for ms, _ in wanted:
            self.used |= {ms, ms - 2_000, ms - 4_000, ms - 700}
        if turned >= 0:
            self.used.add(turned)
            self.at(turned, self._turn, exactly=True)
        begin = rng.randint(2_500, 42_000)
        self.at(begin, self._start)
        previous = begin + 60_000
        for ms, item in wanted:
            self.at(ms - 4_000, lambda at, item=item, done=ms: self._before(at, item, done), exactly=True)
            self.at(ms, lambda at, item=item: self._complete(at, item), exactly=True)
            for _ in range(rng.randint(0, 2)):
                if ms - previous > 60_000:
                    trip = rng.randint(previous + 20_000, ms - 15_000)
                    self.at(trip, lambda at, item=item: self._components(at, item))
            previous = ms
        self._habits()
        while self.todo:
            ms, _, do = self.todo.pop(0)
            do(ms)

    def _habits(self) -> None:
        rng, end, place = self.rng, self.game.end, self.seat % 5
        for _ in range(self.game.stats["control_wards"][self.seat]):
            self.at(rng.randint(150_000, max(end - 5_000, 150_001)), self._control_ward)
        if self.game.is_aram:
            return
        if place in (1, 4) or rng.random() < 0.3:
            lens = _FARSIGHT if place == 3 else _SWEEPER
            self.at(rng.randint(420_000, 800_000), lambda at: self._swap_trinket(at, lens))
        if place == 1:
            self.at(rng.randint(840_000, 1_140_000), lambda at: self._eaten(at))
        if place == 4:
            for step, ms in enumerate((rng.randint(500_000, 640_000), rng.randint(760_000, 980_000))):
                self.at(ms, lambda at, step=step: self._grow(at, step))

    # ------------------------------------------------------------- what is done

    def _tell(self, at: int, kind: str, item: int) -> None:
        event = {"itemId": item, "participantId": self.seat + 1, "timestamp": at, "type": f"ITEM_{kind}"}
        self.game.add(at, event)

    def _undo(self, at: int, before: int, after: int, gold: int) -> None:
        self.game.add(
            at,
            {
                "afterId": after,
                "beforeId": before,
                "goldGain": gold,
                "participantId": self.seat + 1,
                "timestamp": at,
                "type": "ITEM_UNDO",
            },
        )
        self._pay(at, -gold)

    def _pay(self, at: int, gold: int) -> None:
        self.spent += gold
        self.ledger.append((at, gold))

    def _gain(self, item: int) -> None:
        if item not in (_POTION, _CONTROL_WARD) or not self.counts.get(item):
            self.held.append(item)
        self.counts[item] = self.counts.get(item, 0) + 1

    def _lose(self, item: int) -> None:
        self.counts[item] -= 1
        if item not in (_POTION, _CONTROL_WARD) or not self.counts[item]:
            self.held.remove(item)

    def _buy(self, at: int, item: int) -> tuple[int, list[int]]:
        """Buy with what is held of its components; what it cost, and what went into it."""
        parts = self._parts(item)
        cost = ITEMS[item].gold_total - sum(ITEMS[part].gold_total for part in parts)
        for part in parts:
            self._lose(part)
            self._tell(at, "DESTROYED", part)
        self._tell(at, "PURCHASED", item)
        self._gain(item)
        self._pay(at, cost)
        self.purchases += 1
        self.consumables += ITEMS[item].kind == "consumable"
        return cost, parts

    def _parts(self, item: int) -> list[int]:
        """What is held of an item's recipe, the whole of a component before its parts."""
        held = list(self.held)

        def taken(of: int) -> Iterator[int]:
            for part in ITEMS[of].recipe:
                if part in held:
                    held.remove(part)
                    yield part
                else:
                    yield from taken(part)

        return list(taken(item))

    def _take_back(self, at: int, item: int, cost: int, parts: Sequence[int]) -> None:
        self._undo(at, item, 0, cost)
        self._lose(item)
        for part in parts:
            self._gain(part)
        self.purchases -= 1
        self.consumables -= ITEMS[item].kind == "consumable"

    def _is_free_until(self, ms: int) -> bool:
        """Whether nothing else comes until then, so that an undo takes back what it means."""
        return ms < self.game.end and (not self.todo or self.todo[0][0] > ms)

    def _has_room(self, item: int) -> bool:
        stacked = item in (_POTION, _CONTROL_WARD) and self.counts.get(item, 0) > 0
        return stacked or len(self.held) - len(self._parts(item)) < _SLOTS

    def _sell(self, at: int, item: int) -> None:
        self._tell(at, "SOLD", item)
        self._lose(item)
        self._pay(at, -ITEMS[item].gold_sell)

    def _start(self, at: int) -> None:
        rng, build, place = self.rng, self.game.champions[self.seat].build, self.seat % 5
        if place == 1 and not self.game.is_aram:
            first = rng.choice((1101, 1102, 1103))
        elif place == 4 and not self.game.is_aram:
            first = 3858 if build == "warden" else 3850
        else:
            first = {"mage": 1056, "ap_assassin": 1056, "tank": 1054}.get(build, 1055)
        later = at
        if rng.random() < 0.12:
            cost, parts = self._buy(at, _REFILLABLE)
            self._take_back(at + 1_400, _REFILLABLE, cost, parts)
            later = at + 3_000
        self._buy(later, first)
        for _ in range((500 - ITEMS[first].gold_total) // ITEMS[_POTION].gold_total):
            self._buy(later, _POTION)
            self.at(rng.randint(95_000, 420_000), lambda at: self._drink(at))
        if not self.game.is_aram and rng.random() < 0.5:
            self._tell(later + 600, "PURCHASED", _WARD_TRINKET)
            self.purchases += 1
        self.used |= {at, at + 1_400, later, later + 600}

    def _drink(self, at: int) -> None:
        if self.counts.get(_POTION):
            self._tell(at, "DESTROYED", _POTION)
            self._lose(_POTION)

    def _components(self, at: int, item: int) -> None:
        """Buy components of the next item as far as gold and room are there."""
        if at <= 0 or item in self.held:
            return
        for part in self._missing(item):
            parts = self._parts(part)
            cost = ITEMS[part].gold_total - sum(ITEMS[each].gold_total for each in parts)
            if cost > self.game.gold_at(self.seat, at) - self.spent or not self._has_room(part):
                continue
            cost, parts = self._buy(at, part)
            if self.rng.random() < 0.02 and self._is_free_until(at + 3_000):
                self._take_back(at + 1_500, part, cost, parts)
                self.used |= {at + 1_500, at + 3_000}
                self._buy(at + 3_000, part)
            return

    def _missing(self, item: int) -> list[int]:
        """Components that are not held, larger ones first, and what they are made of after them."""
        held = list(self.held)
        found: list[int] = []
        for part in ITEMS[item].recipe:
            if part in held:
                held.remove(part)
            else:
                found += [part, *(each for each in ITEMS[part].recipe if each not in self.held)]
        return sorted(found, key=lambda part: -ITEMS[part].gold_total)

    def _before(self, at: int, item: int, done: int) -> None:
        """Make room; sometimes buy it, or other boots, too early and take that back."""
        self._make_room(at - 100, item)
        chance = self.rng.random()
        bought = 3009 if ITEMS[item].kind == "boots" and item != 3009 and chance < 0.05 else item
        if (bought == item and chance > 0.03) or not self._is_free_until(done - 1):
            return
        cost, parts = self._buy(at, bought)
        self._take_back(done - 2_000, bought, cost, parts)

    def _make_room(self, at: int, item: int) -> None:
        while not self._has_room(item):
            spare = [each for each in self.held if ITEMS[each].kind in ("starter", "consumable")]
            spare += [each for each in self.held if ITEMS[each].kind == "component" and each not in self._parts(item)]
            self._sell(at, spare[0])

    def _complete(self, at: int, item: int) -> None:
        self._make_room(at - 50, item)
        self._buy(at, item)
        if ITEMS[item].is_mythic:
            self.mythic = item
        cores = sum(ITEMS[each].kind == "core" for each in self.held)
        starters = [each for each in self.held if each in (1054, 1055, 1056)]
        if cores >= 2 and starters and self.rng.random() < 0.6:
            self.at(at + 1_900, lambda at: self._sell_starter(at, starters[0]))
        if cores >= 4:
            self.at(at + 40_000, self._elixir)

    def _sell_starter(self, at: int, item: int) -> None:
        if item not in self.held:
            return
        self._sell(at, item)
        if self.rng.random() < 0.15 and self._is_free_until(at + 1_100):
            self._undo(at + 1_100, 0, item, -ITEMS[item].gold_sell)
            self._gain(item)
            self.used.add(at + 1_100)

    def _elixir(self, at: int) -> None:
        """Bought and drunk at once, which is told the other way round."""
        if self.game.gold_at(self.seat, at) - self.spent >= ITEMS[_ELIXIR].gold_total:
            self._tell(at, "DESTROYED", _ELIXIR)
            self._tell(at, "PURCHASED", _ELIXIR)
            self._pay(at, ITEMS[_ELIXIR].gold_total)
            self.purchases += 1
            self.consumables += 1

    def _control_ward(self, at: int) -> None:
        if not self._has_room(_CONTROL_WARD) or self.counts.get(_CONTROL_WARD, 0) >= 2:
            # Placed at once: told as elixirs are.
            self._tell(at, "DESTROYED", _CONTROL_WARD)
            self._tell(at, "PURCHASED", _CONTROL_WARD)
            self._pay(at, ITEMS[_CONTROL_WARD].gold_total)
            self.purchases += 1
            self.consumables += 1
            self.wards_used.append(at)
            return
        self._buy(at, _CONTROL_WARD)
        self.at(at + self.rng.randint(8_000, 160_000), self._place_ward)

    def _place_ward(self, at: int) -> None:
        if self.counts.get(_CONTROL_WARD):
            self._tell(at, "DESTROYED", _CONTROL_WARD)
            self._lose(_CONTROL_WARD)
            self.wards_used.append(at)

    def _swap_trinket(self, at: int, item: int) -> None:
        self._tell(at, "DESTROYED", self.trinket)
        self._tell(at, "PURCHASED", item)
        self.purchases += 1
        if self.rng.random() < 0.04 and self._is_free_until(at + 900):
            # Of a trinket, which costs nothing, the two are told the other way round.
            self._undo(at + 900, 0, item, 0)
            self.purchases -= 1
            self.used.add(at + 900)
            return
        self.trinket = item

    def _eaten(self, at: int) -> None:
        for pet in (1101, 1102, 1103):
            if pet in self.held:
                self._tell(at, "DESTROYED", pet)
                self._lose(pet)

    def _grow(self, at: int, step: int) -> None:
        for first, (second, third) in _GROWS.items():
            before, after = ((first, second), (second, third))[step]
            if before in self.held:
                self._replace(at, before, after)

    def _turn(self, at: int) -> None:
        for before, after in TURNS_INTO.items():
            if before in self.held and ITEMS[before].kind == "core":
                self._replace(at, before, after)

    def _replace(self, at: int, before: int, after: int) -> None:
        self._tell(at, "DESTROYED", before)
        self.counts[before] -= 1
        self.held[self.held.index(before)] = after
        self.counts[after] = self.counts.get(after, 0) + 1

    # ------------------------------------------------------------- what came of it

    def spent_until(self, moments: Sequence[int]) -> list[int]:
        """Gold spent until moments, less what was got back."""
        at = np.array([ms for ms, _ in self.ledger], np.int64)
        order = np.argsort(at, kind="stable")
        gold = np.concatenate([[0], np.cumsum(np.array([gold for _, gold in self.ledger], np.int64)[order])])
        return gold[np.searchsorted(at[order], moments, side="right")].tolist()

    def final_slots(self) -> list[int]:
        """What lies in the seven slots at the end, the trinket last."""
        return [*self.held, *[0] * (_SLOTS - len(self.held)), self.trinket]
