"""`gamestats demo`: PUBG, League of Legends, Rocket League, a shop and an MMO, from raw files to PostgreSQL."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from gamestats_assets.cli.terminal import counted, err, quiet_warnings, say, show, version
from gamestats_assets.lakehouse.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamestats_assets.cli.session import Session
    from gamestats_assets.cli.steps import Outcome
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.simulate import Season
    from gamestats_assets.settings import Settings

DAYS = (date(2026, 3, 14), date(2026, 3, 15))
"""Days the simulated matches are played on; far enough back to be told from matches of one's own."""
SEED = 20260314
"""Decides the simulated matches; the second day has the next one."""
PRODUCT, TAXONOMY = "demo-shop", "ecommerce"
"""The generated product, and the shipped taxonomy that it sends."""
PRODUCT_DAYS = 7
"""Days of the product's logs; the last one is the last day of the matches."""
ACCOUNTS, ACTIONS = 5200, 30.0
"""Accounts of the MMO, and about how many things each does on a day on which it plays."""
LOL_MATCHES = 480
"""Matches of League of Legends, on the same days as those of PUBG."""
RL_MATCHES, RL_PLAYERS, RL_TIERS = 900, 300, (9, 16)
"""Matches of Rocket League in the week of the shop, who plays them, and of which ranks."""
ROVER, AVERAGE = "Rover", "Median"
"""Simulated players who are tracked: one who stands badly and trains, and one who is average in all."""
_OF_THE_MMO = "select ds, dau, pu, npu, revenue_usd, arppu_usd from l2m.kpi_daily where dimension = 'all' order by ds"
_OF_LOL = '--champion Ezreal --items "Trinity Force" --metric dpm'
_OF_PRODUCTS = "select day, dau, new_users, sessions from demo_data.daily_active_users order by day"
_QUESTION = "select player_name, sum(kills) as kills from pubg.match_summaries group by all order by kills desc limit 5"


def demo(
    matches: Annotated[int, typer.Option(min=1, hidden=True, help="Matches a day.")] = 8,
    players: Annotated[int, typer.Option(min=10, max=100, hidden=True, help="Players a match.")] = 100,
    users: Annotated[int, typer.Option(min=10, hidden=True, help="Users of the product.")] = 1000,
    accounts: Annotated[int, typer.Option(min=130, hidden=True, help="Accounts of the MMO.")] = ACCOUNTS,
    mmo_days: Annotated[int, typer.Option(min=1, max=7, hidden=True, help="Days of the MMO.")] = PRODUCT_DAYS,
    lol_matches: Annotated[int, typer.Option(min=1, hidden=True, help="Matches of League of Legends.")] = LOL_MATCHES,
    rl_matches: Annotated[int, typer.Option(min=100, hidden=True, help="Matches of Rocket League.")] = RL_MATCHES,
) -> None:
    """See it at work: PUBG and League of Legends, a week of Rocket League, of a shop and of an MMO, up to PostgreSQL.

    Sixteen matches of PUBG with a hundred players each, and 480 matches of League of Legends with their
    timelines, are simulated as the APIs would give them, and 900 of Rocket League as ballchasing tells them,
    with two players tracked. The logs of a thousand users of a made-up shop are generated, and half a
    million rows of an MMO's logs are simulated, with farms and cafes in them.
    All of it is landed, materialised through Dagster with every check, and published. The runs show in
    the UI (gamestats up). Running it again finds what is there and does only what is missing.

    Example:

        gamestats demo && gamestats up
    """
    started = time.perf_counter()
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    # Before Dagster is loaded: the simulating processes are forks of this one.
    _land(stores, _Plan(version(), SEED, matches, players))
    _deliver(stores, accounts, mmo_days)
    _play(stores, lol_matches)
    _kick_off(stores, rl_matches)
    from gamestats_assets.cli.session import opened

    _add_product(stores, users)
    say("Materialising, checking and publishing")
    with opened(stores) as session:
        outcomes = _materialise(session)
        listed, idle = _result(session, outcomes)
        show(listed)
        if idle:
            say(f"{len(idle)} more wait for a tournament or a tracked player to be entered: {', '.join(idle)}", "dim")
    failed = [outcome for outcome in outcomes if not outcome.success]
    if failed:
        broken = ", ".join(failure.what for outcome in failed for failure in outcome.failures)
        told = f"The demo did not go through: {broken}. `gamestats demo` tries again what is missing."
        say(told, "red", console=err())
        raise typer.Exit(1)
    published = sum(key.path[0] == "postgres" for outcome in outcomes for key in outcome.step_of)
    did = f"{published} tables published" if published else "nothing was left to do"
    say(f"Done in {time.perf_counter() - started:.0f} s: {did}. To look further:", "bold")
    say("  gamestats up")
    say(f'  gamestats query "{_QUESTION}"')
    say(f'  gamestats query "{_OF_PRODUCTS}"')
    say(f'  gamestats query "{_OF_THE_MMO}"')
    say(f"  gamestats lol ask {_OF_LOL}")
    say("  gamestats lol report")
    say(f"  gamestats rocket-league report {ROVER}")


# --------------------------------------------------------------------------- raw files


@dataclass(frozen=True, slots=True)
class _Plan:
    """What decides the simulated files."""

    version: str
    seed: int
    matches: int
    players: int


def _land(stores: Stores, plan: _Plan) -> None:
    """Simulate and land the files of the plan, unless they have landed already."""
    known = _landed_before(stores, plan)
    if known:
        say(f"{counted(known, 'simulated match', 'simulated matches')} of {DAYS[0]} and {DAYS[1]} have landed already.")
        return
    from gamestats_assets.cli.ingest import counting
    from gamestats_assets.pubg.source import ingest

    total = plan.matches * len(DAYS)
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as folder:
        say(f"Simulating {counted(total, 'match', 'matches')} of PUBG on {DAYS[0]} and {DAYS[1]}")
        with counting("Simulating") as progress:
            match_ids = _simulate(Path(folder), plan, lambda done: progress(done, total))
        say("Landing the raw files")
        with counting("Landing") as progress:
            report = ingest([Path(folder)], stores.landing, progress=progress)
    say(f"  {report.taken} files taken, {report.known} known, {report.quarantined} quarantined")
    write_whole(_note(stores.settings), json.dumps({"plan": asdict(plan), "match_ids": match_ids}))


def _simulate(folder: Path, plan: _Plan, progress: Callable[[int], None]) -> list[str]:
    from gamestats_assets.pubg.simulate import simulate_day
    from gamestats_assets.settings import Settings

    match_ids: list[str] = []
    for number, day in enumerate(DAYS):
        before = len(match_ids)
        truths = simulate_day(
            folder,
            day,
            plan.matches,
            plan.seed + number,
            processes=Settings().workers,
            progress=lambda done, before=before: progress(before + done),
            players=plan.players,
        )
        match_ids += [truth.match_id for truth in truths]
    return match_ids


def _deliver(stores: Stores, accounts: int, days: int) -> None:
    """Simulate and deliver the MMO's week; what was delivered before is known."""
    from gamestats_assets.l2m.simulate import Plan, simulate
    from gamestats_assets.l2m.source import deliver

    first = DAYS[-1] - timedelta(days=days - 1)
    plan = Plan(accounts=accounts, days=days, start=first, seed=SEED, actions=ACTIONS)
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as folder:
        truth = simulate(plan, Path(folder), rates=True)
        report = deliver([Path(folder)], stores.landing)
    rows = sum(sum(day.rows.values()) for day in truth.days)
    new = f"{report.count('delivered')} deliveries" if report.days else "all of them known"
    say(f"Simulated {rows:,} rows of an MMO's logs from {first} to {DAYS[-1]}: {new}")


def _play(stores: Stores, matches: int) -> None:
    """Simulate and land matches of League of Legends; what landed before is known."""
    from gamestats_assets.lol.simulate import write_season
    from gamestats_assets.lol.source import ingest

    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as folder:
        season = Path(folder, "season")
        write_season(season, matches=matches, first_day=DAYS[0], days=len(DAYS), seed=SEED)
        report = ingest([season], stores.landing)
    new = f"{report.taken} files taken" if report.taken else "all of them known"
    say(f"Simulated {counted(matches, 'match', 'matches')} of League of Legends on {DAYS[0]} and {DAYS[1]}: {new}")


def _kick_off(stores: Stores, matches: int) -> None:
    """Simulate and land matches of Rocket League, and track two of the players; what landed before is known."""
    from gamestats_assets.rocket_league.simulate import Planted, Training, simulate_season, write_season
    from gamestats_assets.rocket_league.source import ingest

    first = DAYS[-1] - timedelta(days=PRODUCT_DAYS - 1)
    of_each = matches // 20
    training = Training("positioning", hours=6, effect_per_hour=0.2)
    season = simulate_season(
        seed=SEED,
        players=RL_PLAYERS,
        matches=matches,
        first_day=first,
        days=PRODUCT_DAYS,
        playlists=["ranked-doubles"],
        tiers=RL_TIERS,
        planted=[
            Planted(ROVER, 12, {"positioning": -2.5}, [training], matches=of_each),
            Planted(AVERAGE, 12, matches=of_each),
        ],
    )
    with tempfile.TemporaryDirectory(prefix="gamestats-demo-") as folder:
        write_season(Path(folder), season)
        report = ingest([Path(folder)], stores.landing)
    new = f"{report.taken} files taken" if report.taken else "all of them known"
    say(f"Simulated {counted(matches, 'match', 'matches')} of Rocket League from {first} to {DAYS[-1]}: {new}")
    _track(stores, season)


def _track(stores: Stores, season: Season) -> None:
    """Enter the planted players, who agree, and what they trained, unless they are there."""
    from gamestats_assets.cli.entering import person
    from gamestats_assets.lakehouse.ops import entering, select
    from gamestats_assets.rocket_league.players import add_session, track

    now = datetime.combine(DAYS[-1], datetime.min.time(), UTC)
    with entering(stores.postgres_url, person()) as conn:
        for player in season.players[:2]:
            if select(conn, "rl_players", {"player_id": player.player_id}):
                continue
            track(conn, player.player_id, now=now, username=player.name, retention_days=36_500, consents=True)
            for session in season.sessions:
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


def _note(settings: Settings) -> Path:
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    return settings.state_folder / "demo.json"


def _landed_before(stores: Stores, plan: _Plan) -> int:
    """How many matches of exactly this plan stand in the landing zone; 0 unless all do."""
    try:
        noted = json.loads(_note(stores.settings).read_text())
        if noted["plan"] != asdict(plan):
            return 0
        wanted = {(match_id, kind) for match_id in noted["match_ids"] for kind in ("match", "telemetry")}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
    landed = {(file.unit_id, file.kind) for day in DAYS for file in stores.landing.files("pubg", day.isoformat())}
    return len(noted["match_ids"]) if wanted <= landed else 0


# --------------------------------------------------------------------------- tables


def _materialise(session: Session) -> list[Outcome]:
    import dagster as dg

    days = {(DAYS[-1] - timedelta(days=back)).isoformat() for back in range(PRODUCT_DAYS)}
    return session.follow(dg.AssetSelection.all(), within=days)


def _result(session: Session, outcomes: list[Outcome]) -> tuple[RichTable, list[str]]:
    """Every asset that was made: rows, checks, seconds of the step that makes it; and the tables that were not."""
    from gamestats_assets.cli.known import declared_tables
    from gamestats_assets.cli.overview import check_states
    from gamestats_assets.lakehouse.postgres import connect, counts
    from gamestats_assets.orchestration.metadata import asset_key, publication_key

    listed = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("asset", "rows", "checks passed", "seconds"):
        listed.add_column(heading, justify="left" if heading == "asset" else "right")
    seconds = _seconds(outcomes)
    idle: list[str] = []
    states = check_states(session.instance, session.definitions, [asset_key(table) for table in declared_tables()])
    with connect(session.stores.postgres_url) as connection:
        for table in declared_tables():
            key = asset_key(table)
            state = session.stores.lake.state(table)
            checks = states[key]
            if state is None:
                idle.append(table.spec.dotted)
                continue
            color = "red" if checks.failed else "yellow" if checks.warned or checks.never else "green"
            listed.add_row(
                table.spec.dotted,
                f"{state.rows:,}",
                Text(f"{checks.passed} of {checks.total}", style=color),
                seconds.get(".".join(key.path), ""),
            )
        for table in declared_tables():
            if table.spec.published and table.spec.dotted not in idle:
                rows = sum(counts(connection, table).values())
                name = ".".join(publication_key(table).path)
                listed.add_row(name, f"{rows:,}", "", seconds.get(name, ""))
    return listed, idle


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
