"""`gamestats up`, `down` and `env`: runs PostgreSQL, the web server, the worker and Dagster together."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.services.addresses import HERE, address, answers, refuse_taken_port
from gamestats_assets.cli.services.logs import set_aside, today
from gamestats_assets.cli.terminal import err, out, quiet_warnings, say, status
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import write_whole

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.settings import Settings

_READY_WITHIN = 180.0
"""Seconds for all to answer: the code location is loaded first."""
_POSTGRES_LOOKED_AT_EVERY = 5.0
"""Seconds between two checks that PostgreSQL still runs."""
_REVIVED_AFTER_S = 5.0
"""Seconds after its start before which a process is not started again."""
_LOOKED_AT_EVERY = 1.0
"""Seconds between two checks for processes that ended."""
_FRUGAL = {
    # The C library gives back memory that is free, which it otherwise keeps, and for each thread apart.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": str(128 * 1024),
    # Seconds between the daemon's checks of freshness, and of runs to retry.
    "FRESHNESS_DAEMON_INTERVAL_SECONDS": "300",
    "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "30",
    # As long as Dagster lets them be anyway: `orchestration.runs.long_running` must know it.
    "DAGSTER_GRPC_MAX_RX_BYTES": "100000000",
    "DAGSTER_GRPC_MAX_SEND_BYTES": "100000000",
}
"""Environment in which Dagster takes less memory and, with nothing to do, less time."""


class UpError(GamestatsError):
    """The services cannot be started, or one of them ended by itself."""


class AlreadyRunningError(UpError):
    """Another `gamestats up` runs over the same state folder."""


def up(
    port: Annotated[int, typer.Option(help="Port of the pages.", min=1, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address the pages listen on.")] = "127.0.0.1",
) -> None:
    """Start PostgreSQL, the pages and Dagster, and print their addresses.

    Runs until Ctrl-C, which stops all of it. Files that land meanwhile are found and
    processed by themselves. Only this machine is answered, unless another --host is given.
    Dagster's pages are for admins: one address that is printed signs you in as one, once.

    Examples:

        gamestats up
        gamestats up --port 8080
    """
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores, where = Stores(), address(host, port)
    with only_one(stores.settings, where), stop_requests() as stop:
        refuse_taken_port(host, port, "gamestats up --port ")
        services = Services(stores)
        try:
            _serve(services, host, port, where, stop)
        finally:
            services.stop()
    say("Stopped.")


def _serve(services: Services, host: str, port: int, where: str, stop: threading.Event) -> None:
    with status("Starting PostgreSQL"):
        environment = services.start_postgres()
    with status("Starting the pages and Dagster"):
        services.start_serving(environment, host, port)
        link = services.start_dagster(environment, where)
        services.start_worker(environment)
        ready = services.wait_until_ready(host, port, stop)
    if ready:
        say(f"gamestats is up: {where}", "bold green")
        say(f"Dagster's pages, for admins: {where}/dagster/")
        say(f"Sign in here as an admin, once and within 15 minutes: {link}")
        say(f"Logs are in {services.logs}. Ctrl-C stops it.")
        if host not in HERE:
            say(f"Others can reach the pages: they listen on {host}.", "yellow", console=err())
        services.watch(stop)
    say("Stopping.")


def down() -> None:
    """Stop what runs in the background: `gamestats up`, and the embedded PostgreSQL.

    Commands leave the embedded PostgreSQL running for the next one, and `gamestats up`
    stops it only when it started it. This stops it in any case.
    """
    from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
    from gamestats_assets.settings import Settings

    settings = Settings()
    running_up = running_instance(settings)
    if running_up is not None:
        with suppress(ProcessLookupError), status("Stopping gamestats up"):
            os.kill(running_up.pid, signal.SIGTERM)
            _wait_for_its_end(settings)
        say("gamestats up was stopped.")
    stopped = stop_embedded(settings)
    if stopped:
        say("The embedded PostgreSQL was stopped.")
    if running_up is None and not stopped:
        say("Nothing runs.")


def _wait_for_its_end(settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while _is_locked(settings):
        if time.monotonic() > deadline:
            raise UpError("gamestats up did not stop within a minute; press Ctrl-C where it runs.")
        time.sleep(0.1)


def env() -> None:
    """Print the environment that plain Dagster commands need, for a shell to read.

    With it they use the instance of `gamestats up`. The embedded PostgreSQL starts when one
    of them needs it, and then runs until `gamestats down`.

    Example:

        eval "$(gamestats env)"
        dagster dev -w workspace.yaml
    """
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.runs.dagster_home import dagster_environment
    from gamestats_assets.settings import shipped

    for name, value in dagster_environment(Stores()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    typer.echo(f"# dagster dev -w {shlex.quote(str(shipped('workspace.yaml')))}")
    if out().is_terminal:
        say('Let the shell read it: eval "$(gamestats env)"', "dim", console=err())


# --------------------------------------------------------------------------- one at a time


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """The `gamestats up` that holds the lock."""

    pid: int
    url: str


@contextmanager
def only_one(settings: Settings, url: str) -> Iterator[None]:
    """Hold the lock of the state folder, which the system releases when the process ends.

    Args:
        url: of the pages, for the message of a second `gamestats up`.

    Raises:
        AlreadyRunningError: when another process holds it.
    """
    from filelock import FileLock, Timeout

    settings.state_folder.mkdir(parents=True, exist_ok=True)
    details = settings.state_folder / "up.json"
    lock = FileLock(settings.state_folder / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = _details(details)
        where = f" at {holder.url}, process {holder.pid}" if holder else ""
        raise AlreadyRunningError(
            f"gamestats already runs{where}. Stop it there with Ctrl-C, or with: gamestats down"
        ) from None
    try:
        write_whole(details, json.dumps({"pid": os.getpid(), "url": url}))
        yield
    finally:
        details.unlink(missing_ok=True)
        lock.release()


def running_instance(settings: Settings) -> RunningInstance | None:
    """The `gamestats up` of this state folder, or None when there is none."""
    return _details(settings.state_folder / "up.json") if _is_locked(settings) else None


def _is_locked(settings: Settings) -> bool:
    from filelock import FileLock, Timeout

    path = settings.state_folder / "up.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _details(path: Path) -> RunningInstance | None:
    try:
        parsed = json.loads(path.read_text())
        return RunningInstance(int(parsed["pid"]), str(parsed["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


# --------------------------------------------------------------------------- processes


@dataclass(slots=True)
class Service:
    """One process of ours, leader of its own process group.

    Attributes:
        log: what it says.
        revive: starts it again when it has ended by itself; None: without it nothing goes on.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    revive: Callable[[], None] | None = None
    started_at: float = field(default_factory=time.monotonic)


class Services:
    """The services that `up` started, in order, and the guard that stops them when `up` is killed."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._services: list[Service] = []
        self._stops_postgres = False
        self.logs = stores.settings.state_folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "gamestats_assets.cli.services.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # For sockets, which this user alone opens. A path of its own: that of a socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="gamestats-"))
        self._tell_guard(f"folder {self._folder}")

    def start_postgres(self) -> dict[str, str]:
        """Start the embedded server if it is used and does not run; the environment for Dagster.

        Raises:
            PostgresError: when another server is to be used, and does not take a connection.
        """
        from gamestats_assets.lakehouse.postgres.embedded import is_running, start_embedded
        from gamestats_assets.lakehouse.postgres.server import connect
        from gamestats_assets.orchestration.runs.dagster_home import dagster_environment

        if self._stores.settings.postgres_url is not None:
            # What is wrong with it is said here, not by each process.
            connect(self._stores.settings.postgres_url).close()
        elif not is_running(self._stores.settings):
            self._own_postgres()
            start_embedded(self._stores.settings)
        return dagster_environment(self._stores)

    def _own_postgres(self) -> None:
        self._stops_postgres = True
        self._tell_guard("postgres")

    def start_serving(self, environment: dict[str, str], host: str, port: int) -> None:
        """Starts the web server of pages and API, which is also the proxy of Dagster's webserver."""
        variables = {
            "GAMESTATS_DAGSTER_SOCKET": f"{self._folder / 'webserver'}",
            "GAMESTATS_REQUEST_LOGS": f"{self.logs}",
        }
        (self._folder / "metrics").mkdir()
        variables["PROMETHEUS_MULTIPROC_DIR"] = str(self._folder / "metrics")
        command = [sys.executable, "-m", "gamestats_assets.cli", "serve", "--host", host, "--port", str(port)]
        self._start("serving", command, {**environment, **variables})

    def start_dagster(self, environment: dict[str, str], where: str) -> str:
        """Start the server of the code location, then the webserver and the daemon, which both use it.

        Left to themselves, each of the two starts a server of its own, and the daemon another one every minute.
        Dagster's tables are made first: processes that make them at once would collide. The webserver obeys
        everyone who reaches it, so it listens where only the serving process does.

        Args:
            where: the address of the pages.

        Returns:
            An address that signs the person at this machine in once, as an admin.

        Raises:
            UpError: when something does not start.
        """
        python = [sys.executable, "-m"]
        place = str(self._folder / "code")
        location = ["-m", "gamestats_assets.definitions", "--location-name", "gamestats"]
        self._start("code", [*python, "dagster", "api", "grpc", "-s", place, *location], environment)
        # In a process of its own, whose memory is given back.
        prepare = [*python, "gamestats_assets.cli.services.prepare", where]
        link = _output_of(prepare, environment, "PostgreSQL cannot be prepared").strip()
        self._wait_for(Path(place))
        workspace = str(Path(environment["DAGSTER_HOME"], "workspace.yaml"))
        server = {"load_from": [{"grpc_server": {"socket": place, "location_name": "gamestats"}}]}
        write_whole(Path(workspace), json.dumps(server))
        long_running = [*python, "gamestats_assets.orchestration.runs.long_running", place]
        self._start("daemon", [*long_running, "dagster-daemon", "run", "-w", workspace], environment)
        webserver = ["dagster-webserver", "-h", str(self._folder / "webserver"), "-p", "80", "-l", "/dagster"]
        self._start("webserver", [*long_running, *webserver, "-w", workspace], environment)
        return link

    def start_worker(self, environment: dict[str, str]) -> None:
        """Starts the worker, once the schema `ops` exists; it is restarted whenever it ends."""
        self._start("worker", [sys.executable, "-m", "gamestats_assets.cli", "work"], environment, revived=True)

    def _wait_for(self, place: Path) -> None:
        """Wait until the server of the code location listens.

        Raises:
            UpError: when it ends, or does not in three minutes.
        """
        deadline = time.monotonic() + _READY_WITHIN
        while not place.exists():
            self._refuse_dead()
            if time.monotonic() > deadline:
                raise UpError("The code location does not load." + _end_of(self.logs / "code.log"))
            time.sleep(0.05)

    def _start(self, name: str, command: list[str], environment: dict[str, str], *, revived: bool = False) -> None:
        log = self.logs / f"{name}.log"
        set_aside(log)
        with log.open("ab") as file:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1", **_FRUGAL},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches `up` alone, and what the process starts can be found.
                start_new_session=True,
            )
        revive = (lambda: self._start(name, command, environment, revived=True)) if revived else None
        self._services.append(Service(name, process, log, revive))
        self._tell_guard(f"group {process.pid}")

    def wait_until_ready(self, host: str, port: int, stop: threading.Event) -> bool:
        """Wait until the pages and Dagster's webserver answer; False when asked to stop before.

        Raises:
            UpError: when a process ends, or one does not answer for three minutes.
        """
        awaited: dict[str, tuple[Path | tuple[str, int], str]] = {
            "serving": ((host, port), "/readyz"),
            "webserver": (self._folder / "webserver", "/dagster/server_info"),
        }
        deadline = time.monotonic() + _READY_WITHIN
        while not stop.wait(0.1):
            self._refuse_dead()
            awaited = {name: asked for name, asked in awaited.items() if not answers(*asked)}
            if not awaited:
                return True
            if time.monotonic() > deadline:
                name = next(iter(awaited))
                raise UpError(
                    f"The {name} does not answer after {_READY_WITHIN:.0f} s." + _end_of(self.logs / f"{name}.log")
                )
        return False

    def watch(self, stop: threading.Event) -> None:
        """Wait until asked to stop; a PostgreSQL that died is started again.

        Raises:
            UpError: when one of the processes ends by itself.
            EmbeddedPostgresError: when PostgreSQL died and cannot be started again.
        """
        looked, day = time.monotonic(), today()
        while not stop.wait(_LOOKED_AT_EVERY):
            self._refuse_dead()
            if day != today():
                for service in self._services:
                    set_aside(service.log, day)
                day = today()
            if time.monotonic() - looked > _POSTGRES_LOOKED_AT_EVERY:
                self._revive_postgres()
                looked = time.monotonic()

    def _revive_postgres(self) -> None:
        from gamestats_assets.lakehouse.postgres.embedded import is_available, start_embedded

        settings = self._stores.settings
        if is_available(settings):
            return
        self._own_postgres()
        start_embedded(settings)
        say("PostgreSQL had ended by itself and was started again.", "yellow", console=err())

    def _refuse_dead(self) -> None:
        for service in [*self._services]:
            code = service.process.poll()
            if code is not None and service.revive is not None:
                # What ends as soon as it begins is not begun all the time.
                if time.monotonic() - service.started_at > _REVIVED_AFTER_S:
                    self._services.remove(service)
                    service.revive()
            elif code is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                raise UpError(f"The {service.name} {how}; everything is being stopped.{_end_of(service.log)}")

    def stop(self) -> None:
        """Stop everything that was started here."""
        from gamestats_assets.cli.services.guard import stop_groups
        from gamestats_assets.lakehouse.postgres.embedded import stop_embedded

        with self._no_sensor_waiting():
            stop_groups([service.process.pid for service in self._services])
        for service in self._services:
            service.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._stops_postgres:
            stop_embedded(self._stores.settings)
        self._tell_guard("done")
        self._guard.communicate()

    @contextmanager
    def _no_sensor_waiting(self) -> Iterator[None]:
        """Keeps waking the sensor that waits for a change, because Dagster's daemon waits for it before it stops."""
        from gamestats_assets.lakehouse.entries.ops import tell
        from gamestats_assets.lakehouse.postgres.server import PostgresError

        ended = threading.Event()

        def wake() -> None:
            with suppress(PostgresError):
                while not ended.is_set():
                    tell(self._stores.postgres_url, "stopping")
                    ended.wait(0.5)

        if not self._services:
            yield
            return
        threading.Thread(target=wake, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _tell_guard(self, line: str) -> None:
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError):
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C, a closed terminal, or a polite kill; asked again, it interrupts."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            # Whatever is left then, the guard stops.
            raise KeyboardInterrupt
        asked.set()

    before = {sig: signal.signal(sig, ask) for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _output_of(command: list[str], environment: dict[str, str], failure: str) -> str:
    """Runs a short-lived process and returns its output.

    Raises:
        UpError: when it fails.
    """
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise UpError(f"{failure}: {done.stderr[-2000:]}")
    return done.stdout


def _end_of(log: Path, lines: int = 15) -> str:
    """The last lines of a log, as the end of a message."""
    try:
        last_lines = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return ""
    return f" Its log {log} ends:\n" + "\n".join(last_lines)
