"""`gamestats tournament`: seasons, teams, rosters, rounds, schedule, and what admins decide of matches."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gamestats_assets.cli.entering import (
    DryRun,
    File,
    Form,
    Output,
    a_day,
    enter,
    given,
    has_landed,
    listed,
    listed_numbers,
    listed_words,
    look_up,
    matches_of,
    person,
    take,
)
from gamestats_assets.cli.terminal import CarefulGroup

if TYPE_CHECKING:
    from gamestats_assets.pubg.tournament_entry import Place

tournament_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="""Tournaments: what you enter so that matches are found, placed and scored by themselves.

    Set a season up in this order; each step needs the ones before:

        gamestats tournament season add fall-2026 --name "Fall 2026" --time-zone Europe/Berlin
        gamestats tournament division add fall-2026 "Division 1"
        gamestats tournament roster import fall-2026 rosters.csv --valid-from 2026-10-01
        gamestats tournament round add fall-2026 "Division 1" 1 --first 2026-10-03
        gamestats tournament schedule import fall-2026 schedule.csv

    Things are named by their names: a season by its short name, divisions, groups, teams and players by
    name, rounds and matches by number. Everything has `add`, `change`, `remove` and `list`; `remove` is for
    mistakes, and refuses what something else still refers to.
    """,
)


def _group(name: str, help_text: str) -> typer.Typer:
    app = typer.Typer(cls=CarefulGroup, no_args_is_help=True, help=help_text)
    tournament_app.add_typer(app, name=name)
    return app


season_app = _group("season", "Seasons and their points rules.")
division_app = _group("division", "Divisions of a season.")
group_app = _group("group", "Groups of a division; a division may have none.")
team_app = _group("team", "Teams of a division.")
roster_app = _group("roster", "Who plays for which team, and from which day to which; `import` makes teams too.")
round_app = _group("round", "Rounds: days whose matches count together.")
schedule_app = _group("schedule", "The schedule: when each match of a round is to start.")
override_app = _group("override", "What an admin decides of a match; it wins over what is derived.")

Season = Annotated[str, typer.Argument(metavar="SEASON", help="Short name of the season.", show_default=False)]
OfSeason = Annotated[str | None, typer.Argument(metavar="[SEASON]", help="Only of this season.", show_default=False)]
Division = Annotated[str, typer.Argument(metavar="DIVISION", help="Name of the division.", show_default=False)]
Group = Annotated[str, typer.Argument(metavar="GROUP", help="Name of the group.", show_default=False)]
Team = Annotated[str, typer.Argument(metavar="TEAM", help="Name of the team.", show_default=False)]
PlayerName = Annotated[
    str, typer.Argument(metavar="PLAYER", help="In-game name with its capitals, or account id.", show_default=False)
]
Round = Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.", show_default=False)]
MatchNumber = Annotated[
    int, typer.Argument(metavar="MATCH", min=1, help="Number of the match in its round.", show_default=False)
]
MatchId = Annotated[str, typer.Argument(metavar="MATCH_ID", help="Id of the match.", show_default=False)]
NewName = Annotated[str, typer.Option("--name", help="The new name.", show_default=False)]
RoundGroup = Annotated[
    str | None, typer.Option("--group", help="Group, where the round is one of a group.", show_default=False)
]
TeamDivision = Annotated[
    str | None,
    typer.Option("--division", help="Its division, where two have a team of that name.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DAY", help="First day of the entry, where there are several.", show_default=False),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="ID", help="Account of the player, known for certain.", show_default=False),
]
Role = Annotated[str | None, typer.Option(help="player, substitute or stand_in.", show_default=False)]
Status = Annotated[str | None, typer.Option(help="scheduled, active, completed or cancelled.", show_default=False)]
TimeZone = Annotated[
    str | None, typer.Option(help="Time zone of the time; the season's by default.", show_default=False)
]
Map = Annotated[
    str | None, typer.Option("--map", help="Map in words, such as Erangel, or by id; any for any.", show_default=False)
]
RemakeOf = Annotated[
    str | None,
    typer.Option("--remake-of", metavar="MATCH_ID", help="The match that failed; none for none.", show_default=False),
]
RemakeReason = Annotated[
    str | None, typer.Option(help="Why it is played again; needed with --remake-of.", show_default=False)
]
NewNumber = Annotated[int | None, typer.Option("--number", min=1, help="The new number.", show_default=False)]

SeasonName = Annotated[str | None, typer.Option("--name", help="Name in words.", show_default=False)]
Shard = Annotated[str | None, typer.Option(help="Platform of its players.", show_default="steam")]
Points = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Points of placements 1, 2, ...", show_default="10,6,5,4,3,2,1,1"),
]
KillPoints = Annotated[int | None, typer.Option(min=0, metavar="N", help="Points of one kill.", show_default="1")]


class PlayerPointsRule(StrEnum):
    """What a player's points are."""

    WITH_PLACEMENT = "with-placement"
    BY_KILLS = "by-kills"


def _with_placement(rule: PlayerPointsRule | None) -> bool | None:
    return None if rule is None else rule is PlayerPointsRule.WITH_PLACEMENT


_PLAYER_POINTS_TOLD = (
    "What a player gets: with-placement, the team's placement points too, or by-kills, own kills alone."
)
_TIE_BREAKERS_TOLD = "What decides between equal points, in order: of wins, kills, latest_placement, average_placement."
PlayerPoints = Annotated[
    PlayerPointsRule | None, typer.Option(metavar="RULE", help=_PLAYER_POINTS_TOLD, show_default="with-placement")
]
TieBreakers = Annotated[
    str | None,
    typer.Option(metavar="WORD,...", help=_TIE_BREAKERS_TOLD, show_default="wins,kills,latest_placement"),
]
MinimumTeams = Annotated[
    int | None,
    typer.Option(min=2, metavar="N", help="Teams below which a match may be a warm-up or remade.", show_default="8"),
]
SlotWindow = Annotated[
    int | None,
    typer.Option(min=1, metavar="MINUTES", help="How far from its slot a match may start.", show_default="45"),
]


# --- seasons -------------------------------------------------------------------------------------


@season_app.command("add")
def add_season(
    season: Season,
    time_zone: Annotated[str, typer.Option(help="Time zone of its days, as Europe/Berlin.", show_default=False)],
    name: SeasonName = None,
    shard: Shard = None,
    points: Points = None,
    kill_points: KillPoints = None,
    player_points: PlayerPoints = None,
    tie_breakers: TieBreakers = None,
    minimum_teams: MinimumTeams = None,
    slot_window: SlotWindow = None,
) -> None:
    """Create a season.

    Its short name has small letters, digits, `_`, `.` and `-`. Without other rules it has those of SUPER:
    10, 6, 5, 4, 3, 2, 1, 1 points for placements, and 1 a kill.

    Examples:

        gamestats tournament season add fall-2026 --name "Fall 2026" --time-zone Europe/Berlin
        gamestats tournament season add cup --time-zone UTC --points 15,12,10,8 --kill-points 2
    """
    from gamestats_assets.pubg.tournament_entry import create_season

    fields = given(
        name=name,
        shard=shard,
        time_zone=time_zone,
        placement_points=listed_numbers(points),
        kill_points=kill_points,
        player_points_with_placement=_with_placement(player_points),
        tie_breakers=listed_words(tie_breakers),
        minimum_teams=minimum_teams,
        slot_window_min=slot_window,
    )
    enter(lambda conn: create_season(conn, season, **fields))


@season_app.command("change")
def change_season(
    season: Season,
    name: SeasonName = None,
    time_zone: Annotated[str | None, typer.Option(help="Time zone of its days.", show_default=False)] = None,
    shard: Annotated[str | None, typer.Option(help="Platform of its players.", show_default=False)] = None,
    points: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Points of placements 1, 2, ...", show_default=False)
    ] = None,
    kill_points: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Points of one kill.", show_default=False)
    ] = None,
    player_points: Annotated[
        PlayerPointsRule | None, typer.Option(metavar="RULE", help=_PLAYER_POINTS_TOLD, show_default=False)
    ] = None,
    tie_breakers: Annotated[
        str | None, typer.Option(metavar="WORD,...", help=_TIE_BREAKERS_TOLD, show_default=False)
    ] = None,
    minimum_teams: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Teams below which a match may be remade.", show_default=False),
    ] = None,
    slot_window: Annotated[
        int | None,
        typer.Option(min=1, metavar="MINUTES", help="How far from its slot a match may start.", show_default=False),
    ] = None,
) -> None:
    """Change the rules of a season; its standings are made again.

    Only what is given is changed.

    Examples:

        gamestats tournament season change fall-2026 --points 12,9,7,5,4,3,2,1
        gamestats tournament season change fall-2026 --tie-breakers kills,wins --minimum-teams 10
    """
    from gamestats_assets.pubg.tournament_entry import change_season

    fields = given(
        name=name,
        shard=shard,
        time_zone=time_zone,
        placement_points=listed_numbers(points),
        kill_points=kill_points,
        player_points_with_placement=_with_placement(player_points),
        tie_breakers=listed_words(tie_breakers),
        minimum_teams=minimum_teams,
        slot_window_min=slot_window,
    )
    enter(lambda conn: change_season(conn, season, **fields))


@season_app.command("remove")
def remove_season(season: Season) -> None:
    """Take back a season that was a mistake; its divisions have to be removed before.

    Example:

        gamestats tournament season remove fall-2025
    """
    from gamestats_assets.pubg.tournament_entry import remove_season

    enter(lambda conn: remove_season(conn, season))


@season_app.command("list")
def list_seasons(form: Form = None, output: Output = None) -> None:
    """List seasons with their rules.

    Example:

        gamestats tournament season list
    """
    from gamestats_assets.pubg.tournament_lists import list_seasons

    listed(list_seasons, form, output)


# --- divisions and groups ------------------------------------------------------------------------


@division_app.command("add")
def add_division(season: Season, division: Division) -> None:
    """Create a division of a season.

    Example:

        gamestats tournament division add fall-2026 "Division 1"
    """
    from gamestats_assets.pubg.tournament_entry import create_division

    enter(lambda conn: create_division(conn, season, division))


@division_app.command("change")
def change_division(season: Season, division: Division, name: NewName) -> None:
    """Give a division another name.

    Example:

        gamestats tournament division change fall-2026 "Division 1" --name Elite
    """
    from gamestats_assets.pubg.tournament_entry import change_division

    enter(lambda conn: change_division(conn, season, division, name=name))


@division_app.command("remove")
def remove_division(season: Season, division: Division) -> None:
    """Take back a division that was a mistake; its teams, rounds and groups have to be removed before.

    Example:

        gamestats tournament division remove fall-2026 "Divison 1"
    """
    from gamestats_assets.pubg.tournament_entry import remove_division

    enter(lambda conn: remove_division(conn, season, division))


@division_app.command("list")
def list_divisions(season: OfSeason = None, form: Form = None, output: Output = None) -> None:
    """List divisions with their groups.

    Example:

        gamestats tournament division list fall-2026
    """
    from gamestats_assets.pubg.tournament_lists import list_divisions

    listed(lambda conn: list_divisions(conn, season), form, output)


@group_app.command("add")
def add_group(season: Season, division: Division, group: Group) -> None:
    """Create a group of a division.

    Example:

        gamestats tournament group add fall-2026 "Division 1" A
    """
    from gamestats_assets.pubg.tournament_entry import create_group

    enter(lambda conn: create_group(conn, season, division, group))


@group_app.command("change")
def change_group(season: Season, division: Division, group: Group, name: NewName) -> None:
    """Give a group another name.

    Example:

        gamestats tournament group change fall-2026 "Division 1" A --name Red
    """
    from gamestats_assets.pubg.tournament_entry import change_group

    enter(lambda conn: change_group(conn, season, division, group, name=name))


@group_app.command("remove")
def remove_group(season: Season, division: Division, group: Group) -> None:
    """Take back a group that was a mistake; its teams have to leave it, and its rounds to be removed, before.

    Example:

        gamestats tournament group remove fall-2026 "Division 1" C
    """
    from gamestats_assets.pubg.tournament_entry import remove_group

    enter(lambda conn: remove_group(conn, season, division, group))


@group_app.command("list")
def list_groups(season: OfSeason = None, form: Form = None, output: Output = None) -> None:
    """List groups.

    Example:

        gamestats tournament group list fall-2026
    """
    from gamestats_assets.pubg.tournament_lists import list_groups

    listed(lambda conn: list_groups(conn, season), form, output)


# --- teams and rosters ---------------------------------------------------------------------------


@team_app.command("add")
def add_team(
    season: Season,
    division: Division,
    team: Team,
    group: Annotated[str | None, typer.Option(help="Group it plays in.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Short form before players' names.", show_default=False)] = None,
) -> None:
    """Create a team of a division. `roster import` creates many with their players.

    Example:

        gamestats tournament team add fall-2026 "Division 1" "Team Alpha" --tag ALP
    """
    from gamestats_assets.pubg.tournament_entry import create_team

    enter(lambda conn: create_team(conn, season, division, team, group=group, tag=tag))


@team_app.command("change")
def change_team(
    season: Season,
    team: Team,
    name: Annotated[str | None, typer.Option(help="The new name.", show_default=False)] = None,
    group: Annotated[str | None, typer.Option(help="Group it plays in; none for none.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Short form; none for none.", show_default=False)] = None,
    division: TeamDivision = None,
) -> None:
    """Change name, group or tag of a team.

    Example:

        gamestats tournament team change fall-2026 "Team Alpha" --name "Alpha Esports" --group B
    """
    from gamestats_assets.pubg.tournament_entry import change_team

    fields = given(name=name, group=group, tag=tag)
    enter(lambda conn: change_team(conn, season, team, division=division, **fields))


@team_app.command("remove")
def remove_team(season: Season, team: Team, division: TeamDivision = None) -> None:
    """Take back a team that was a mistake; nobody may be on its roster, in the past neither.

    Example:

        gamestats tournament team remove fall-2026 "Team Alfa"
    """
    from gamestats_assets.pubg.tournament_entry import remove_team

    enter(lambda conn: remove_team(conn, season, team, division=division))


@team_app.command("list")
def list_teams(season: OfSeason = None, form: Form = None, output: Output = None) -> None:
    """List teams.

    Example:

        gamestats tournament team list fall-2026
    """
    from gamestats_assets.pubg.tournament_lists import list_teams

    listed(lambda conn: list_teams(conn, season), form, output)


@roster_app.command("add")
def add_to_roster(
    season: Season,
    team: Team,
    player: PlayerName,
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, YYYY-MM-DD.", show_default=False)],
    last: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="Last day; without it, it goes on.", show_default=False),
    ] = None,
    role: Role = None,
    account: Account = None,
    division: TeamDivision = None,
) -> None:
    """Put a player on a team's roster. Both days count, in the season's time zone.

    The account of a name is taken from the newest match that knows it; one given with
    `--account` wins. A player may be on one roster of a season a day.

    Examples:

        gamestats tournament roster add fall-2026 "Team Alpha" Shroud --from 2026-10-01
        gamestats tournament roster add fall-2026 Alpha Kim --from 2026-10-03 --until 2026-10-03 --role stand_in
    """
    from gamestats_assets.pubg.tournament_entry import create_roster_entry

    enter(
        lambda conn: create_roster_entry(
            conn,
            season,
            team,
            player,
            valid_from=a_day(first),
            valid_until=a_day(last),
            role=role or "player",
            account_id=account,
            division=division,
            look_up=look_up(),
        )
    )


@roster_app.command("change")
def change_roster(
    season: Season,
    team: Team,
    player: PlayerName,
    last: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="Last day; none to go on.", show_default=False)
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day.", show_default=False)] = None,
    role: Role = None,
    account: Account = None,
    name: Annotated[str | None, typer.Option(help="New in-game name.", show_default=False)] = None,
    since: Since = None,
    division: TeamDivision = None,
) -> None:
    """Change a roster entry: most often its last day, when a player leaves.

    Where a player is on the roster several times, `--since` says which entry is meant.

    Examples:

        gamestats tournament roster change fall-2026 "Team Alpha" Shroud --until 2026-10-31
        gamestats tournament roster change fall-2026 Alpha Kim --role substitute --since 2026-10-03
    """
    from gamestats_assets.pubg.tournament_entry import change_roster_entry

    fields = given(valid_from=a_day(first), valid_until=a_day(last), role=role, account_id=account, player_name=name)
    enter(lambda conn: change_roster_entry(conn, season, team, player, division=division, since=a_day(since), **fields))


@roster_app.command("remove")
def remove_from_roster(
    season: Season, team: Team, player: PlayerName, since: Since = None, division: TeamDivision = None
) -> None:
    """Take back a roster entry that was a mistake. A player who leaves gets a last day instead.

    Matches that the player played by it are counted anew; how many there are is said.

    Example:

        gamestats tournament roster remove fall-2026 "Team Alpha" Shrud
    """
    from gamestats_assets.pubg.tournament_entry import remove_roster_entry

    enter(
        lambda conn: remove_roster_entry(
            conn, season, team, player, division=division, since=a_day(since), matches_of=matches_of()
        )
    )


@roster_app.command("list")
def list_rosters(
    season: OfSeason = None,
    team: Annotated[str | None, typer.Option(help="Only of this team.", show_default=False)] = None,
    on: Annotated[
        str | None, typer.Option(metavar="DAY", help="Only who is on a roster that day.", show_default=False)
    ] = None,
    form: Form = None,
    output: Output = None,
) -> None:
    """List roster entries.

    With `--on`, only who is on a roster that day.

    Examples:

        gamestats tournament roster list fall-2026 --team "Team Alpha"
        gamestats tournament roster list fall-2026 --on 2026-10-03 --format csv
    """
    from gamestats_assets.pubg.tournament_lists import list_rosters

    listed(lambda conn: list_rosters(conn, season, team=team, on=a_day(on)), form, output)


@roster_app.command("import")
def import_rosters(
    season: Season,
    file: File,
    valid_from: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day of rows that give none.", show_default=False)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Take teams and rosters from a CSV file: whole or, with the mistakes listed by row, not at all.

    One row a player; columns, of which division, team and player must be there:

    - division: its name
    - group: the team's group; empty where the division has none
    - team: its name; made when there is none of that name
    - tag: short form before players' names
    - player: in-game name with its capitals, or account id
    - account_id: account of the name, where known for certain; else matches tell it
    - role: player, substitute or stand_in; player when empty
    - valid_from: first day, 2026-10-03; `--valid-from` when empty
    - valid_until: last day; empty while it goes on

    Entries are recognised by team, player and first day, and changed where the file says otherwise; an
    empty cell, and whoever is not in the file, is left as it is. Taking the same file again changes nothing.

    Examples:

        gamestats tournament roster import fall-2026 rosters.csv --valid-from 2026-10-01 --dry-run
        gamestats tournament roster import fall-2026 rosters.csv --valid-from 2026-10-01
    """
    from gamestats_assets.pubg.tournament_import import import_rosters

    first = a_day(valid_from)
    take(
        file,
        lambda conn: import_rosters(conn, season, file, valid_from=first, look_up=look_up(), dry_run=dry_run),
        dry_run=dry_run,
    )


# --- rounds --------------------------------------------------------------------------------------


@round_app.command("add")
def add_round(
    season: Season,
    division: Division,
    number: Round,
    first: Annotated[str, typer.Option("--first", metavar="DAY", help="First day, YYYY-MM-DD.", show_default=False)],
    last: Annotated[
        str | None, typer.Option("--last", metavar="DAY", help="Last day; the first by default.", show_default=False)
    ] = None,
    group: RoundGroup = None,
    name: Annotated[str | None, typer.Option(help="Name in words.", show_default="Round ROUND")] = None,
    status: Status = None,
) -> None:
    """Create a round: the days, in the season's time zone, whose matches count for it.

    A day lasts until 5 in the morning: a match at 00:20 is still of the evening before. A round is one of the
    whole division, or of one of its groups with `--group`.

    Examples:

        gamestats tournament round add fall-2026 "Division 1" 1 --first 2026-10-03
        gamestats tournament round add fall-2026 "Division 1" 2 --first 2026-10-10 --last 2026-10-11 --group A
    """
    from gamestats_assets.pubg.tournament_entry import create_round

    enter(
        lambda conn: create_round(
            conn,
            season,
            division,
            number,
            first_day=a_day(first),
            last_day=a_day(last),
            group=group,
            name=name,
            status=status or "scheduled",
        )
    )


@round_app.command("change")
def change_round(
    season: Season,
    division: Division,
    number: Round,
    status: Status = None,
    first: Annotated[str | None, typer.Option("--first", metavar="DAY", help="First day.", show_default=False)] = None,
    last: Annotated[str | None, typer.Option("--last", metavar="DAY", help="Last day.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="Name in words.", show_default=False)] = None,
    new_number: NewNumber = None,
    group: RoundGroup = None,
) -> None:
    """Change status, days, name or number of a round.

    Every status is remembered with its time; completing a round closes its table. Without `--group` it is the
    round of the whole division.

    Examples:

        gamestats tournament round change fall-2026 "Division 1" 1 --status completed
        gamestats tournament round change fall-2026 "Division 1" 2 --first 2026-10-17 --last 2026-10-18
    """
    from gamestats_assets.pubg.tournament_entry import change_round

    fields = given(status=status, first_day=a_day(first), last_day=a_day(last), name=name, new_number=new_number)
    enter(lambda conn: change_round(conn, season, division, number, group=group, **fields))


@round_app.command("remove")
def remove_round(season: Season, division: Division, number: Round, group: RoundGroup = None) -> None:
    """Take back a round that was a mistake; its schedule has to be removed before.

    A round that is not played after all is cancelled instead, with `change --status cancelled`.

    Example:

        gamestats tournament round remove fall-2026 "Division 1" 4
    """
    from gamestats_assets.pubg.tournament_entry import remove_round

    enter(lambda conn: remove_round(conn, season, division, number, group=group))


@round_app.command("list")
def list_rounds(season: OfSeason = None, form: Form = None, output: Output = None) -> None:
    """List rounds with their days and status.

    Example:

        gamestats tournament round list fall-2026
    """
    from gamestats_assets.pubg.tournament_lists import list_rounds

    listed(lambda conn: list_rounds(conn, season), form, output)


# --- schedule ------------------------------------------------------------------------------------


@schedule_app.command("add")
def add_slot(
    season: Season,
    division: Division,
    number: Round,
    match: MatchNumber,
    at: Annotated[str, typer.Argument(metavar="TIME", help='Start, as "2026-10-03 18:00".', show_default=False)],
    map_name: Map = None,
    group: RoundGroup = None,
    time_zone: TimeZone = None,
    status: Status = None,
    remake_of: RemakeOf = None,
    remake_reason: RemakeReason = None,
) -> None:
    """Put a match on the schedule of a round.

    The time is one of the season's time zone, or of `--time-zone`, or has an offset of its own, as
    `2026-10-25 02:30+01:00`. A time that the clocks skip or show twice needs the offset.

    Examples:

        gamestats tournament schedule add fall-2026 "Division 1" 1 1 "2026-10-03 18:00" --map Erangel
        gamestats tournament schedule add fall-2026 "Division 1" 1 2 "2026-10-03 17:35" --time-zone Europe/London
    """
    from gamestats_assets.pubg.tournament_entry import create_slot

    enter(
        lambda conn: create_slot(
            conn,
            season,
            division,
            number,
            match,
            scheduled_at=at,
            group=group,
            time_zone=time_zone,
            map_name=map_name,
            status=status or "scheduled",
            original_match_id=remake_of,
            remake_reason=remake_reason,
            has_landed=has_landed(),
        )
    )


@schedule_app.command("change")
def change_slot(
    season: Season,
    division: Division,
    number: Round,
    match: MatchNumber,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help='Start, as "2026-10-03 18:00".', show_default=False)
    ] = None,
    postponed: Annotated[
        bool, typer.Option("--postponed", help="Take a time outside the round's days; it counts for it all the same.")
    ] = False,
    map_name: Map = None,
    status: Status = None,
    remake_of: RemakeOf = None,
    remake_reason: RemakeReason = None,
    new_number: NewNumber = None,
    group: RoundGroup = None,
    time_zone: TimeZone = None,
) -> None:
    """Change a match of the schedule: its time, map, status or number, or that it is played again.

    Only what is given is changed. A slot that is played again says which match failed, and why. A match that is
    played on another day than its round, and still counts for it, is postponed: say so with `--postponed`.

    Examples:

        gamestats tournament schedule change fall-2026 "Division 1" 1 3 --at "2026-10-03 19:30"
        gamestats tournament schedule change fall-2026 "Division 1" 1 3 --at "2026-10-07 19:30" --postponed
        gamestats tournament schedule change fall-2026 "Division 1" 1 3 --remake-of 2c1f... --remake-reason "crash"
    """
    from gamestats_assets.pubg.tournament_entry import change_slot

    if postponed and at is None:
        raise typer.BadParameter("Postponed to when? Give the new time with --at.")
    fields = given(
        scheduled_at=at,
        map_name=map_name,
        status=status,
        original_match_id=remake_of,
        remake_reason=remake_reason,
        new_number=new_number,
    )
    enter(
        lambda conn: change_slot(
            conn,
            season,
            division,
            number,
            match,
            group=group,
            time_zone=time_zone,
            postponed=postponed,
            has_landed=has_landed(),
            **fields,
        )
    )


@schedule_app.command("remove")
def remove_slot(
    season: Season, division: Division, number: Round, match: MatchNumber, group: RoundGroup = None
) -> None:
    """Take a match off the schedule that was a mistake.

    A match that is not played after all is cancelled instead, with `change --status cancelled`.

    Example:

        gamestats tournament schedule remove fall-2026 "Division 1" 1 7
    """
    from gamestats_assets.pubg.tournament_entry import remove_slot

    enter(lambda conn: remove_slot(conn, season, division, number, match, group=group))


@schedule_app.command("list")
def list_schedule(season: OfSeason = None, form: Form = None, output: Output = None) -> None:
    """List the schedule, with the times of the season's time zone.

    Example:

        gamestats tournament schedule list fall-2026
    """
    from gamestats_assets.pubg.tournament_lists import list_schedule

    listed(lambda conn: list_schedule(conn, season), form, output)


@schedule_app.command("import")
def import_schedule(season: Season, file: File, dry_run: DryRun = False) -> None:
    """Take a schedule from a CSV file: whole or, with the mistakes listed by row, not at all.

    One row a match; columns, of which division, round, match and scheduled_at must be there:

    - division: its name
    - group: its name, where the round is one of a group
    - round: number of the round
    - match: number within the round
    - scheduled_at: start, 2026-10-03 18:00, or with an offset, 2026-10-03 18:00+02:00
    - time_zone: zone of the time, Europe/Berlin; the season's when empty
    - map: in words, Erangel, or by id; empty or any when any will do
    - status: scheduled, active, completed or cancelled; scheduled when empty
    - original_match_id: of a remake: id of the match that failed
    - remake_reason: of a remake: why it is played again; needed with original_match_id

    Matches on the schedule already are changed where the file says otherwise; an empty cell, and what is
    not in the file, is left as it is. Taking the same file again changes nothing. A file does not postpone
    a match to a day outside its round; `schedule change ... --postponed` does.

    Examples:

        gamestats tournament schedule import fall-2026 schedule.csv --dry-run
        gamestats tournament schedule import fall-2026 schedule.csv
    """
    from gamestats_assets.pubg.tournament_import import import_schedule

    take(
        file,
        lambda conn: import_schedule(conn, season, file, has_landed=has_landed(), dry_run=dry_run),
        dry_run=dry_run,
    )


# --- overrides -----------------------------------------------------------------------------------

Reason = Annotated[str, typer.Option(help="Why.", show_default=False)]
Admin = Annotated[str | None, typer.Option(help="Who decides.", show_default="the user of this machine")]
IsTournament = Annotated[
    bool | None,
    typer.Option("--tournament/--no-tournament", help="Whether it is a tournament match.", show_default=False),
]
InSeason = Annotated[str | None, typer.Option("--season", help="Season of its round.", show_default=False)]
InDivision = Annotated[str | None, typer.Option("--division", help="Division of its round.", show_default=False)]
InRound = Annotated[int | None, typer.Option("--round", min=1, help="Round it counts for.", show_default=False)]
InSlot = Annotated[int | None, typer.Option("--match", min=1, help="Slot it takes in the round.", show_default=False)]
ValidationStatus = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="confirmed, unscheduled, remake_candidate, remake_failed, mixed_division or not_tournament.",
        show_default=False,
    ),
]


def _place(
    season: str | None, division: str | None, number: int | None, match: int | None, group: str | None
) -> Place | None:
    from gamestats_assets.pubg.tournament_entry import Place

    if season is division is number is match is group is None:
        return None
    if season is None or division is None or number is None:
        raise typer.BadParameter("A round is named by --season, --division and --round together.")
    return Place(season, division, number, match, group)


@override_app.command("add")
def add_override(
    match_id: MatchId,
    reason: Reason,
    admin: Admin = None,
    tournament: IsTournament = None,
    season: InSeason = None,
    division: InDivision = None,
    number: InRound = None,
    match: InSlot = None,
    group: RoundGroup = None,
    status: ValidationStatus = None,
) -> None:
    """Decide something of a match; what is not said stays as it is derived.

    A round is named by its season, division and number; with `--match` the match takes that slot.

    Examples:

        gamestats tournament override add 2c1f... --no-tournament --reason "warm-up"
        gamestats tournament override add 2c1f... --season fall-2026 --division Elite --round 1 --reason "delayed"
    """
    from gamestats_assets.pubg.tournament_entry import create_override

    place = _place(season, division, number, match, group)
    fields = given(is_tournament_match=tournament, place=place, validation_status=status)
    enter(
        lambda conn: create_override(
            conn, match_id, reason=reason, admin=admin or person(), has_landed=has_landed(), **fields
        )
    )


@override_app.command("change")
def change_override(
    match_id: MatchId,
    reason: Reason,
    admin: Admin = None,
    tournament: IsTournament = None,
    season: InSeason = None,
    division: InDivision = None,
    number: InRound = None,
    match: InSlot = None,
    group: RoundGroup = None,
    status: ValidationStatus = None,
) -> None:
    """Decide otherwise of a match; why is said again.

    Example:

        gamestats tournament override change 2c1f... --status remake_failed --reason "server crash"
    """
    from gamestats_assets.pubg.tournament_entry import change_override

    place = _place(season, division, number, match, group)
    fields = given(is_tournament_match=tournament, place=place, validation_status=status)
    enter(lambda conn: change_override(conn, match_id, reason=reason, admin=admin or person(), **fields))


@override_app.command("remove")
def remove_override(match_id: MatchId) -> None:
    """Take an override back: what is derived holds again.

    Example:

        gamestats tournament override remove 2c1f...
    """
    from gamestats_assets.pubg.tournament_entry import remove_override

    enter(lambda conn: remove_override(conn, match_id))


@override_app.command("list")
def list_overrides(form: Form = None, output: Output = None) -> None:
    """List overrides, the newest first.

    The note tells those that decide nothing, as no such match landed: it is still to come, or the id is wrong.

    Example:

        gamestats tournament override list
    """
    from gamestats_assets.pubg.tournament_lists import list_overrides

    listed(lambda conn: list_overrides(conn, has_landed()), form, output)
