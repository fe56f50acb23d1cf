"""The commands of `gamestats user`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.commands import Form, Output, in_transaction, person, written
from gamestats_assets.cli.services.addresses import address
from gamestats_assets.cli.terminal import CarefulGroup, counted, err, say

if TYPE_CHECKING:
    import psycopg

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user, whatever its capitals.")]
_Season = Annotated[str | None, typer.Option("--season", metavar="SEASON", help="Only of this season.")]
_Division = Annotated[
    str | None, typer.Option("--division", metavar="DIVISION", help="Only of this division of the season.")
]
_EvenTheLast = Annotated[
    bool, typer.Option("--even-the-last", help="Even if no admin is left then; this command can make one again.")
]

app = typer.Typer(cls=CarefulGroup)


@app.command("add")
def add(
    name: Name,
    role: Annotated[
        str | None, typer.Option("--role", metavar="ROLE", help="Of premium, tournament_admin, admin.")
    ] = None,
) -> None:
    """Add a user, who then signs in by a link of `gamestats user link`.

    Who signs in with an account from elsewhere need not be added: that makes a user.

    Examples:

        gamestats user add alice
        gamestats user add alice --role admin
    """
    from gamestats_assets.serving.accounts import users

    def work(conn: psycopg.Connection) -> Any:
        row = users.add_user(conn, person(), name)
        if role is not None:
            users.give_role(conn, person(), row, role)
        return row

    row = in_transaction(work)
    say(f"created   user {row['name']}" + (f" with the role {role}" if role else ""), "green")
    say(f"`gamestats user link {row['name']}` makes an address that signs in once.", console=err())


@app.command("link")
def link(
    name: Name,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="URL",
            help="Where gamestats is served; by default GAMESTATS_PUBLIC_URL, or else where it runs at this machine.",
        ),
    ] = None,
    player: Annotated[
        str | None, typer.Option("--player", metavar="PLAYER", help="Link this player first: see `player`.")
    ] = None,
) -> None:
    """Print an address that signs a user in once, within 15 minutes.

    The first person to open it is signed in as that user: send it to no one else.

    Examples:

        gamestats user link alice
        gamestats user link alice --at http://127.0.0.1:8080
        gamestats user link alice --player steam:76561190000000001
    """
    from gamestats_assets.cli.services.up import running_instance
    from gamestats_assets.serving.accounts import sessions, users
    from gamestats_assets.serving.accounts.audit import audit
    from gamestats_assets.serving.middleware.site import link_address
    from gamestats_assets.settings import Settings

    def work(conn: psycopg.Connection) -> str:
        row = users.find_user(conn, name)
        if player is not None:
            _have(conn, row["user_id"], player)
        audit(conn, person(), "user.link", f"user {row['user_id']}")
        return sessions.make_link(conn, row["user_id"])

    token = in_transaction(work)
    settings = Settings()
    here = running_instance(settings)
    served = here.url if here else address("127.0.0.1", 8000)
    say(link_address(at or settings.public_url or served, token))
    say("It works once, within 15 minutes.", console=err())


@app.command("player")
def player(
    name: Name,
    player: Annotated[str, typer.Argument(metavar="PLAYER", help="Platform and account: steam:76561190000000001.")],
    take: Annotated[bool, typer.Option("--take", help="Take the player back.")] = False,
) -> None:
    """Link a Rocket League player to a user, whose pages are then about that player, or take it back.

    A player is linked to one user at most. Linking tracks the player, but allows nothing: the user does, in the
    settings; or see `gamestats rocket-league track --consent`. Taking back ends what was allowed.

    Examples:

        gamestats user player alice steam:76561190000000001
        gamestats user player alice steam:76561190000000001 --take
    """
    from gamestats_assets.serving.accounts import users

    did = in_transaction(lambda conn: _have(conn, users.find_user(conn, name)["user_id"], player, take=take))
    outcome = ("removed" if take else "created") if did else "unchanged"
    say(f"{outcome:<10}player {player} of {name}", "green" if did else "")


def _have(conn: psycopg.Connection, user_id: int, player: str, *, take: bool = False) -> bool:
    """Have a player be a user's or not any more; whether that is new."""
    from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
    from gamestats_assets.serving.accounts import players
    from gamestats_assets.serving.accounts.audit import audit

    accounts = ROCKET_LEAGUE.accounts
    assert accounts is not None
    player_id = accounts.player_id(player)
    change = players.unlink_player if take else players.link_player
    did = change(conn, ROCKET_LEAGUE, user_id, player_id, "command_line")
    if did:
        act = "player.take" if take else "player.link"
        audit(conn, person(), act, f"user {user_id}", after={"game": ROCKET_LEAGUE.name})
    return did


@app.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Of premium, tournament_admin, admin.")],
    season: _Season = None,
    division: _Division = None,
    take: Annotated[bool, typer.Option("--take", help="Take the role away.")] = False,
    even_the_last: _EvenTheLast = False,
) -> None:
    """Give a user a role, or take it away. A tournament admin may be one of a season or a division alone.

    Examples:

        gamestats user role alice admin
        gamestats user role kim tournament_admin --season fall-2026 --division "Division 1"
        gamestats user role alice admin --take
    """
    from gamestats_assets.pubg.tournament.entered import DIVISION, SEASON
    from gamestats_assets.serving.accounts import users

    if division is not None and season is None:
        raise typer.BadParameter("Name the season that the division is of: --season.")

    def work(conn: psycopg.Connection) -> tuple[str, bool]:
        row, place = users.find_user(conn, name), {}
        if division is not None:
            place = {"division_id": DIVISION.find(conn, season, division)["division_id"]}
        elif season is not None:
            place = {"season_id": SEASON.find(conn, season)["season_id"]}
        if take:
            did = users.take_role(conn, person(), row, role, **place, even_the_last=even_the_last)
        else:
            did = users.give_role(conn, person(), row, role, **place)
        return ", ".join(users.find_user(conn, name)["roles"]) or "none", did

    roles, did = in_transaction(work)
    outcome = ("removed" if take else "created") if did else "unchanged"
    say(f"{outcome:<10}role {role} of {name}; now: {roles}", "green" if did else "")


@app.command("list")
def list_users(form: Form = None, output: Output = None) -> None:
    """List users, with their roles, by which accounts they sign in, their players, and when they were seen last.

    Example:

        gamestats user list
    """
    import polars as pl

    from gamestats_assets.serving.accounts import users

    columns = {"name": pl.String, "roles": pl.List(pl.String), "issuers": pl.List(pl.String)}
    columns |= {"players": pl.List(pl.String)}
    schema = columns | dict.fromkeys(("created_at", "last_seen_at"), pl.Datetime("us", "UTC"))
    found = in_transaction(users.list_users)
    rows = [{name: row[name] for name in schema} for row in found]
    written(pl.DataFrame(rows, schema=schema).rename({"issuers": "signs_in_by"}), form, output)


@app.command("remove")
def remove(name: Name, even_the_last: _EvenTheLast = False) -> None:
    """Remove a user for good: name, accounts to sign in with, roles and sessions; what was done stays in the audit log.

    What the user entered stays as it is.

    Example:

        gamestats user remove kim
    """
    from gamestats_assets.serving.accounts import sessions, users

    def work(conn: psycopg.Connection) -> tuple[str, int]:
        row = users.find_user(conn, name)
        over = len(sessions.sessions_of(conn, row["user_id"]))
        users.remove_user(conn, person(), row, even_the_last=even_the_last)
        return row["name"], over

    removed, over = in_transaction(work)
    say(f"removed   user {removed}; {counted(over, 'session')} ended", "green")
