"""What people have of `gamestats up`: one that runs over a folder with an odd name, and a browser before it.

Everything is real: files, runs, PostgreSQL, a replay of the game, and a sign-in provider that speaks as Steam does. How
many matches a team has played is known of the tournament; who played and scored in the replay, ballchasing's JSON of
the same replay tells. With GAMESTATS_PICTURES set to a folder, pages are also kept there as pictures.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from gamestats_assets.cli.demo.games import SEASON, Plan, enter
from gamestats_assets.l2m.source import deliver
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.postgres.embedded import is_running, start_embedded, stop_embedded
from gamestats_assets.orchestration.runs.instance import daemon_runs_here
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.rocket_league.players.identities import FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.erasure import traces
from gamestats_assets.rocket_league.tables import Participants
from gamestats_assets.simulators.l2m.logs import Plan as Logs
from gamestats_assets.simulators.pubg.tournament import Tournament, simulate_tournament
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.l2m.lake import simulated
from gamestats_assets_tests.program import trainer_journey as trainer
from gamestats_assets_tests.program.test_any_name import NAME
from gamestats_assets_tests.program.up import Up, processes_of, running
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.serving.sign_in.sign_in_providers import SteamLike
from gamestats_assets_tests.support.browsers import Shown, chromium, keep
from gamestats_assets_tests.support.clocks import wait_until

SOON_S, ANALYSED_S, EXPORTED_S, ERASED_S = 20.0, 10.0, 20.0, 60.0
"""Seconds that an organiser and a player wait, on a machine that does nothing else."""
BY_OTHERS = 5.0
"""How many times longer it may take here, where other tests take most of the machine."""
_MUTATION = 'mutation { deleteRun(runId: "any") { __typename } }'
_PATIENCE_MS = 60_000
_TOLD = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } instance { info } }"


@pytest.fixture(scope="module")
def gamestats() -> Iterator[Gamestats]:
    """A data folder with an odd name that the PostgreSQL of root's can reach, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-up-"))
    made = Gamestats(folder / NAME)
    (folder / NAME).mkdir()
    try:
        yield made
    finally:
        stop_embedded(made.stores.settings)
        made.stores.settings.state_folder.unlink()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that have not landed."""
    return tmp_path_factory.mktemp("raw")


@pytest.fixture(scope="module")
def tournament(raw: Path) -> Tournament:
    return simulate_tournament(raw, first_day=date(2026, 3, 14), seed=5, teams=5, played=0)


@pytest.fixture(scope="module")
def made(gamestats: Gamestats, tournament: Tournament, raw: Path) -> None:
    """Two matches of the tournament and a day of an MMO whose rates have not come, with all that is made of them."""
    stores = gamestats.stores
    start_embedded(stores.settings)
    enter("pubg", stores, Plan(), tournament)
    with entering(stores.postgres_url, "nobody") as conn:
        # Tables of players are others'.
        TRACKED_PLAYER.remove(conn, tournament.divisions[0].teams[0].players[0][0])
    ingest([match_files(raw, tournament, 0, 1)], stores.landing)
    simulated(Logs(accounts=140, days=1, servers=2, guilds=3, actions=3.0), raw / "logs")
    (day,) = (raw / "logs").iterdir()
    (day / "exchange_rates.csv").unlink()
    deliver([day], stores.landing, day=date.fromisoformat(day.name))
    done = gamestats("materialize")
    assert done.exit_code == 1
    assert "every_payment_has_a_rate" in done.output


def match_files(raw: Path, tournament: Tournament, *places: int) -> Path:
    """A folder with the files of those confirmed matches of Division 1, by their places in time."""
    folder = Path(tempfile.mkdtemp(dir=raw))
    for place in places:
        for path in raw.glob(f"{confirmed(tournament)[place]}.*"):
            path.rename(folder / path.name)
    return folder


def confirmed(tournament: Tournament) -> list[str]:
    """The confirmed matches of Division 1, in which each of its teams played."""
    return [each.truth.match_id for each in tournament.by_status("confirmed") if each.division == "Division 1"]


@pytest.fixture(scope="module")
def steam() -> Iterator[SteamLike]:
    provider = SteamLike()
    with provider.running():
        yield provider


@pytest.fixture(scope="module")
def up(gamestats: Gamestats, steam: SteamLike, made: None) -> Iterator[Up]:
    """What runs; whatever happened meanwhile, Ctrl-C ends all of it, but PostgreSQL, which ran before."""
    provider = {"name": "steam", "title": "Steam", "issuer": steam.issuer, "platform": "steam"}
    with running(gamestats, GAMESTATS_SIGN_IN=json.dumps([provider])) as up:
        yield up
        code, output = up.ended(signal.SIGINT)
    assert (code, "Traceback" in output) == (0, False), output
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", up.port))
    assert is_running(gamestats.stores.settings)
    assert "PostgreSQL was stopped" in gamestats("down").stdout
    assert processes_of(gamestats) == []


@pytest.fixture(scope="module")
def admin(up: Up) -> Iterator[httpx.Client]:
    with up.admin() as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser, up: Up, admin: httpx.Client) -> Page:
    """A window of the browser in which the admin is signed in."""
    context = browser.new_context(viewport={"width": 1500, "height": 950}, base_url=f"{up.url}/dagster/")
    cookies = [{"name": name, "value": value, "url": up.url} for name, value in admin.cookies.items()]
    context.add_cookies(cookies)  # pyright: ignore[reportArgumentType]
    context.set_default_timeout(_PATIENCE_MS)
    return context.new_page()


# --------------------------------------------------------------------------- what runs


def ports_of(process: subprocess.Popen[str]) -> list[int]:
    """The ports on which a process and those it started listen."""
    all_of_it = (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True))
    connections = [each for one in all_of_it for each in one.net_connections("inet")]
    return [each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN]


def connections_of(gamestats: Gamestats) -> set[str]:
    """Sockets of the server of the code location: the one it listens on, and one for each connection to it."""
    server = next(line for line in processes_of(gamestats) if "dagster api grpc" in line).split()
    place = server[server.index("-s") + 1]
    return {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" {place}")}


def test_pages_and_dagster_are_reached_at_one_address_alone(up: Up, admin: httpx.Client) -> None:
    assert "dagster_webserver_version" in admin.get("/dagster/server_info").json()
    told = admin.post("/dagster/graphql", json={"query": _TOLD}).json()["data"]
    assert [entry["name"] for entry in told["workspaceOrError"]["locationEntries"]] == ["gamestats"]
    # Without its dagster.yaml Dagster would tell its makers of its use.
    assert re.search(r"telemetry:\s+enabled: false", told["instance"]["info"])
    assert ports_of(up.process) == [up.port], "nothing of it is reached in another way"
    assert admin.get("/dagster/graphql", params={"query": _MUTATION}).status_code == 405
    for path in ("/graphql", "/dagster/graphql"):
        attack = httpx.get(f"{up.url}{path}", params={"query": _MUTATION}, headers={"Host": "evil.example.com"})
        assert attack.status_code == 421


def test_a_second_up_is_refused_and_commands_use_what_the_first_one_runs(up: Up, gamestats: Gamestats) -> None:
    kept = connections_of(gamestats)
    assert len(kept) == 3, "the daemon and the webserver are connected to the code location"
    second = gamestats("up", "--port", str(up.port + 1))
    assert second.exit_code == 1
    assert up.url in second.stderr
    assert str(up.process.pid) in second.stderr
    assert up.url in gamestats("doctor").stdout
    assert daemon_runs_here(str(gamestats.stores.settings.state_folder / "dagster")), "they leave its runs alone"
    assert connections_of(gamestats) == kept, "and ask over these connections"


# --------------------------------------------------------------------------- Dagster's pages


def test_a_blocking_check_shows_rows_and_advice(page: Page) -> None:
    page.goto("assets/l2m/etl_recharge?view=checks")
    page.get_by_text("every_payment_has_a_rate").first.click()
    for text in ("Failed", "gamestats ingest l2m rates.csv"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "failed_check")


def test_a_table_shows_description_columns_rows_and_freshness(page: Page) -> None:
    page.goto("assets/l2m/etl_recharge")
    for text in ("Payments, as logged", "usd_per_unit", "primary key", "Freshness policy"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "table")


def test_runs_are_those_of_the_command_line(page: Page) -> None:
    # What happens in a run comes by a WebSocket.
    came: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: came.append(str(frame))))
    page.goto("runs")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "runs")
    page.locator("a[href*='/dagster/runs/']").last.click()
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible(timeout=_PATIENCE_MS)
    assert any("pipelineRunLogs" in frame for frame in came)


def test_sensors_and_schedules_run_by_themselves(page: Page) -> None:
    page.goto("automation")
    for name in ("tracked_player_matches", "behind", "lake_maintenance_daily"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_role("checkbox", checked=True).first).to_be_attached(timeout=_PATIENCE_MS)


# --------------------------------------------------------------------------- a tournament and the trainer


def test_decisions_and_new_matches_reach_the_standings_soon(
    up: Up, gamestats: Gamestats, tournament: Tournament, raw: Path, page: Page
) -> None:
    team = tournament.divisions[0].teams[0].name
    of = {"season": SEASON, "division": "Division 1"}

    def played() -> int:
        answer = httpx.get(f"{up.url}/api/v1/tournaments/leaderboard/teams", params=of, timeout=60).json()
        return next(line["matches_played"] for line in answer["data"]["teams"] if line["team_name"] == team)

    assert played() == 2
    page.goto(f"{up.url}/admin/tournaments/matches/{confirmed(tournament)[0]}")
    page.get_by_label("Tournament match").select_option("no")
    page.get_by_label("Why").first.fill("a scrim, they say")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").first.wait_for()
    assert gamestats("ingest", "pubg", str(match_files(raw, tournament, 2, 3))).exit_code == 0
    # One match less, and two more.
    assert wait_until(lambda: played() == 3, SOON_S * BY_OTHERS, pause_s=1)
    page.goto(f"{up.url}/tournaments?season={SEASON}&division=Division+1&round=overall")
    row = page.locator("tr[data-key^=team-]").filter(has_text=team)
    expect(row.locator("td").last).to_have_text("3")


def test_a_new_user_uploads_watches_exports_and_leaves(
    up: Up, steam: SteamLike, browser: Browser, realdata: Path
) -> None:
    replay = next(path for path in real_files.paths(realdata, real_files.PAIRS[1]) if path.suffix == ".replay")
    scorer = next(each for each in trainer.players_of(replay) if each["stats"]["core"]["goals"])
    account, stores = scorer["id"]["id"], up.gamestats.stores
    # What is drawn in 3D is small.
    shown = Shown(browser.new_page(reduced_motion="reduce", viewport={"width": 900, "height": 500}))
    page, took = shown.page, dict[str, float]()
    page.set_default_timeout(2 * _PATIENCE_MS)
    trainer.sign_in(page, up, steam, account)
    called = trainer.begin_and_agree(page)
    took["analysis"] = trainer.send_and_read(page, replay, scorer["name"])
    trainer.watch_the_goal(page)
    took["export"] = trainer.take_along(page, up, replay, account)

    texts = [f"steam_{account}", account, scorer["name"], called]
    places = {each.partition(":")[0] for each in traces(stores, texts)}
    assert places >= {"landing", "lake", "objects", "PostgreSQL"}
    took["erasure"] = trainer.leave(page, up, stores)
    assert traces(stores, texts) == []
    assert FORGOTTEN_NAME in stores.lake.scan(Participants).collect()["player_name"].to_list()
    assert [each for each in shown.troubles if "GPU stall" not in each] == []
    for what, most in (("analysis", ANALYSED_S), ("export", EXPORTED_S), ("erasure", ERASED_S)):
        assert took[what] < most * BY_OTHERS, took
