"""The simulated season as the files that the API gives."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from gamestats_assets_tests.pubg.tournament.planned import Game
from gamestats_assets_tests.pubg.tournament.season import MAPS, SimulatedSeason, account, local, slot_of

EVENINGS = [date(2026, 10, 23), date(2026, 10, 24), date(2026, 10, 25)]
_SECOND = timedelta(seconds=1)


class LandedSeason(SimulatedSeason):
    """The season on three evenings that both divisions share, as match objects.

    Without telemetry nobody has weapons or killsteals. Who stands in for team 1 is off the own roster that day, and the
    own team plays with three. The last match of division 2 is postponed to the day after the last evening.
    """

    DAYS = {1: EVENINGS, 2: EVENINGS}

    def __post_init__(self) -> None:
        super().__post_init__()
        first, second, _ = EVENINGS
        for match_id, start in (
            ("friendly", local(second, 17, 0)),
            ("ranked", local(first, 15, 0)),
            ("normal", local(first, 16, 0)),
        ):
            self.game(match_id).start = start
        postponed = self.slots[slot_of(2, 3, 6)]
        postponed["scheduled_at"] = local(date(2026, 10, 26), 19, 0)
        self.game("d2r3m6").start = postponed["scheduled_at"] + timedelta(minutes=1)
        for match in range(1, 7):
            game = self.game(f"d2r1m{match}")
            game.people = [person for person in game.people if person.account != account(17, 0)]
        for game in self.games:
            for person in game.people:
                person.killsteals, person.weapons = None, {}

    def game(self, match_id: str) -> Game:
        """The match of an id."""
        return next(game for game in self.games if game.match_id == match_id)

    def files(self) -> dict[str, bytes]:
        """The match object of every match, by its id."""
        return {game.match_id: self.match_object(game) for game in self.games}

    def _rosters(self) -> list[dict[str, Any]]:
        entries = super()._rosters()
        lent = next(each for each in entries if (each["account_id"], each["team_id"]) == (account(17, 0), 17))
        day = EVENINGS[0]
        entries.append({**lent, "roster_entry_id": len(entries) + 1, "valid_from": day + timedelta(days=1)})
        lent["valid_until"] = day - timedelta(days=1)
        return entries

    def match_object(self, game: Game) -> bytes:
        """The document of `/matches/{id}`."""
        sides: dict[int, list[dict[str, Any]]] = defaultdict(list)
        ranks: dict[int, int] = {}
        for person in game.people:
            stats: dict[str, Any] = {"playerId": person.account, "name": person.name}
            if person.placement is not None:
                ranks[person.side] = person.placement
            # Of somebody who lost the connection at once nothing more is known.
            if person.kills is not None:
                stats |= {
                    "kills": person.kills,
                    "assists": person.assists,
                    "damageDealt": person.damage,
                    "deathType": "byplayer",
                    "timeSurvived": game.minutes * 60 - ranks[person.side],
                    "winPlace": person.placement,
                    "DBNOs": person.kills,
                    "headshotKills": 0,
                    "teamKills": 0,
                    "revives": 0,
                }
            sides[person.side].append(stats)
        for number in range(game.bots):
            side = 90 + number // 4
            taken = {*ranks.values()}
            ranks.setdefault(side, next(place for place in range(1, 99) if place not in taken))
            sides[side].append({"playerId": f"ai.{number + 1}", "name": f"Bot{number}", "kills": 0, "winPlace": 99})
        participants: list[dict[str, Any]] = []
        rosters: list[dict[str, Any]] = []
        for side, members in sorted(sides.items()):
            ids = [f"{game.match_id}-{side}-{number}" for number in range(len(members))]
            participants += [
                {"type": "participant", "id": id_, "attributes": {"actor": "", "shardId": "steam", "stats": stats}}
                for id_, stats in zip(ids, members, strict=True)
            ]
            attributes = {
                "won": "true" if ranks[side] == 1 else "false",
                "stats": {"rank": ranks[side], "teamId": side},
            }
            rosters.append(
                {
                    "type": "roster",
                    "id": f"{game.match_id}-{side}",
                    "attributes": attributes,
                    "relationships": {"participants": {"data": [{"type": "participant", "id": id_} for id_ in ids]}},
                }
            )
        # Custom matches are dated by when they were stored, the others by when they began.
        is_custom = (game.match_type or "custom").lower() == "custom"
        uploaded = game.end + 30 * _SECOND if is_custom else game.end + 150 * _SECOND
        asset = {"name": "telemetry", "createdAt": _written(uploaded), "URL": f"https://t.example/{game.match_id}.json"}
        attributes = {
            "createdAt": _written(game.end if is_custom else game.start),
            "duration": round(game.minutes * 60),
            "gameMode": "esports-squad-fpp",
            "isCustomMatch": is_custom,
            "mapName": MAPS[game.map][0],
            "shardId": "steam",
            **({"matchType": game.match_type} if game.match_type else {}),
        }
        document = {
            "data": {"type": "match", "id": game.match_id, "attributes": attributes},
            "included": [*rosters, *participants, {"type": "asset", "id": "a", "attributes": asset}],
        }
        return json.dumps(document).encode()


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
