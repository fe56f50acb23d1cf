"""How a tracked player plays, how that compares, and what to train, as one HTML file that needs no network.

It is made of the published tables by the same functions and of the same templates as the player's pages. Everything is
told per playlist; what rests on simulated matches is labelled in every section. Others are told by their rank and
figures alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import psycopg
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import write_whole
from gamestats_assets.rocket_league.analysis.wording import day_words
from gamestats_assets.rocket_league.ranks import rank_name
from gamestats_assets.rocket_league.serving import standings
from gamestats_assets.rocket_league.serving.context import playlists_of
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.rocket_league.serving.standings import Standing
from gamestats_assets.rocket_league.tables import Users
from gamestats_assets.serving.answers.lines import are_published, rows_of
from gamestats_assets.serving.database import Connection, connecting
from gamestats_assets.serving.pages.bundle import Bundle
from gamestats_assets.serving.pages.rendering import Pages, Place

TEMPLATE = "rocket_league/report.html"
_USER = "SELECT * FROM rocket_league.users WHERE player_id = %s"


class NoReportError(GamestatsError):
    """The player has not agreed to the analysis, or is not in the tables yet."""


def write_report(path: Path, url: SecretStr | str, entry: Row, set_aside: str = "") -> None:
    """Write the report.

    Args:
        path: of the HTML file; its folder is made where it is missing.
        url: PostgreSQL, which holds the published tables.
        entry: of the player, as entered.
        set_aside: which matches of the player no table is made of, in words.

    Raises:
        NoReportError: when nothing may be made of the player, or nothing is made yet; the message says what to do.
    """
    player_id = entry["player_id"]
    if entry["consented_at"] is None:
        raise NoReportError(
            f"{player_id} has not agreed to the analysis, so that nothing is made of the player alone. With the "
            f"player's consent: gamestats rocket-league track {player_id} --consent, then gamestats materialize"
        )
    values = asyncio.run(_values(url, player_id))
    page = Pages([ROCKET_LEAGUE], Bundle()).written(
        TEMPLATE, {**values, "player": entry, "set_aside": set_aside, "linked": False}, Place(path.name, {})
    )
    write_whole(path, page)


async def _values(url: SecretStr | str, player_id: str) -> dict[str, Any]:
    """What the template is filled with, of one snapshot of the tables."""
    whole = url if isinstance(url, SecretStr) else SecretStr(url)
    async with await cast(type[Connection], psycopg.AsyncConnection).connect(**connecting(whole)) as conn:
        await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        user = (
            await rows_of(conn, _USER, [player_id]) if await are_published(conn, Users, *standings.OWN_TABLES) else []
        )
        if not user:
            raise NoReportError(f"The tables of {player_id} are not made yet: gamestats materialize")
        trained = await standings.sessions(conn, player_id)
        recommended = await standings.recommendations(conn, player_id)
        found = await _standings(conn, player_id, trained)
    return {
        "tiles": list(_tiles(user[0], found)),
        "standings": found,
        "kinds": [
            (kind, [row for row in recommended if row["is_simulated"] == kind])
            for kind in dict.fromkeys([of.is_simulated for of in found])
        ],
        "sessions": trained,
    }


async def _standings(conn: Connection, player_id: str, trained: Sequence[Row]) -> list[Standing]:
    played = await playlists_of(conn, player_id)
    return [await standings.standing(conn, player_id, of, trained, f"p{number}") for number, of in enumerate(played, 1)]


def _tiles(user: Row, found: Sequence[Standing]) -> Iterator[tuple[str, str, str]]:
    """Name, value, and what else there is to it."""
    # What is simulated counts only where nothing else is there.
    counted = [of for of in found if not of.is_simulated] or found
    tier = user["current_rank_tier"]
    yield "Highest rank", rank_name(tier) if tier else "unknown", "in any playlist, as known now"
    matches, when = sum(of.matches for of in counted), "none is kept yet"
    if counted:
        when = f"{day_words(min(of.first_day for of in counted))} to {day_words(max(of.last_day for of in counted))}"
    yield "Matches", f"{matches:,}", when
    measured = [of for of in counted if of.measured]
    skills = sum(len(of.measured) for of in measured)
    yield "Skills measured", f"{skills}", f"in {len(measured)} of {len(counted)} playlist{'s' * (len(counted) != 1)}"
    weak = [row["skill"] for of in counted for row in of.weak]
    if measured:
        yield "Weaknesses", f"{len(weak)}", ", ".join(dict.fromkeys(weak)) or "none beyond chance"
    else:
        yield "Weaknesses", "unknown", "no skill is measured yet"
