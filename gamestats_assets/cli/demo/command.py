"""`gamestats demo`: PUBG, League of Legends, Rocket League, a shop and an MMO, from raw files to PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.demo.games import (
    DAYS,
    DEMO_USER,
    GAMES,
    RL_DAYS,
    ROVER,
    SMALL,
    Plan,
    bring,
    enter,
    those_there,
)
from gamestats_assets.cli.progress import lines
from gamestats_assets.cli.terminal import counted, err, few, quiet_warnings, say
from gamestats_assets.lakehouse import worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamestats_assets.cli.steps import Outcome
    from gamestats_assets.lakehouse.stores import Stores


def demo(
    small: Annotated[bool, typer.Option("--small", hidden=True, help="A few matches of each game.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every step.")] = False,
) -> None:
    """See it at work: a tournament of PUBG, League of Legends, Rocket League, a shop and an MMO, up to PostgreSQL.

    Simulated, as the APIs and the games would give them: public matches of PUBG and a tournament of two divisions that
    is under way, with a remake, an override and a match that needs a person; 280 matches of League of Legends with
    their timelines; 460 of Rocket League, some with every frame; five days of logs of a shop, and four of an MMO with
    farms and cafes in it. A player of PUBG and two of Rocket League are tracked.
    All of it is landed, materialised through Dagster with every check, and published. The runs show in
    the pages (gamestats up). Running it again finds what is there and does only what is missing.

    Example:

        gamestats demo && gamestats up
    """
    started = time.perf_counter()
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    outcomes = _made(stores, SMALL if small else Plan(), verbose=verbose)
    failed = [outcome for outcome in outcomes if not outcome.success]
    if failed:
        broken = ", ".join(failure.what for outcome in failed for failure in outcome.failures)
        message = f"The demo did not go through: {broken}. `gamestats demo` tries again what is missing."
        say(message, "red", console=err())
        raise typer.Exit(1)
    did = "all is made and checked" if outcomes else "all was there already, and nothing was left to do"
    say(f"Done in {time.perf_counter() - started:.0f} s: {did}.", "bold")
    for line in summary(stores):
        say(line)


# --------------------------------------------------------------------------- tables


def _made(stores: Stores, plan: Plan, *, verbose: bool) -> list[Outcome]:
    """Make every game, some at once: what is missing of it is simulated, landed, entered, and materialised.

    Each game is a task of a process: while one is simulated, tables of another are made.
    """
    there = those_there(stores, plan)
    with lines(verbose=verbose) as tell, worker.pool(stores.settings.workers, hear=tell) as pool:
        brought = {game: pool.submit(_bring, game, plan) for game in GAMES if game not in there}
        # Meanwhile what all of them write to is begun, once.
        from gamestats_assets.orchestration.runs.instance import dagster_instance

        with dagster_instance(stores):
            made = [
                pool.submit(_make, game, plan, brought[game].result() if game in brought else None, verbose)
                for game in GAMES
            ]
            return [outcome for each in made for outcome in each.result()]


def _bring(game: str, plan: Plan) -> Any:
    """A task: bring a game's raw files; what is to be entered of them."""
    return bring(game, _stores_of_a_task(), plan, worker.tell)


def _make(game: str, plan: Plan, brought: Any, verbose: bool) -> list[Outcome]:
    """A task: enter what people would of a game that is new, and make its tables."""
    quiet_warnings()
    import dagster as dg

    from gamestats_assets.cli.session import opened
    from gamestats_assets.orchestration.runs.behind import on_days

    stores = _stores_of_a_task()
    enter(game, stores, plan, brought)
    days = {(DAYS[-1] - timedelta(days=back)).isoformat() for back in range(RL_DAYS)}
    with opened(stores, [game], worker.tell) as session:
        return session.follow(dg.AssetSelection.all(), chosen=on_days(days), verbose=verbose)


def _stores_of_a_task() -> Stores:
    """Stores of a process that works alone: games are the parallelism already."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.settings import Settings

    return Stores(Settings().model_copy(update={"workers": 1}))


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
    sentences: Sequence[tuple[str, Callable[..., str]]] = (
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
            f"On its last day the shop lost most people before {event_name}: "
            f"{step_conversion:.0%} of the attempts got there.")),
    )  # fmt: skip
    found: list[Finding] = []
    for query, sentence in sentences:
        rows = _asked(stores, query)
        found += [Finding(sentence(**rows[0]), query)] if rows else []
    return found


def _asked(stores: Stores, query: str) -> list[dict[str, Any]]:
    from gamestats_assets.cli.catalog import queryable_tables
    from gamestats_assets.lakehouse.models import sql

    known = queryable_tables()
    return sql.query(query, lambda name: stores.lake.source(known[name]), known).to_dicts()


def empty_tables(stores: Stores) -> list[str]:
    """Published tables without a row in PostgreSQL: after the demo there are none."""
    from gamestats_assets.cli.catalog import declared_tables
    from gamestats_assets.lakehouse.postgres.server import connect
    from gamestats_assets.lakehouse.published.publication import counts

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
    from gamestats_assets.cli.catalog import declared_tables

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
        "  gamestats up                          the pages, and for admins every run, table and check",
        f"  gamestats user link {DEMO_USER}              signs you in as {ROVER}: what to train, replays to watch",
        "  gamestats tables                      every table, its rows and checks",
        "  gamestats tournament schedule list    the tournament that is under way",
        "  gamestats lol report                  what there is to know of League of Legends",
        f"  gamestats rocket-league report {ROVER}  a player's strengths, weaknesses and training",
    ]
