"""`gamestats rocket-league`: tracked players, their ranks and training, recommendations, and erasure."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from gamestats_assets.cli.commands import (
    Form,
    NewFolder,
    Output,
    PlayedDays,
    Seed,
    day_option,
    enter,
    entered_by,
    in_transaction,
    listed,
    refuse_folder,
    refuse_used,
)
from gamestats_assets.cli.terminal import CarefulGroup, counted, err, quiet_warnings, say, status
from gamestats_assets.rocket_league.players.entered import PLAYER, RANK, TRAINING_SESSION, Custody

app = typer.Typer(cls=CarefulGroup)

_Player = Annotated[
    str, typer.Argument(metavar="PLAYER", help="Platform and account, steam:76561190000000001, or a tracked name.")
]


def _id_of(player: str) -> str:
    """The id of a player, who need not be tracked where it is given as one; a name is that of a tracked player."""
    from gamestats_assets.rocket_league.players.identities import PlayerIdError, parse_player_id

    try:
        return parse_player_id(player)
    except PlayerIdError:
        if ":" in player:
            raise
    return in_transaction(lambda conn: PLAYER.find(conn, player))["player_id"]


def _custody() -> Custody:
    from gamestats_assets.lakehouse.entries.encryption import Keys
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.privacy.tombstones import any_buried
    from gamestats_assets.rocket_league.source import GAME

    stores = Stores()
    return Custody(
        Keys.of(stores.settings),
        lambda player_id: any_buried(stores.landing, GAME, [player_id]),
        retention_days=stores.settings.retention_days,
    )


entered_by(app, PLAYER, _custody, track="take", untrack="remove", players="list")
entered_by(app, RANK, rank="take")
entered_by(app, TRAINING_SESSION, train="add")


@app.command("sessions")
def list_training(
    player: Annotated[str | None, typer.Argument(metavar="[PLAYER]", help="Of one player alone.")] = None,
    remove: Annotated[int | None, typer.Option(metavar="NUMBER", help="Take one out.")] = None,
    form: Form = None,
    output: Output = None,
) -> None:
    """List training sessions, the last first; or take one out that was entered by mistake.

    Examples:

        gamestats rocket-league sessions
        gamestats rocket-league sessions --remove 12
    """
    if remove is not None:
        enter(lambda conn: TRAINING_SESSION.remove(conn, remove))
        return
    listed(lambda conn: TRAINING_SESSION.list(conn, player), form, output)


@app.command("packs")
def search_packs(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="Words that all occur.")] = None,
    category: Annotated[str | None, typer.Option(help="A skill, or dribbling, kickoffs, ...")] = None,
    difficulty: Annotated[str | None, typer.Option(metavar="FROM-TO", help="From 1 to 10, such as 4-6.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag; can be given several times.")] = None,
    form: Form = None,
    output: Output = None,
) -> None:
    """Search the catalogue of training packs.

    Examples:

        gamestats rocket-league packs --category saves --difficulty 3-5
        gamestats rocket-league packs save --tag backboard
    """
    from gamestats_assets.cli.commands import written
    from gamestats_assets.rocket_league.analysis.training_packs import find_packs, known_tags, training_packs

    found = find_packs(
        training_packs(),
        category=category,
        difficulty=_range(difficulty),
        tags=tag or (),
        text=" ".join(words) if words else None,
    )
    if found.is_empty():
        say(
            f"None of {counted(training_packs().height, 'pack')} is like that. Tags, the most frequent first: "
            f"{', '.join(known_tags())}",
            "yellow",
            console=err(),
        )
    written(found, form, output)


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: write one number or two, such as 4-6.", param_hint="--difficulty"
        ) from None


@app.command("upload")
def upload_replays(
    paths: Annotated[list[Path], typer.Argument(metavar="REPLAY...", help="Replays, and folders of them.")],
    visibility: Annotated[
        Literal["public", "unlisted", "private"], typer.Option(help="Who may see them at ballchasing.")
    ] = "private",
    group: Annotated[str | None, typer.Option(help="Id of a group of replays there.")] = None,
) -> None:
    """Upload replays to ballchasing, which knows the players' ranks; its statistics are fetched when it has read them.

    They are fetched by gamestats up or by gamestats fetch rocket-league. A replay that ballchasing already has is no
    error; a replay that names a forgotten player is not sent. An account without a subscription may upload 20
    replays a day and 70 a week. Needs BALLCHASING_API_KEY.

    Examples:

        gamestats rocket-league upload ~/replays
        gamestats rocket-league upload match.replay --visibility public

    Exits with 1 when some were not uploaded.
    """
    from gamestats_assets.apis.http import ApiError, RateLimitedError, UnauthorisedError
    from gamestats_assets.apis.limits import SharedLimits
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lakehouse.files.local import files_within
    from gamestats_assets.lakehouse.landing.arrivals import SourcePathError, UnrecognisedContentError
    from gamestats_assets.lakehouse.landing.zone import UnreadableContentError
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.ballchasing.api import PATIENCE_S, BallchasingApi
    from gamestats_assets.rocket_league.ballchasing.discovery import share

    quiet_warnings()
    stores = Stores()
    settings, url = stores.settings, stores.postgres_url
    files = [
        file
        for path in paths
        for file in ([each for each in files_within(path)[0] if ".replay" in each.name] if path.is_dir() else [path])
    ]
    migrate(url)
    done = Counter[str]()
    limits = SharedLimits(url, caller="upload", patience=PATIENCE_S)
    with BallchasingApi(
        settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits
    ) as api:
        for number, file in enumerate(files):
            try:
                uploaded = share(url, api, stores.landing, file, visibility=visibility, group=group)
            except UnauthorisedError:
                raise
            except RateLimitedError as error:
                say(f"{error} Not uploaded: {counted(len(files) - number, 'replay')}.", "red", console=err())
                done["not uploaded"] += len(files) - number
                break
            except (ApiError, SourcePathError, UnreadableContentError, UnrecognisedContentError) as error:
                say(f"not uploaded  {file.name}: {error}", "red", console=err())
                done["not uploaded"] += 1
            else:
                kind = "uploaded" if uploaded.is_new else "known"
                say(f"{kind:<13} {file.name}  {uploaded.id}")
                done[kind] += 1
    say(f"{counted(len(files), 'replay')}: {', '.join(f'{number} {kind}' for kind, number in done.items()) or 'none'}.")
    if done["uploaded"] + done["known"]:
        say("Next: gamestats fetch rocket-league")
    if done["not uploaded"]:
        raise typer.Exit(1)


@app.command("report")
def report(
    player: _Player,
    to: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to.")] = Path("rocket-league-report.html"),
) -> None:
    """Write what is known of a tracked player as one HTML file with charts, of which the player's pages are made, too.

    For each playlist the rank, the skills against players of the same rank, where the player is on the field, progress
    over time, what to train next and whether it helps, and the players who play most like this one.

    Examples:

        gamestats rocket-league report steam:76561190000000001
        gamestats rocket-league report Alfa --out alfa.html
    """
    import polars as pl

    from gamestats_assets.lakehouse.delta.set_aside import set_aside
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.serving.report import write_report
    from gamestats_assets.rocket_league.tables import PlayerMatchFeatures, RawPlayerStats

    refuse_folder(to, "rocket-league-report.html")
    entry = in_transaction(lambda conn: PLAYER.find(conn, player))
    with status("Drawing"):
        stores, of_player = Stores(), pl.col("player_id") == entry["player_id"]
        lacks = set_aside(stores.lake, RawPlayerStats, PlayerMatchFeatures, of_player)
        write_report(to, stores.postgres_url, entry, lacks.words("match", "matches"))
    say(f"Written: {to}")


@app.command("export")
def export(
    player: _Player,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; the player's id without.")] = None,
    with_files: Annotated[
        bool, typer.Option("--with-files", help="The replays as they are, too: they name everybody who played.")
    ] = False,
) -> None:
    """Write everything that is held on a player to a zip archive, for the player.

    It holds what was entered, the player's rows of every table with the meaning of their columns, and a list of the
    files that name the player. The player need not be tracked.

    Examples:

        gamestats rocket-league export steam:76561190000000001
        gamestats rocket-league export steam:76561190000000001 --with-files --out everything.zip
    """
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.privacy.export import export_player

    player_id = _id_of(player)
    to = to or Path(f"{player_id}.zip")
    refuse_folder(to, "export.zip")
    with status("Looking for what is held"):
        rows = export_player(Stores(), player_id, to, with_files=with_files)
    say(f"{counted(sum(rows.values()), 'row')} of {counted(len(rows), 'table')}: {to}")


@app.command("forget")
def forget_player(player: _Player, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove every trace of a player, for good: files, tables and their history, PostgreSQL, Dagster's runs.

    Matches stay for the others who played in them, with a masked player in the player's place. Later files that name
    the player are masked as they land. At the end all storage is searched, and what is still found is reported.
    Backups are not searched. If it was interrupted, give the command again.

    A user who signs in with the account may ask to be named again in files that come from then on. Masked matches
    stay masked.

    Examples:

        gamestats rocket-league export steam:76561190000000001
        gamestats rocket-league forget steam:76561190000000001

    Exits with 1 if something of the player is left.
    """
    from rich.prompt import Confirm

    player_id = _id_of(player)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("There is no terminal to ask at: give --yes.", param_hint="--yes")
        if not Confirm.ask(f"Remove everything on {player_id}, which nothing brings back?", default=False):
            say("Nothing was done.")
            return
    quiet_warnings()
    with status("Loading"):
        import dagster as dg

        from gamestats_assets.cli.lake.materialize import finish
        from gamestats_assets.cli.session import opened
        from gamestats_assets.orchestration.runs.behind import on_days
        from gamestats_assets.orchestration.runs.forgetting import forget_in_dagster
        from gamestats_assets.rocket_league.privacy.erasure import forget
        from gamestats_assets.rocket_league.source import GAME
    with opened(games=[GAME]) as session:

        def remake(days: Sequence[str]) -> None:
            selection = dg.AssetSelection.key_prefixes([GAME], ["postgres", GAME])
            outcomes = session.follow(selection, chosen=on_days(days))
            if not all(outcome.success for outcome in outcomes):
                say("The player is not forgotten yet: mend what failed, and give the command again.", console=err())
                finish(outcomes)

        done = forget(
            session.stores,
            player_id,
            today=datetime.now(UTC).date(),
            remake=remake,
            forget_runs=lambda texts, keys: forget_in_dagster(session.instance, session.stores, texts, keys),
            tell=say,
        )
    for line in done.refused:
        say(line, "yellow", console=err())
    if done.not_looked_for:
        # Shown to the person who forgets the player, who must know what was not proven.
        names = ", ".join(done.not_looked_for)
        say(f"Not searched for, as others are called so too, or much else is: {names}", "yellow", console=err())
    if done.left:
        say(f"Still found in {counted(len(done.left), 'place')}:", "red", console=err())
        for place in done.left:
            say(f"  {place}", console=err())
        raise typer.Exit(1)
    say(
        f"Forgotten: masked in {counted(done.matches, 'match', 'matches')}; nothing is found of {player_id} any more.",
        "green",
    )


@app.command("simulate")
def simulate(
    folder: NewFolder,
    matches: Annotated[int, typer.Option(min=1, help="Matches.")] = 2000,
    players: Annotated[int, typer.Option(min=8, help="Players.")] = 400,
    days: PlayedDays = 30,
    seed: Seed = 7,
    start: Annotated[datetime | None, day_option("First UTC day; 2026-02-14 without.")] = None,
    frames: Annotated[int, typer.Option(min=0, help="Matches that have frames, too.")] = 0,
) -> None:
    """Simulate matches as ballchasing tells them, to try it: they are labelled so, and never mix with real ones.

    Those with frames are played out, as replays tell it: where ball and cars are, and what happens.

    The same options give the same files.

    Examples:

        gamestats rocket-league simulate rl-matches
        gamestats rocket-league simulate rl-matches --matches 20000 --players 2000 --days 90
    """
    from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season

    refuse_used(folder)
    first_day = (start or datetime(2026, 2, 14)).date()
    if frames > matches:
        raise typer.BadParameter(f"There are {matches} matches; {frames} cannot have frames.", param_hint="--frames")
    with status(f"Simulating {counted(matches, 'match', 'matches')}"):
        season = simulate_season(
            seed=seed, players=players, matches=matches, first_day=first_day, days=days, in_play=frames
        )
        write_season(folder, season)
    number, people = counted(matches, "match", "matches"), counted(len(season.players), "player")
    say(f"{number} of {people}: {folder}", "bold")
    say(f"Next: gamestats ingest rocket-league {shlex.quote(str(folder))}")
    played = Counter(
        f"{player['id']['platform']}:{player['id']['id']}"
        for match in season.matches
        for side in ("blue", "orange")
        for player in match[side]["players"]
    )
    [(player, most)] = played.most_common(1)
    say(f"Played most ({counted(most, 'match', 'matches')}): gamestats rocket-league track {player} --consent")
