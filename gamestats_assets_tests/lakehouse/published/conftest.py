"""An empty database to publish to."""

import pytest


@pytest.fixture
def url(fresh_database: str) -> str:
    return fresh_database
