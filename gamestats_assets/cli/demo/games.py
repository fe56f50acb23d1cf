"""The demo's games: simulates their raw files, and enters what people would enter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamestats_assets.cli.progress import ProgressEvent, Tell
from gamestats_assets.cli.terminal import counted

if TYPE_CHECKING:
    import psycopg

    from gamestats_assets.lakehouse.landing.arrivals import IngestReport
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.simulators.pubg.tournament import Tournament
    from gamestats_assets.simulators.rocket_league.players import Player, TrainingSession

DAYS = (date(2026, 3, 14), date(2026, 3, 15))
"""Days of the matches of PUBG, public ones and those of a tournament."""
SEED = 20260314
PRODUCT, TAXONOMY, PRODUCT_DAYS = "demo-shop", "ecommerce", 5
"""The generated product, what it is generated from, and its days, which end with the matches."""
ACTIONS = 8.0
"""How often an account of the MMO gains or spends something on a day."""
LOL_DAYS = 5
"""Days of League of Legends, which end with the others: the first one is of an older patch."""
RL_PLAYERS, RL_TIERS, RL_DAYS = 270, (10, 14), 7
"""Who plays Rocket League, of which ranks, and on how many days, which end with the others."""
RL_PLAYLIST = "ranked-standard"
"""What they play."""
RL_PACK = "9EF6-3C57-C7BD-96C8"
"""A pack for positioning, in which the first of the tracked players trains."""
ROVER, AVERAGE = "Rover", "Median"
"""Simulated players who are tracked: one who stands badly and trains, and one who is average in all."""
DEMO_USER = "demo"
"""Who signs in as the first of them."""
POPULATION = 140
"""People who play public matches of PUBG; those of the tournament are among them."""
SEASON, MINIMUM_TEAMS = "spring-2026", 5
"""The tournament of PUBG, and teams below which a match of it needs a look."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is simulated; by default as much as the demo needs to find something out of each game.

    Attributes:
        players: of a public match of PUBG, of which there is one a day.
        users: of the shop.
        accounts: of the MMO.
        mmo_days: days of the MMO.
        lol_matches: of League of Legends: in fewer the planted pattern is not found, and no decision tree is grown.
        rl_matches: of Rocket League.
        rl_in_play: those of them, of the first tracked player, that are played out, so that there are frames of them.
    """

    players: int = 72
    users: int = 300
    accounts: int = 1_500
    mmo_days: int = 4
    lol_matches: int = 280
    rl_matches: int = 460
    rl_in_play: int = 2


SMALL = Plan(players=40, users=30, accounts=200, mmo_days=2, lol_matches=40, rl_matches=100, rl_in_play=1)
"""Enough to see that everything works."""


@dataclass(frozen=True, slots=True)
class DemoGame:
    """A game of the demo.

    Attributes:
        simulate: simulates raw files in a folder and lands them; what `enter` needs to know of them.
        enter: enters what people would of what was simulated, unless it is there.
        is_there: whether all of it is there: what is entered is entered last.
    """

    simulate: Callable[[Path, Stores, Plan, Callable[[str], None]], Any]
    enter: Callable[[Stores, Plan, Any], None]
    is_there: Callable[[psycopg.Connection, Stores, Plan], object]


def bring(game: str, stores: Stores, plan: Plan, tell: Tell) -> Any:
    """Simulate raw files of a game and land them; what `enter` needs to know of them."""
    tell(ProgressEvent(game, "simulating"))
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as name:
        return GAMES[game].simulate(Path(name), stores, plan, lambda text: tell(ProgressEvent(game, text, "stage")))


def enter(game: str, stores: Stores, plan: Plan, simulated: Any) -> None:
    """Enter what people would of a game."""
    GAMES[game].enter(stores, plan, simulated)


def those_there(stores: Stores, plan: Plan) -> set[str]:
    """Games of which all is there."""
    if not any(stores.landing.days(game) for game in GAMES):
        return set()
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lakehouse.postgres.server import connect

    migrate(stores.postgres_url)
    with connect(stores.postgres_url) as conn:
        return {name for name, game in GAMES.items() if game.is_there(conn, stores, plan)}


def _entered(table: str, **where: str) -> Callable[[psycopg.Connection, Stores, Plan], object]:
    """Whether a table of what people enter has such a row."""

    def is_there(conn: psycopg.Connection, stores: Stores, plan: Plan) -> object:
        from gamestats_assets.lakehouse.entries.ops import select

        return select(conn, table, where)

    return is_there


# --------------------------------------------------------------------------- raw files


def _pubg(folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]) -> Tournament:
    from gamestats_assets.pubg.source.files import ingest
    from gamestats_assets.simulators.pubg.matches import simulate_day
    from gamestats_assets.simulators.pubg.tournament import simulate_tournament

    for number, day in enumerate(DAYS):
        simulate_day(folder, day, 1, SEED + number, players=plan.players, population=POPULATION)
    tournament = simulate_tournament(folder, first_day=DAYS[0], seed=SEED)
    say(_landed(ingest([folder], stores.landing)))
    return tournament


def _lol(folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]) -> None:
    from gamestats_assets.lol.source import ingest
    from gamestats_assets.simulators.lol.seasons import write_season

    first = DAYS[-1] - timedelta(days=LOL_DAYS - 1)
    write_season(folder, matches=plan.lol_matches, first_day=first, days=LOL_DAYS, seed=SEED)
    say(_landed(ingest([folder], stores.landing)))


def _l2m(folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]) -> Sequence[str]:
    """Bring the MMO's logs; the addresses of its cafes."""
    from gamestats_assets.l2m.source import deliver
    from gamestats_assets.simulators.l2m.logs import Plan as Logs
    from gamestats_assets.simulators.l2m.logs import simulate

    first = DAYS[-1] - timedelta(days=plan.mmo_days - 1)
    mmo = Logs(accounts=plan.accounts, days=plan.mmo_days, start=first, seed=SEED, actions=ACTIONS)
    truth = simulate(mmo, folder, rates=True)
    rows = sum(sum(day.rows.values()) for day in truth.days)
    say(f"{rows:,} rows, {counted(deliver([folder], stores.landing).count('delivered'), 'delivery', 'deliveries')}")
    return truth.whitelist


def _rocket_league(
    folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]
) -> tuple[tuple[Player, ...], tuple[TrainingSession, ...]]:
    """Bring the season; the two players who are tracked, and who trained when."""
    from gamestats_assets.rocket_league.source import ingest
    from gamestats_assets.simulators.rocket_league.players import Planted, Training
    from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season

    of_each = plan.rl_matches // 12
    # With matches before the first session, and between all of them.
    training = Training("positioning", hours=6, effect_per_hour=0.2, first_day=2, days=RL_DAYS - 2)
    season = simulate_season(
        seed=SEED,
        players=RL_PLAYERS,
        matches=plan.rl_matches,
        first_day=DAYS[-1] - timedelta(days=RL_DAYS - 1),
        days=RL_DAYS,
        playlists=[RL_PLAYLIST],
        tiers=RL_TIERS,
        planted=[
            Planted(ROVER, 12, {"positioning": -2.5}, [training], matches=of_each),
            Planted(AVERAGE, 12, matches=of_each),
        ],
        in_play=plan.rl_in_play,
    )
    write_season(folder, season)
    say(_landed(ingest([folder], stores.landing)))
    return season.players[:2], season.sessions


def _lol_is_there(conn: psycopg.Connection, stores: Stores, plan: Plan) -> bool:
    from gamestats_assets.orchestration.freshness.landed import landed_units

    days = [(DAYS[-1] - timedelta(days=back)).isoformat() for back in range(LOL_DAYS)]
    return sum(len(landed_units(stores.landing, "lol", day)) for day in days) >= plan.lol_matches


def _landed(report: IngestReport) -> str:
    return f"{counted(report.taken, 'file')} landed"


# --------------------------------------------------------------------------- what people enter


def _schedule(stores: Stores, plan: Plan, tournament: Tournament | None) -> None:
    """Enter the tournament and a player of it who is tracked, unless the season is there."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.lakehouse.entries.ops import entering, select
    from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
    from gamestats_assets.pubg.players.entered.backfills import Found, request_backfill
    from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SLOT, TEAM
    from gamestats_assets.pubg.tournament.entered import SEASON as OF_TOURNAMENT

    if tournament is None:
        return
    with entering(stores.postgres_url, person()) as conn:
        if select(conn, "seasons", {"season": SEASON}):
            return
        zone, began = tournament.time_zone, tournament.days[0]
        OF_TOURNAMENT.add(conn, SEASON, name="Spring 2026", time_zone=zone, minimum_teams=MINIMUM_TEAMS)
        for division in tournament.divisions:
            name = division.name
            DIVISION.add(conn, SEASON, name)
            if division.group is not None:
                GROUP.add(conn, SEASON, name, division.group)
            for number, day in enumerate(tournament.days, start=1):
                ROUND.add(conn, SEASON, name, number, first_day=day, status="active")
            # Those before the last are over.
            for number in range(1, len(tournament.days)):
                ROUND.change(conn, SEASON, name, number, status="completed")
            for team in division.teams:
                TEAM.add(conn, SEASON, name, team.name, group=division.group)
                for account, player in team.players:
                    where = (conn, SEASON, team.name, player)
                    ROSTER_ENTRY.add(*where, division=name, account_id=account, valid_from=began)
        played = {(match.division, match.round_number, match.match_number) for match in tournament.matches}
        for slot in tournament.slots:
            place = (slot.division, slot.round_number, slot.match_number)
            SLOT.add(
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
            message = "They played on for fun after the last match."
            OVERRIDE.add(conn, match.truth.match_id, is_tournament_match=False, reason=message, admin=person())
        account, player = tournament.divisions[0].teams[0].players[0]
        TRACKED_PLAYER.add(conn, player, account_id=account, backfill_days=0)
        found = Found(sum(account in match.truth.players_truth for match in tournament.matches), 0, 0)
        request_backfill(conn, TRACKED_PLAYER.find(conn, account), DAYS[0], DAYS[-1], found)


def _whitelist(stores: Stores, plan: Plan, cafes: Sequence[str] | None) -> None:
    """Enter the addresses of the MMO's cafes, where honest players share one, unless there is a whitelist."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.l2m.reference.entered import WHITELIST_ENTRY
    from gamestats_assets.lakehouse.entries.ops import entering, select

    with entering(stores.postgres_url, person()) as conn:
        for prefix in () if select(conn, "ip_whitelist", {}) else cafes or ():
            WHITELIST_ENTRY.add(conn, prefix, note="a cafe")


def _track(stores: Stores, plan: Plan, season: tuple[Sequence[Player], Sequence[TrainingSession]] | None) -> None:
    """Enter the planted players, who agree, their ranks, what they trained and whose the first is, if they are new."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError
    from gamestats_assets.lakehouse.entries.ops import entering, select
    from gamestats_assets.rocket_league.players.entered import PLAYER, RANK, TRAINING_SESSION, Custody
    from gamestats_assets.rocket_league.reference.ranks import rank_name
    from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
    from gamestats_assets.serving.accounts import users
    from gamestats_assets.serving.accounts.players import link_player

    if season is None:
        return
    (players, sessions), now = season, datetime.combine(DAYS[-1], datetime.min.time(), UTC)
    with entering(stores.postgres_url, person()) as conn:
        for player in players:
            if select(conn, "rl_players", {"player_id": player.player_id}):
                continue
            settings = {"username": player.name, "retention_days": 36_500, "consents": True}
            PLAYER.add(conn, player.player_id, context=Custody(now=now), **settings)
            RANK.add(conn, player.player_id, RL_PLAYLIST, rank=rank_name(player.tiers[RL_PLAYLIST]))
            own = [session for session in sessions if session.player_id == player.player_id]
            for number, session in enumerate(own):
                TRAINING_SESSION.add(
                    conn,
                    player.player_id,
                    completed_at=session.started_at + timedelta(seconds=session.duration_s),
                    duration_s=session.duration_s,
                    # Every other one in a pack, the others in free play.
                    **({"code": RL_PACK} if number % 2 == 0 else {"skill": session.skill}),
                    attempts=session.attempts,
                    successes=session.successes,
                )
        with suppress(ExistsAlreadyError):
            user = users.add_user(conn, person(), DEMO_USER)
            link_player(conn, ROCKET_LEAGUE, user["user_id"], players[0].player_id, "command_line")


def _add_product(stores: Stores, plan: Plan, _: object) -> None:
    """Enter the generated product, unless it is there."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.demo_data.analysis.analyst import analyse
    from gamestats_assets.demo_data.products.entered import PRODUCT as ENTERED_PRODUCT
    from gamestats_assets.demo_data.products.entered import Origin
    from gamestats_assets.demo_data.rules.configuration import Configuration
    from gamestats_assets.demo_data.taxonomies.product import ProductInfo
    from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
    from gamestats_assets.lakehouse.entries.ops import entering, select
    from gamestats_assets.settings import shipped

    with entering(stores.postgres_url, person()) as conn:
        if select(conn, "products", {"product": PRODUCT}):
            return
        taxonomy = read_taxonomy(shipped("data", "taxonomies", TAXONOMY))
        product = ProductInfo(industry=TAXONOMY, platform="mobile", name="Demo shop")
        first = DAYS[-1] - timedelta(days=PRODUCT_DAYS - 1)
        run = Configuration(product=product, users=plan.users, days=PRODUCT_DAYS, start=first, seed=SEED)
        rules = analyse(taxonomy, product)
        ENTERED_PRODUCT.add(conn, PRODUCT, context=Origin(taxonomy, rules, "analyst", run))


def _nothing(*_: object) -> None:
    """Of League of Legends nothing is entered, and the shop's logs are generated by its own assets."""


GAMES: Mapping[str, DemoGame] = {
    "rocket_league": DemoGame(_rocket_league, _track, _entered("rl_players", username=AVERAGE)),
    "lol": DemoGame(_lol, _nothing, _lol_is_there),
    "pubg": DemoGame(_pubg, _schedule, _entered("seasons", season=SEASON)),
    "l2m": DemoGame(_l2m, _whitelist, _entered("ip_whitelist")),
    "demo_data": DemoGame(_nothing, _add_product, _entered("products", product=PRODUCT)),
}
"""Games of the demo, in the order in which they are begun."""
