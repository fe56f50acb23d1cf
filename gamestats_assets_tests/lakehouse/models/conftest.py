"""The Spark session of the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gamestats_assets.lakehouse.models.spark import SparkUnavailableError, spark_session

FOR_MANY_ROWS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The one Spark session of these tests; they are skipped where there can be none."""
    with pytest.MonkeyPatch.context() as patch:
        # Queries over few rows end before anything more would pay.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        try:
            started = spark_session(threads=2, memory="1g", folder=tmp_path_factory.mktemp("spark"))
        except SparkUnavailableError as error:
            pytest.skip(str(error))
        with started:
            yield started


@pytest.fixture
def quick(session: Any) -> Iterator[Any]:
    """The same session without what pays on many rows only: compiled stages, and plans that adapt."""
    usual = {name: session.conf.get(name) for name in FOR_MANY_ROWS}
    for name, value in FOR_MANY_ROWS.items():
        session.conf.set(name, value)
    yield session
    for name, value in usual.items():
        session.conf.set(name, value)
