"""A tracked player's results, comparisons and training as one HTML file that needs no network.

It uses the published tables, functions and templates of the player's pages. Results are shown by playlist; simulated
matches are labelled in every section. Other players appear only with rank and figures.
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
from gamestats_assets.rocket_league.reference.ranks import rank_name
from gamestats_assets.rocket_league.serving.context import playlists_of
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.rocket_league.serving.players import standings
from gamestats_assets.rocket_league.serving.players.standings import Standing
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
        path: the HTML file; a missing folder is created.
        url: PostgreSQL with the published tables.
        entry: the player's entry.
        set_aside: matches of the player that are in no table, in words.

    Raises:
        NoReportError: when the player has not agreed or has no tables yet; the message gives the remedy.
    """
    player_id = entry["player_id"]
    if entry["consented_at"] is None:
        raise NoReportError(
            f"{player_id} has not agreed to the analysis, so there are no tables of the player alone. With the "
            f"player's consent: gamestats rocket-league track {player_id} --consent, then gamestats materialize"
        )
    values = asyncio.run(_values(url, player_id))
    page = Pages([ROCKET_LEAGUE], Bundle()).written(
        TEMPLATE, {**values, "player": entry, "set_aside": set_aside, "linked": False}, Place(path.name, {})
    )
    write_whole(path, page)


async def _values(url: SecretStr | str, player_id: str) -> dict[str, Any]:
    """Returns the values of the template, from one snapshot of the tables."""
    whole = url if isinstance(url, SecretStr) else SecretStr(url)
    async with await cast(type[Connection], psycopg.AsyncConnection).connect(**connecting(whole)) as conn:
        await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        user = (
            await rows_of(conn, _USER, [player_id]) if await are_published(conn, Users, *standings.OWN_TABLES) else []
        )
        if not user:
            raise NoReportError(f"The tables of {player_id} do not exist yet: gamestats materialize")
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
    """Yields name, value and remark."""
    # Simulated matches count only without others.
    counted = [of for of in found if not of.is_simulated] or found
    tier = user["current_rank_tier"]
    yield "Highest rank", rank_name(tier) if tier else "unknown", "in any playlist, as known now"
    matches, when = sum(of.matches for of in counted), "none yet"
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
