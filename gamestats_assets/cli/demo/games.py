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
    from gamestats_assets.lakehouse.landing.arrivals import IngestReport
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.simulators.pubg.tournament import Tournament
    from gamestats_assets.simulators.rocket_league.players import Player, TrainingSession

DAYS = (date(2026, 3, 14), date(2026, 3, 15))
"""Days of the matches of PUBG, public ones and those of a tournament."""
SEED = 20260314
PRODUCT, TAXONOMY, PRODUCT_DAYS = "demo-shop", "ecommerce", 5
"""The generated product, what it is generated from, and its days, which end with the matches."""
ACCOUNTS, ACTIONS, MMO_DAYS = 1_500, 8.0, 4
"""Accounts of the MMO, how often each gains or spends something on a day, and its days, which end with the others."""
LOL_MATCHES, LOL_DAYS = 280, 5
"""Matches of League of Legends and their days, which end with the others: the first one is of an older patch. In fewer
the planted pattern is not found, and no decision tree is grown."""
RL_MATCHES, RL_PLAYERS, RL_TIERS, RL_DAYS = 460, 270, (10, 14), 7
"""Matches of Rocket League, who plays them, of which ranks, and on how many days, which end with the others."""
RL_IN_PLAY = 2
"""Matches of the first tracked player that are played out, so that there are frames of them."""
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
    """How much of what is simulated.

    Attributes:
        matches: public ones of PUBG a day.
        players: of a public match of PUBG.
        users: of the shop.
        accounts: of the MMO.
        mmo_days: days of the MMO.
        lol_matches: of League of Legends.
        rl_matches: of Rocket League.
        rl_in_play: those of them with frames.
    """

    matches: int
    players: int
    users: int
    accounts: int
    mmo_days: int
    lol_matches: int
    rl_matches: int
    rl_in_play: int


def bring(game: str, stores: Stores, plan: Plan, tell: Tell) -> Any:
    """Simulate raw files of a game and land them; what `enter` needs to know of them."""
    tell(ProgressEvent(game, "simulating"))
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as name:
        return _BRINGS[game](Path(name), stores, plan, lambda text: tell(ProgressEvent(game, text, "stage")))


def enter(game: str, stores: Stores, plan: Plan, brought: Any) -> None:
    """Enter what people would of a game that was brought, and the shop, unless it is there."""
    match game:
        case "demo_data":
            _add_product(stores, plan.users)
        case _ if brought is None:
            pass
        case "pubg":
            _schedule(stores, brought)
        case "rocket_league":
            _track(stores, *brought)
        case "l2m":
            _whitelist(stores, brought)
        case _:
            pass


def those_there(stores: Stores, plan: Plan) -> set[str]:
    """Games of which all is there: what is entered is entered last."""
    if not any(stores.landing.days(game) for game in _BRINGS):
        return set()
    from gamestats_assets.lakehouse.entries.ops import migrate, select
    from gamestats_assets.lakehouse.postgres.server import connect
    from gamestats_assets.orchestration.freshness.landed import landed_units

    first = DAYS[-1] - timedelta(days=LOL_DAYS - 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(LOL_DAYS)]
    matches = sum(len(landed_units(stores.landing, "lol", day)) for day in days)
    migrate(stores.postgres_url)
    with connect(stores.postgres_url) as conn:
        found = {
            "pubg": select(conn, "seasons", {"season": SEASON}),
            "rocket_league": select(conn, "rl_players", {"username": AVERAGE}),
            "l2m": select(conn, "ip_whitelist", {}),
            "demo_data": select(conn, "products", {"product": PRODUCT}),
            "lol": matches >= plan.lol_matches,
        }
    return {game for game, is_there in found.items() if is_there}


# --------------------------------------------------------------------------- raw files


def _pubg(folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]) -> Tournament:
    from gamestats_assets.pubg.source.files import ingest
    from gamestats_assets.simulators.pubg.matches import simulate_day
    from gamestats_assets.simulators.pubg.tournament import simulate_tournament

    for number, day in enumerate(DAYS):
        simulate_day(folder, day, plan.matches, SEED + number, players=plan.players, population=POPULATION)
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


def _demo_data(folder: Path, stores: Stores, plan: Plan, say: Callable[[str], None]) -> None:
    """The shop's logs are generated by its own assets."""


_BRINGS: Mapping[str, Callable[[Path, Stores, Plan, Callable[[str], None]], Any]] = {
    "rocket_league": _rocket_league,
    "lol": _lol,
    "pubg": _pubg,
    "l2m": _l2m,
    "demo_data": _demo_data,
}
GAMES = (*_BRINGS,)
"""Games of the demo, in the order in which they are begun."""


def _landed(report: IngestReport) -> str:
    return f"{counted(report.taken, 'file')} landed"


# --------------------------------------------------------------------------- what people enter


def _schedule(stores: Stores, tournament: Tournament) -> None:
    """Enter the tournament and a player of it who is tracked, unless the season is there."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.lakehouse.entries.ops import entering, select
    from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
    from gamestats_assets.pubg.players.entered.backfills import Found, request_backfill
    from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SLOT, TEAM
    from gamestats_assets.pubg.tournament.entered import SEASON as OF_TOURNAMENT

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


def _whitelist(stores: Stores, cafes: Sequence[str]) -> None:
    """Enter the addresses of the MMO's cafes, where honest players share one, unless there is a whitelist."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.l2m.reference.entered import WHITELIST_ENTRY
    from gamestats_assets.lakehouse.entries.ops import entering, select

    with entering(stores.postgres_url, person()) as conn:
        for prefix in () if select(conn, "ip_whitelist", {}) else cafes:
            WHITELIST_ENTRY.add(conn, prefix, note="a cafe")


def _track(stores: Stores, players: Sequence[Player], sessions: Sequence[TrainingSession]) -> None:
    """Enter the planted players, who agree, their ranks, what they trained and whose the first is, if they are new."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError
    from gamestats_assets.lakehouse.entries.ops import entering, select
    from gamestats_assets.rocket_league.entered import PLAYER, RANK, TRAINING_SESSION, Custody
    from gamestats_assets.rocket_league.ranks import rank_name
    from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
    from gamestats_assets.serving.accounts import users
    from gamestats_assets.serving.accounts.players import link_player

    now = datetime.combine(DAYS[-1], datetime.min.time(), UTC)
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


def _add_product(stores: Stores, users: int) -> None:
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
        run = Configuration(product=product, users=users, days=PRODUCT_DAYS, start=first, seed=SEED)
        rules = analyse(taxonomy, product)
        ENTERED_PRODUCT.add(conn, PRODUCT, context=Origin(taxonomy, rules, "analyst", run))
