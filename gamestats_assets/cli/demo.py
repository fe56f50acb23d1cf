"""`gamestats demo`: PUBG, League of Legends, Rocket League, a shop and an MMO, from raw files to PostgreSQL."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from gamestats_assets.cli.terminal import counted, err, few, quiet_warnings, say, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamestats_assets.cli.session import Session
    from gamestats_assets.cli.steps import Outcome
    from gamestats_assets.lakehouse.arrivals import IngestReport
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.simulate_tournament import Tournament
    from gamestats_assets.rocket_league.simulate import Player, TrainingSession

DAYS = (date(2026, 3, 14), date(2026, 3, 15))
"""Days of the matches of PUBG, public ones and those of a tournament."""
SEED = 20260314
PRODUCT, TAXONOMY, PRODUCT_DAYS = "demo-shop", "ecommerce", 7
"""The generated product, what it is generated from, and its days, which end with the matches."""
ACCOUNTS, ACTIONS = 1_500, 8.0
"""Accounts of the MMO, and how often each gains or spends something on a day; over as many days as the shop."""
LOL_MATCHES, LOL_DAYS = 280, 5
"""Matches of League of Legends and their days, which end with the others: the first one is of an older patch. In fewer
the planted pattern is not found, and no decision tree is grown."""
RL_MATCHES, RL_PLAYERS, RL_TIERS = 460, 270, (10, 14)
"""Matches of Rocket League in the week of the shop, who plays them, and of which ranks."""
RL_IN_PLAY = 4
"""Matches of the first tracked player that are played out, so that there are frames of them."""
RL_PLAYLIST = "ranked-standard"
"""What they play."""
ROVER, AVERAGE = "Rover", "Median"
"""Simulated players who are tracked: one who stands badly and trains, and one who is average in all."""
POPULATION = 140
"""People who play public matches of PUBG; those of the tournament are among them."""
SEASON, MINIMUM_TEAMS = "spring-2026", 5
"""The tournament of PUBG, and teams below which a match of it needs a look."""


def demo(
    matches: Annotated[int, typer.Option(min=1, hidden=True, help="Public matches a day.")] = 2,
    players: Annotated[int, typer.Option(min=10, max=100, hidden=True, help="Players of a public match.")] = 72,
    users: Annotated[int, typer.Option(min=10, hidden=True, help="Users of the product.")] = 300,
    accounts: Annotated[int, typer.Option(min=130, hidden=True, help="Accounts of the MMO.")] = ACCOUNTS,
    mmo_days: Annotated[int, typer.Option(min=1, max=7, hidden=True, help="Days of the MMO.")] = PRODUCT_DAYS,
    lol_matches: Annotated[int, typer.Option(min=1, hidden=True, help="Matches of League of Legends.")] = LOL_MATCHES,
    rl_matches: Annotated[int, typer.Option(min=100, hidden=True, help="Matches of Rocket League.")] = RL_MATCHES,
    rl_in_play: Annotated[int, typer.Option(min=1, hidden=True, help="Those of them with frames.")] = RL_IN_PLAY,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every step, and a line for every table.")
    ] = False,
) -> None:
    """See it at work: a tournament of PUBG, League of Legends, Rocket League, a shop and an MMO, up to PostgreSQL.

    Simulated, as the APIs and the games would give them: public matches of PUBG and a tournament of two divisions that
    is under way, with a remake, an override and a match that needs a person; 280 matches of League of Legends with
    their timelines; 460 of Rocket League, some with every frame; a week of logs of a shop, and of an MMO with farms
    and cafes in it. A player of PUBG and two of Rocket League are tracked.
    All of it is landed, materialised through Dagster with every check, and published. The runs show in
    the UI (gamestats up). Running it again finds what is there and does only what is missing.

    Example:

        gamestats demo && gamestats up
    """
    started = time.perf_counter()
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    _bring(stores, _Plan(matches, players, accounts, mmo_days, lol_matches, rl_matches, rl_in_play))
    from gamestats_assets.cli.session import opened

    _add_product(stores, users)
    say("Materialising, checking and publishing")
    with opened(stores) as session:
        outcomes = _materialise(session, verbose=verbose)
        if verbose:
            show(_result(session, outcomes))
    failed = [outcome for outcome in outcomes if not outcome.success]
    if failed:
        broken = ", ".join(failure.what for outcome in failed for failure in outcome.failures)
        told = f"The demo did not go through: {broken}. `gamestats demo` tries again what is missing."
        say(told, "red", console=err())
        raise typer.Exit(1)
    published = sum(key.path[0] == "postgres" for outcome in outcomes for key in outcome.step_of)
    did = f"{published} tables published" if published else "nothing was left to do"
    say(f"Done in {time.perf_counter() - started:.0f} s: {did}.", "bold")
    for line in summary(stores):
        say(line)


# --------------------------------------------------------------------------- raw files


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much of what is simulated."""

    matches: int
    players: int
    accounts: int
    mmo_days: int
    lol_matches: int
    rl_matches: int
    rl_in_play: int


def _bring(stores: Stores, plan: _Plan) -> None:
    """Simulate and land the files of every game, and enter what people would; what is there already stays."""
    from gamestats_assets.l2m.source import deliver
    from gamestats_assets.lakehouse import worker
    from gamestats_assets.lol.source import ingest as take_lol
    from gamestats_assets.pubg.source import ingest as take_pubg
    from gamestats_assets.rocket_league.source import ingest as take_rocket_league

    say("Simulating a tournament and public matches of PUBG, League of Legends, Rocket League, and an MMO")
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as name, worker.pool(stores.settings.workers) as pool:
        folder = Path(name)
        # The longest first; the others are landed meanwhile.
        rocket_league = pool.submit(_rocket_league, folder / "rocket_league", plan)
        pubg = pool.submit(_pubg, folder / "pubg", plan)
        lol = pool.submit(_lol, folder / "lol", plan)
        mmo = pool.submit(_mmo, folder / "mmo", plan)
        tournament = pubg.result()
        _say_landed("PUBG", take_pubg([folder / "pubg"], stores.landing))
        _schedule(stores, tournament)
        lol.result()
        _say_landed("League of Legends", take_lol([folder / "lol"], stores.landing))
        rows, cafes = mmo.result()
        report = deliver([folder / "mmo"], stores.landing)
        new = f"{report.count('delivered')} deliveries" if report.days else "all of them known"
        say(f"  an MMO: {rows:,} rows, {new}")
        _whitelist(stores, cafes)
        known = rocket_league.result()
        _say_landed("Rocket League", take_rocket_league([folder / "rocket_league"], stores.landing))
        _track(stores, *known)


def _say_landed(game: str, report: IngestReport) -> None:
    new = f"{report.taken} files taken" if report.taken else "all of them known"
    say(f"  {game}: {counted(report.files, 'file')}, {new}")


def _pubg(folder: Path, plan: _Plan) -> Tournament:
    from gamestats_assets.pubg.simulate import simulate_day
    from gamestats_assets.pubg.simulate_tournament import simulate_tournament

    for number, day in enumerate(DAYS):
        simulate_day(folder, day, plan.matches, SEED + number, players=plan.players, population=POPULATION)
    return simulate_tournament(folder, first_day=DAYS[0], seed=SEED)


def _lol(folder: Path, plan: _Plan) -> None:
    from gamestats_assets.lol.simulate import write_season

    first = DAYS[-1] - timedelta(days=LOL_DAYS - 1)
    write_season(folder, matches=plan.lol_matches, first_day=first, days=LOL_DAYS, seed=SEED)


def _mmo(folder: Path, plan: _Plan) -> tuple[int, tuple[str, ...]]:
    """Write the MMO's logs; how many rows they have, and the addresses of cafes."""
    from gamestats_assets.l2m.simulate import Plan, simulate

    first = DAYS[-1] - timedelta(days=plan.mmo_days - 1)
    mmo = Plan(accounts=plan.accounts, days=plan.mmo_days, start=first, seed=SEED, actions=ACTIONS)
    truth = simulate(mmo, folder, rates=True)
    return sum(sum(day.rows.values()) for day in truth.days), truth.whitelist


def _rocket_league(folder: Path, plan: _Plan) -> tuple[tuple[Player, ...], tuple[TrainingSession, ...]]:
    """Write the season; the two players who are tracked, and who trained when."""
    from gamestats_assets.rocket_league.simulate import Planted, Training, simulate_season, write_season

    of_each = plan.rl_matches // 12
    training = Training("positioning", hours=6, effect_per_hour=0.2)
    season = simulate_season(
        seed=SEED,
        players=RL_PLAYERS,
        matches=plan.rl_matches,
        first_day=DAYS[-1] - timedelta(days=PRODUCT_DAYS - 1),
        days=PRODUCT_DAYS,
        playlists=[RL_PLAYLIST],
        tiers=RL_TIERS,
        planted=[
            Planted(ROVER, 12, {"positioning": -2.5}, [training], matches=of_each),
            Planted(AVERAGE, 12, matches=of_each),
        ],
        in_play=plan.rl_in_play,
    )
    write_season(folder, season)
    return season.players[:2], season.sessions


# --------------------------------------------------------------------------- what people enter


def _schedule(stores: Stores, tournament: Tournament) -> None:
    """Enter the tournament and a player of it who is tracked, unless the season is there."""
    from gamestats_assets.cli.entering import person
    from gamestats_assets.lakehouse.ops import entering, select
    from gamestats_assets.pubg import tournament_entry as entry
    from gamestats_assets.pubg.backfill import Found, request_backfill

    with entering(stores.postgres_url, person()) as conn:
        if select(conn, "seasons", {"season": SEASON}):
            return
        zone, began = tournament.time_zone, tournament.days[0]
        entry.create_season(conn, SEASON, name="Spring 2026", time_zone=zone, minimum_teams=MINIMUM_TEAMS)
        for division in tournament.divisions:
            name = division.name
            entry.create_division(conn, SEASON, name)
            if division.group is not None:
                entry.create_group(conn, SEASON, name, division.group)
            for number, day in enumerate(tournament.days, start=1):
                entry.create_round(conn, SEASON, name, number, first_day=day, status="active")
            # Those before the last are over.
            for number in range(1, len(tournament.days)):
                entry.change_round(conn, SEASON, name, number, status="completed")
            for team in division.teams:
                entry.create_team(conn, SEASON, name, team.name, group=division.group)
                row = entry.find_team(conn, SEASON, team.name, name)
                for account, player in team.players:
                    entry.enter_on_roster(conn, row, entry.Player(player, account), valid_from=began)
        played = {(match.division, match.round_number, match.match_number) for match in tournament.matches}
        for slot in tournament.slots:
            place = (slot.division, slot.round_number, slot.match_number)
            entry.create_slot(
                conn,
                SEASON,
                *place,
                scheduled_at=slot.at.isoformat(),
                map_name=slot.map_name,
                status="completed" if place in played else "scheduled",
                original_match_id=slot.failed,
                remake_reason="the server went down" if slot.failed else None,
            )
        for match in tournament.by_status("not_tournament"):
            told = "They played on for fun after the last match."
            entry.create_override(conn, match.truth.match_id, is_tournament_match=False, reason=told, admin=person())
        account, player = tournament.divisions[0].teams[0].players[0]
        entry.track_player(conn, player, account_id=account, backfill_days=0)
        found = Found(sum(account in match.truth.players_truth for match in tournament.matches), 0, 0)
        request_backfill(conn, entry.tracked_row(conn, account), DAYS[0], DAYS[-1], found)
    say(f"  Entered the tournament {SEASON}, and {player}, who plays in it and is tracked")


def _whitelist(stores: Stores, cafes: Sequence[str]) -> None:
    """Enter the addresses of the MMO's cafes, where honest players share one, unless there is a whitelist."""
    from gamestats_assets.cli.entering import person
    from gamestats_assets.l2m.whitelist import add_prefix
    from gamestats_assets.lakehouse.ops import entering, select

    with entering(stores.postgres_url, person()) as conn:
        for prefix in () if select(conn, "ip_whitelist", {}) else cafes:
            add_prefix(conn, prefix, "a cafe")


def _track(stores: Stores, players: Sequence[Player], sessions: Sequence[TrainingSession]) -> None:
    """Enter the planted players, who agree, their ranks, and what they trained, unless they are there."""
    from gamestats_assets.cli.entering import person
    from gamestats_assets.lakehouse.ops import entering, select
    from gamestats_assets.rocket_league.players import add_session, give_rank, track
    from gamestats_assets.rocket_league.ranks import rank_name

    now = datetime.combine(DAYS[-1], datetime.min.time(), UTC)
    with entering(stores.postgres_url, person()) as conn:
        for player in players:
            if select(conn, "rl_players", {"player_id": player.player_id}):
                continue
            track(conn, player.player_id, now=now, username=player.name, retention_days=36_500, consents=True)
            give_rank(conn, player.player_id, RL_PLAYLIST, rank_name(player.tiers[RL_PLAYLIST]))
            for session in sessions:
                if session.player_id == player.player_id:
                    add_session(
                        conn,
                        player.player_id,
                        completed_at=session.started_at + timedelta(seconds=session.duration_s),
                        duration_s=session.duration_s,
                        skill=session.skill,
                        attempts=session.attempts,
                        successes=session.successes,
                    )


def _add_product(stores: Stores, users: int) -> None:
    """Enter the generated product, unless it is there."""
    from gamestats_assets.cli.entering import person
    from gamestats_assets.demo_data.analysis.analyst import analyse
    from gamestats_assets.demo_data.configuration import Configuration, ProductInfo
    from gamestats_assets.demo_data.products import add_product
    from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
    from gamestats_assets.lakehouse.ops import entering, select
    from gamestats_assets.settings import shipped

    with entering(stores.postgres_url, person()) as conn:
        if select(conn, "products", {"product": PRODUCT}):
            return
        taxonomy = read_taxonomy(shipped("data", "taxonomies", TAXONOMY))
        product = ProductInfo(industry=TAXONOMY, platform="mobile", name="Demo shop")
        first = DAYS[-1] - timedelta(days=PRODUCT_DAYS - 1)
        run = Configuration(product=product, users=users, days=PRODUCT_DAYS, start=first, seed=SEED)
        rules = analyse(taxonomy, product)
        add_product(conn, PRODUCT, taxonomy=taxonomy, rules=rules, origin="analyst", configuration=run, generated=True)
    say(f"Added the product {PRODUCT}: {counted(users, 'user')}, {PRODUCT_DAYS} days of logs")


# --------------------------------------------------------------------------- tables


def _materialise(session: Session, *, verbose: bool) -> list[Outcome]:
    import dagster as dg

    from gamestats_assets.orchestration.behind import on_days

    days = {(DAYS[-1] - timedelta(days=back)).isoformat() for back in range(PRODUCT_DAYS)}
    return session.follow(dg.AssetSelection.all(), chosen=on_days(days), verbose=verbose)


def _result(session: Session, outcomes: list[Outcome]) -> RichTable:
    """Every asset that was made: rows, checks, seconds of the step that makes it."""
    from gamestats_assets.cli.known import declared_tables
    from gamestats_assets.cli.overview import check_state
    from gamestats_assets.lakehouse.postgres import connect
    from gamestats_assets.lakehouse.published import counts
    from gamestats_assets.orchestration.metadata import asset_key, publication_key

    listed = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("asset", "rows", "checks passed", "seconds"):
        listed.add_column(heading, justify="left" if heading == "asset" else "right")
    seconds = _seconds(outcomes)
    with connect(session.stores.postgres_url) as connection:
        for table in declared_tables():
            key = asset_key(table)
            state = session.stores.lake.state(table)
            checks = check_state(session.stores, table)
            if state is None:
                continue
            color = "red" if checks.failed else "yellow" if checks.warned or not checks.is_known else "green"
            listed.add_row(
                table.spec.dotted,
                f"{state.rows:,}",
                Text(f"{checks.passed} of {checks.total}", style=color),
                seconds.get(".".join(key.path), ""),
            )
        for table in declared_tables():
            if table.spec.published and session.stores.lake.state(table) is not None:
                rows = sum(counts(connection, table).values())
                name = ".".join(publication_key(table).path)
                listed.add_row(name, f"{rows:,}", "", seconds.get(name, ""))
    return listed


def _seconds(outcomes: list[Outcome]) -> dict[str, str]:
    """By asset, seconds of its step; of a step that makes several, at the first and a ditto mark at the others."""
    told: dict[str, str] = {}
    for outcome in outcomes:
        named: set[str] = set()
        for key, step in outcome.step_of.items():
            if step in outcome.steps:
                told[".".join(key.path)] = '"' if step in named else f"{outcome.steps[step]:.1f}"
                named.add(step)
    return told


# --------------------------------------------------------------------------- what came out


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the data show: a sentence, and the query that shows it."""

    sentence: str
    query: str


_WINNER = (
    "select team_name, division, points, wins, matches_played from pubg.tournament_team_standings "
    "where scope = 'overall' and rank = 1 order by points desc limit 1"
)
_FOR_A_PERSON = (
    "select match_id, concern, explanation from pubg.match_validation "
    "where validation_status = 'remake_candidate' order by match_id limit 1"
)
_PATTERN = (
    "select sentence from lol.discovered_patterns where is_replicated order by abs(effect) desc, pattern_id limit 1"
)
_WEAKNESS = (
    "select u.username, w.skill, w.percentile, w.evidence from rocket_league.weaknesses w "
    "join rocket_league.users u on u.player_id = w.player_id where w.is_weakness order by w.percentile limit 1"
)
_FARMER = (
    "select user_id, reasons, shared_ip_accounts from l2m.farmers_snapshot "
    "where valid_to is null order by score desc, shared_ip_accounts desc, user_id limit 1"
)
_FUNNEL = (
    "select event_name, step_conversion from demo_data.funnels where step_conversion is not null "
    "and day = (select max(day) from demo_data.funnels) order by step_conversion, funnel, step limit 1"
)


def findings(stores: Stores) -> list[Finding]:
    """What the demo's data show, a finding of each game; one whose query finds nothing is left out.

    Raises:
        QueryError: when a table is not there.
    """
    told: Sequence[tuple[str, Callable[..., str]]] = (
        (_WINNER, lambda team_name, division, points, wins, matches_played: (
            f"{team_name} leads {division} of the tournament: {points} points and {counted(wins, 'win')} "
            f"in {counted(matches_played, 'match', 'matches')}.")),
        (_FOR_A_PERSON, lambda match_id, concern, explanation: (
            f"Match {match_id[:8]} of the tournament needs a person: {explanation}")),
        (_PATTERN, lambda sentence: sentence),
        (_WEAKNESS, lambda username, skill, percentile, evidence: (
            f"{username}'s weakness is {skill}: better than {percentile:.0f}% of the same rank. {evidence}")),
        (_FARMER, lambda user_id, reasons, shared_ip_accounts: (
            f"{user_id} is a farmer ({reasons.replace(',', ', ')}): "
            f"{shared_ip_accounts} accounts came from one address on a day.")),
        (_FUNNEL, lambda event_name, step_conversion: (
            f"The shop loses most people before {event_name}: {step_conversion:.0%} of the attempts get there.")),
    )  # fmt: skip
    found: list[Finding] = []
    for query, sentence in told:
        rows = _asked(stores, query)
        found += [Finding(sentence(**rows[0]), query)] if rows else []
    return found


def _asked(stores: Stores, query: str) -> list[dict[str, Any]]:
    from gamestats_assets.cli.known import queryable_tables
    from gamestats_assets.lakehouse import sql

    known = queryable_tables()
    return sql.query(query, lambda name: stores.lake.source(known[name]), known).to_dicts()


def empty_tables(stores: Stores) -> list[str]:
    """Published tables without a row in PostgreSQL: after the demo there are none."""
    from gamestats_assets.cli.known import declared_tables
    from gamestats_assets.lakehouse.postgres import connect
    from gamestats_assets.lakehouse.published import counts

    with connect(stores.postgres_url) as connection:
        return [
            table.spec.dotted
            for table in declared_tables()
            if table.spec.published and not sum(counts(connection, table).values())
        ]


def summary(stores: Stores) -> list[str]:
    """At most 25 lines: what was made, what it found out, and where to look next.

    Raises:
        QueryError: when a table is not there.
    """
    from gamestats_assets.cli.known import declared_tables

    made = [state for table in declared_tables() if (state := stores.lake.state(table)) is not None and state.rows]
    published = sum(table.spec.published for table in declared_tables())
    empty = empty_tables(stores)
    lines = [
        f"{len(made)} tables with {sum(state.rows for state in made):,} rows; "
        f"{published - len(empty)} of {published} published in PostgreSQL have rows."
    ]
    lines += [f"Without rows: {few(empty)}"] if empty else []
    for finding in findings(stores):
        lines += [f"  {finding.sentence}", f'    gamestats query "{finding.query}"']
    return [
        *lines,
        "To look further:",
        "  gamestats up                          the UI, with every run, table and check",
        "  gamestats tables                      every table, its rows and checks",
        "  gamestats tournament schedule list    the tournament that is under way",
        "  gamestats lol report                  what there is to know of League of Legends",
        f"  gamestats rocket-league report {ROVER}  a player's strengths, weaknesses and training",
    ]
