"""Queues, and what they count for."""

from __future__ import annotations

import typing

import dataframely as dy

from gamestats_assets.lol.reference import csv_files
from gamestats_assets.lol.reference.tables import Queues


def queues() -> dy.LazyFrame[Queues]:
    """Every queue that is known."""
    return typing.cast("dy.LazyFrame[Queues]", csv_files.queues().lazy())
