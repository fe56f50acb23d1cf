"""The subject of a report: the requested patch, queue and champion, or the most played ones."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.patterns.figures import Row, plural
from gamestats_assets.lol.patterns.tables import PatternTests
from gamestats_assets.lol.questions.names import Names
from gamestats_assets.lol.questions.questions import games_set_aside
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.reference.versions import patch_number
from gamestats_assets.lol.statistics.tables import (
    ALL_POSITIONS,
    FirstObjectiveStats,
    ItemBuildStats,
    ObjectiveDecisionTree,
    SkillOrderStats,
    VariableCorrelations,
    VisionSurvival,
)

STATISTICS: tuple[type[Table], ...] = (
    ItemBuildStats,
    SkillOrderStats,
    FirstObjectiveStats,
    VisionSurvival,
    VariableCorrelations,
    ObjectiveDecisionTree,
    PatternTests,
)
"""Tables by patch and queue; one with rows is enough for a report."""


class NothingToReportError(GamestatsError):
    """No patch has statistics, because nothing was materialised."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Subject of a report.

    Attributes:
        patches: patches with statistics of the queue, oldest first.
        champion: champion of the champion's charts, in English.
        champion_ko: the same in Korean.
        position: the champion's most played position, or ALL.
        champion_games: games of the champion in that position.
        matches: number of matches of the patch and queue behind the statistics.
    """

    patch: str
    patches: tuple[str, ...]
    queue: str
    champion_id: int
    champion: str
    champion_ko: str | None
    position: str
    champion_games: int
    matches: int

    @property
    def where(self) -> str:
        """Returns patch and queue in words."""
        return f"on patch {self.patch} in {self.queue}"

    @property
    def who(self) -> str:
        """Returns champion and position in words."""
        return self.champion if self.position == ALL_POSITIONS else f"{self.champion} ({self.position})"


def chosen(lake: Lake, patch: str | None, queue: str | None, champion: str | None) -> Subject:
    """Returns the subject of the report; see `write_report`."""
    played = (
        lake.scan(ParticipantFeatures)
        .group_by("patch", "queue_group", "champion_id", "champion_key", pl.col("position").fill_null(ALL_POSITIONS))
        .agg(games=pl.len())
        .collect()
    )
    with_statistics = (
        pl.concat([lake.scan(table).select("patch", "queue_group") for table in STATISTICS]).unique().collect()
    )
    slices = (
        played.group_by("patch", "queue_group")
        .agg(pl.col("games").sum())
        .join(with_statistics, on=["patch", "queue_group"], how="semi")
        .sort(patch_number(pl.col("patch")), "games", "queue_group", descending=[False, True, False])
    )
    aside = games_set_aside(lake)
    if slices.is_empty() and played.height:
        matches = lake.scan(ParticipantFeatures).group_by("patch").agg(pl.col("match_id").n_unique()).collect()
        available = ", ".join(
            f"{plural(count, 'match', 'matches')} on patch {name}"
            for name, count in matches.sort(patch_number(pl.col("patch"))).iter_rows()
        )
        raise NothingToReportError(
            f"There are no statistics to report yet: {available}.{f' {aside}' if aside else ''} Each patch has too few "
            "games, or its statistics are missing. Add more matches of one patch, then run: gamestats materialize"
        )
    if slices.is_empty():
        raise NothingToReportError(
            f"There are no statistics to report. {aside}"
            if aside
            else "There are no statistics to report yet. Add match and timeline files and build the tables: "
            "gamestats ingest lol PATH, then gamestats materialize"
        )
    of_queue = slices if queue is None else slices.filter(pl.col("queue_group") == queue)
    patches = slices.get_column("patch").unique(maintain_order=True).to_list()
    if patch is None:
        # If no patch has the queue, the message lists the queues of the newest patch.
        patch = str((of_queue if of_queue.height else slices).get_column("patch")[-1])
    elif patch not in patches:
        raise UnknownNameError(
            f"There are no statistics of patch {patch!r}; patches with statistics: {', '.join(patches)}."
        )
    on_patch = slices.filter(pl.col("patch") == patch)
    if queue is None:
        queue = str(on_patch.get_column("queue_group")[0])
    elif queue not in on_patch.get_column("queue_group"):
        games = on_patch.select("queue_group", "games").iter_rows()
        queues = ", ".join(f"{name} ({plural(count, 'game')} of players)" for name, count in games)
        raise UnknownNameError(
            f"There are no statistics of queue {queue!r} on patch {patch}; queues with statistics: {queues}."
        )
    in_slice = (pl.col("patch") == patch) & (pl.col("queue_group") == queue)
    # Ties are broken by number, so the same tables give the same report.
    candidates = played.filter(in_slice).with_columns(total=pl.col("games").sum().over("champion_id"))
    candidates = candidates.sort("total", "champion_id", "games", "position", descending=[True, False, True, False])
    if champion is not None:
        ids = Names(lake).champion(champion)
        most = candidates.get_column("champion_key").unique(maintain_order=True).head(5)
        candidates = candidates.filter(pl.col("champion_id").is_in(ids))
        if candidates.is_empty():
            raise UnknownNameError(
                f"{champion} was not played on patch {patch} in {queue}; most played there: {', '.join(most)}."
            )
    champion_id, key, position, games = candidates.select("champion_id", "champion_key", "position", "games").row(0)
    names = (
        pl.concat(
            lake.scan(table, [patch])
            .filter(pl.col("champion_id") == champion_id)
            .select("champion_name", "champion_name_ko")
            for table in (ItemBuildStats, SkillOrderStats)
        )
        .drop_nulls("champion_name")
        .head(1)
        .collect()
    )
    name, korean = names.row(0) if names.height else (key, None)
    matches = lake.scan(ParticipantFeatures).filter(in_slice).select(pl.col("match_id").n_unique()).collect().item()
    patches = slices.filter(pl.col("queue_group") == queue).get_column("patch").to_list()
    return Subject(patch, tuple(patches), queue, champion_id, name, korean, position, games, matches)


def rows_of(lake: Lake, table: type[Table], subject: Subject, *conditions: pl.Expr) -> list[Row]:
    """Returns the rows of a table for the patch and queue, by key."""
    rows = lake.scan(table, [subject.patch]).filter(pl.col("queue_group") == subject.queue, *conditions)
    return [*rows.sort(table.primary_key()).collect().iter_rows(named=True)]


def of_champion(subject: Subject) -> pl.Expr:
    return (pl.col("champion_id") == subject.champion_id) & (pl.col("position") == subject.position)
