"""Empty lakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gamestats_assets.lakehouse.delta.lake import Lake

if TYPE_CHECKING:
    from gamestats_assets_tests.support.s3_fixture import S3

Place = tuple[str, Mapping[str, str]]


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Root and options of an empty lake, in a folder and in an object store."""
    if request.param == "folder":
        return str(tmp_path), {}
    s3: S3 = request.getfixturevalue("s3")
    return s3.empty(), s3.storage_options


@pytest.fixture
def anywhere(place: Place) -> Lake:
    """An empty lake, in a folder and in an object store."""
    return Lake(*place)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake in a folder."""
    return Lake(tmp_path)
