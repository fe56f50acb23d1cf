"""A tournament player: teams, standings, results; and search for teams and players."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from psycopg import sql
from pydantic import BaseModel, Field, create_model

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.serving.context import CONTEXT_TABLES
from gamestats_assets.pubg.tournament.serving.leaderboards import PLAYER_DIGITS, PLAYER_FIGURES
from gamestats_assets.serving.answers.lines import Lines, answer_of, answer_with, are_published, named, rows_of
from gamestats_assets.serving.answers.routes import Made, Name, Number, Parameters
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

PLAYER_TABLES = (
    *CONTEXT_TABLES,
    t.Teams,
    t.RosterEntries,
    t.TournamentLineups,
    t.TournamentPlayerStandings,
    t.TournamentTeamResults,
    t.MatchSummaries,
    t.PlayerMatchWeaponDistribution,
)
SEARCH_TABLES = (*CONTEXT_TABLES, t.Teams, t.RosterEntries, t.TournamentPlayerStandings)
ENTRY = Lines(
    "TeamOfPlayer",
    t.RosterEntries,
    {
        "team_id": "team_id",
        "team_name": Annotated[str, Field(description="Name of the team.")],
        "season": Annotated[str, Field(description="Short name of its season.")],
        "division": Annotated[str, Field(description="Its division.")],
        **named("role", "valid_from", "valid_until"),
    },
)
_STANDING_COLUMNS = {"season": "season", "division": "division", "round": "round_number", "round_name": "round_name"}
_STANDING_COLUMNS |= {"team_id": "team_id", "team_name": "team_name", "rank": "rank", **PLAYER_FIGURES}
STANDING = Lines("PlayerStanding", t.TournamentPlayerStandings, _STANDING_COLUMNS, digits=PLAYER_DIGITS)
RESULT = Lines(
    "ResultOfPlayer",
    t.MatchSummaries,
    {
        "match_id": "match_id",
        "season": Annotated[str, Field(description="Short name of the season.")],
        "division": Annotated[str, Field(description="Division of the match.")],
        "round": Annotated[int | None, Field(description="Number of the round.")],
        "match_number": Annotated[int | None, Field(description="Number within the round.")],
        "map_name": Annotated[str | None, Field(description="Map name.")],
        "started_at": Annotated[datetime, Field(description="Start of the match.")],
        "counts": Annotated[bool, Field(description="Whether the match counts in standings.")],
        "team_id": Annotated[int, Field(description="Team played for.")],
        "team_name": Annotated[str, Field(description="Its name.")],
        **named("placement", "kills", "assists"),
        "knocks": "dbnos",
        **named("damage_dealt", "damage_received", "time_survived_s", "killsteals"),
    },
    digits={"damage_dealt": 1, "damage_received": 1},
)
WEAPON = Lines(
    "WeaponsOfPlayer",
    t.PlayerMatchWeaponDistribution,
    {"weapon_category": "weapon_category", "damage": "total_damage", "kills": "total_kills", "knocks": "knock_downs"},
    digits={"damage": 1},
)
_PlayerData: type[BaseModel] = create_model(
    "PlayerData",
    account_id=str,
    player_name=str,
    teams=list[ENTRY.model],
    standings=list[STANDING.model],
    results=list[RESULT.model],
    weapons=list[WEAPON.model],
)
OnePlayer = answer_with("OnePlayer", _PlayerData)


class OfPlayer(Parameters):
    """A player."""

    account_id: Annotated[Name, Field(description="Account of the player.", examples=[f"account.{1:032x}"])]


async def one_player(conn: Connection, asked: OfPlayer) -> Made:
    """Returns a tournament player: teams, standings overall and per round, results (newest first), and weapons.

    Raises:
        ProblemError: 404 if the account is on no roster and in no tournament match.
    """
    bound = {"account": asked.account_id}
    teams = await rows_of(conn, _TEAMS, bound)
    standings = await rows_of(conn, _STANDINGS, bound)
    results = await rows_of(conn, _RESULTS, bound)
    names = [row["name"] for row in (*results, *standings, *teams)]
    if not names:
        detail = f"No player with the account {asked.account_id[:80]!r} is on a roster or played in a tournament."
        raise ProblemError(404, detail, errors=[{"name": "account_id", "message": detail}])
    has_weapons = await are_published(conn, t.PlayerMatchWeaponDistribution)
    weapons = await rows_of(conn, _WEAPONS, bound) if has_weapons else []
    data = {
        "account_id": asked.account_id,
        "player_name": names[0],
        "teams": [ENTRY.line(row) for row in teams],
        "standings": [STANDING.line(row) for row in standings],
        "results": [RESULT.line(row) for row in results],
        "weapons": [WEAPON.line(row) for row in weapons],
    }
    return {"data": data}


_TEAMS = ENTRY.select(
    team_name="t.team_name", season="s.season", division="d.division", name="roster_entries.player_name"
) + sql.SQL("""
    JOIN pubg.teams t USING (team_id) JOIN pubg.divisions d USING (division_id) JOIN pubg.seasons s USING (season_id)
    WHERE roster_entries.account_id = %(account)s ORDER BY valid_from DESC, roster_entry_id DESC
""")
_STANDINGS = STANDING.select(name="player_name") + sql.SQL("""
    WHERE account_id = %(account)s ORDER BY season DESC, division_id, round_number NULLS FIRST
""")
_RESULTS = RESULT.select(
    season="r.season",
    division="r.division",
    round="r.round_number",
    match_number="r.match_number",
    map_name="t.map_name",
    started_at="r.started_at",
    counts="r.counts",
    team_id="r.team_id",
    team_name="r.team_name",
    name="match_summaries.player_name",
) + sql.SQL("""
    JOIN pubg.tournament_lineups l
        ON l.match_id = match_summaries.match_id AND l.account_id = match_summaries.account_id
    JOIN pubg.tournament_team_results r ON r.match_id = l.match_id AND r.team_id = l.team_id
    JOIN pubg.tournament_matches t ON t.match_id = r.match_id
    WHERE match_summaries.account_id = %(account)s ORDER BY r.started_at DESC, 1
""")
_WEAPONS = """
    SELECT w.weapon_category, sum(w.total_damage) AS damage, sum(w.total_kills) AS kills, sum(w.knock_downs) AS knocks
    FROM pubg.player_match_weapon_distribution w
    JOIN pubg.tournament_matches m USING (match_id)
    WHERE w.account_id = %(account)s AND m.counts GROUP BY 1 ORDER BY 2 DESC, 1
"""


# --------------------------------------------------------------------------- search


class Sought(Parameters):
    """Parameters of a search."""

    q: Annotated[Name, Field(max_length=100, description="Part of the name of a team or a player.", examples=["alpha"])]
    season: Annotated[Name | None, Field(description="Short name of a season; all without it.")] = None
    limit: Annotated[Number, Field(ge=1, le=100, description="Largest number of results.")] = 20


class Found(BaseModel):
    """A team or a player."""

    kind: Literal["team", "player"]
    name: Annotated[str, Field(description="Name of the team or the player.")]
    team_id: Annotated[int | None, Field(description="The team, or the player's latest.")]
    team_name: str | None
    account_id: Annotated[str | None, Field(description="Account of the player; null for a team.")]
    season: Annotated[str, Field(description="Short name of the latest season.")]
    division: str


Search = answer_of("Search", {"found": Found})


async def search(conn: Connection, asked: Sought) -> Made:
    """Returns teams and players with a text in their name, in any case; names that begin with it come first."""
    escaped = asked.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    bound = {"within": f"%{escaped}%", "first": f"{escaped}%", "season": asked.season, "limit": asked.limit}
    return {"data": {"found": await rows_of(conn, _SOUGHT, bound)}}


_SOUGHT = """
    WITH named AS (
        SELECT t.team_id, t.team_name, d.division, s.season, s.season_id
        FROM pubg.teams t JOIN pubg.divisions d USING (division_id) JOIN pubg.seasons s USING (season_id)
        WHERE %(season)s::text IS NULL OR s.season = %(season)s
    ), people AS (
        SELECT r.account_id, r.player_name, r.team_id, r.valid_from AS since FROM pubg.roster_entries r
        WHERE r.account_id IS NOT NULL
        UNION ALL
        SELECT p.account_id, p.player_name, p.team_id, '-infinity' FROM pubg.tournament_player_standings p
        WHERE p.scope = 'overall'
    ), latest AS (
        SELECT DISTINCT ON (account_id) account_id, player_name, team_id, team_name, season, division
        FROM people JOIN named USING (team_id) WHERE player_name ILIKE %(within)s
        ORDER BY account_id, season_id DESC, since DESC
    ), found AS (
        SELECT 'team' AS kind, team_name AS name, team_id, team_name, NULL AS account_id, season, division
        FROM named WHERE team_name ILIKE %(within)s
        UNION ALL
        SELECT 'player', player_name, team_id, team_name, account_id, season, division FROM latest
    )
    SELECT * FROM found
    ORDER BY name NOT ILIKE %(first)s, kind DESC, lower(name), season DESC, team_id, account_id LIMIT %(limit)s
"""
