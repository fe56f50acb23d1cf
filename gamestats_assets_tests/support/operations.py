"""Games in operation over a folder and a database: by sensors, asked as the daemon asks them, and by commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import dagster as dg
import polars as pl
import psycopg
from deltalake import DeltaTable
from psycopg import sql
from pydantic import SecretStr
from typer.testing import Result

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.runs.sensor import SENSOR
from gamestats_assets.settings import Settings
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.support.postgres_fixture import database


class _OverStores:
    """What the lake holds meanwhile."""

    stores: Stores

    def rows(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table in the lake, by its key."""
        return self.stores.lake.scan(table).collect().sort(table.primary_key())

    def ledger(self, table: type[Table]) -> Mapping[str, Mapping[str, str]]:
        """What each unit of a table was made from, by day."""
        held = self.stores.lake.ledger(table).partitions
        return {key: {unit: made_from for unit, (made_from, _) in (of.units or {}).items()} for key, of in held.items()}

    def contents(self, table: type[Table]) -> Mapping[str, Mapping[str, str]]:
        """A fingerprint of each unit's rows, by day."""
        held = self.stores.lake.ledger(table).partitions
        return {key: {unit: rows for unit, (_, rows) in (of.units or {}).items()} for key, of in held.items()}

    def files(self, table: type[Table], column: str, value: str) -> set[str]:
        """Files of one partition in the lake: others when it was written again."""
        return {*DeltaTable(self.stores.lake.uri(table)).file_uris([(column, "=", value)])}


class BySensors(_OverStores):
    """The code location of a game over a folder and a database.

    Attributes:
        game: the game; every one when there is none.
        said: why the sensor that was asked last requests nothing.
    """

    game: str | None = None

    def __init__(self, folder: Path, database: str, instance: dg.DagsterInstance, **settings: str) -> None:
        self.instance = instance
        given = {name: SecretStr(value) if name.endswith("key") else value for name, value in settings.items()}
        self.stores = Stores(
            Settings(data=str(folder / "data"), postgres_url=SecretStr(database), workers=1, **given)  # type: ignore[arg-type]
        )
        self.definitions = build_defs(
            {"stores": dg.ResourceDefinition.hardcoded_resource(self.stores)}, [self.game] if self.game else None
        )
        self.cursors: dict[str, str | None] = {}
        self.said = ""

    def tick(self, name: str) -> list[dg.RunRequest]:
        """What a sensor requests."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(name),
            resources={"stores": self.stores},
            definitions=self.definitions,
        )
        # Of an instance in memory Dagster does not find the names of partitions by itself.
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            tick = self.definitions.resolve_sensor_def(name).evaluate_tick(context)
        self.cursors[name], self.said = tick.cursor, tick.skip_message or ""
        return list(tick.run_requests or ())

    def an_hour_passes(self) -> None:
        """Everything that was seen of what is behind was seen an hour ago."""
        states = json.loads(self.cursors.get(SENSOR) or "{}")
        for state in states.values():
            if "again_at" in state:
                state["again_at"] -= 3600
            state["asked_at"] = {kind: at - 3600 for kind, at in state["asked_at"].items()}
        self.cursors[SENSOR] = json.dumps(states)

    def tries(self, request: dg.RunRequest, job_name: str | None = None) -> dg.ExecuteInProcessResult:
        """A run as it was requested, of the job that it names or the sensor's own."""
        named = request.job_name or job_name
        job = (
            self.definitions.resolve_job_def(named)
            if named
            else self.definitions.resolve_implicit_global_asset_job_def()
        )
        quiet = {} if request.run_config else {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=list(request.asset_selection) if request.asset_selection else None,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
            run_config={**request.run_config, **quiet},
        )

    def run(self, request: dg.RunRequest, job_name: str | None = None) -> None:
        """A run that succeeds."""
        result = self.tries(request, job_name)
        failed = {event.step_key: event.step_failure_data.error for event in result.all_events if event.is_step_failure}
        assert result.success, (request.tags, failed)


def names(request: dg.RunRequest) -> set[str]:
    """Tables that a request is for."""
    return {".".join(key.path) for key in request.asset_selection or ()}


class ByCommands(_OverStores):
    """The command line over a folder and a database, for a game."""

    def __init__(self, gamestats: Gamestats, url: str, game: str) -> None:
        self.gamestats, self.url, self.game = gamestats, url, game
        self.stores = Stores(Settings(data=str(gamestats.folder), postgres_url=SecretStr(url)))

    def __call__(self, *arguments: str) -> Result:
        return self.gamestats(*arguments, GAMESTATS_POSTGRES_URL=self.url)

    def does(self, *arguments: str) -> str:
        """Output of a command that succeeds."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def materialises(self) -> str:
        """What bringing everything up to date says; all goes well."""
        return self.does("materialize", "--select", self.game)

    def written(self, table: type[Table], column: str, value: str) -> set[str]:
        """PostgreSQL's numbers of the transactions that wrote the rows of a player, a patch or a day."""
        said = sql.SQL("SELECT DISTINCT xmin::text FROM {} WHERE {}::text = %s").format(
            sql.Identifier(*table.spec.dotted.split(".")), sql.Identifier(column)
        )
        with psycopg.connect(self.url) as connection:
            return {row[0] for row in connection.execute(said, [value])}

    @contextmanager
    def copied(self, folder: Path, postgres_url: str) -> Iterator[Self]:
        """The same over copies of both, to go on with."""
        shutil.copytree(self.gamestats.folder, folder)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            # A database that somebody is connected to cannot be copied, and Dagster lets go of it late.
            ours = self.url.partition("?")[0].rpartition("/")[2]
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [ours])
        with database(postgres_url, self.url) as url:
            yield type(self)(Gamestats(folder), url, self.game)
