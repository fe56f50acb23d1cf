"""Patches, the lists used for each, and hashes of the content behind their statistics."""

from __future__ import annotations

import hashlib

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.delta.ledger import ledger_of
from gamestats_assets.lol.matches.tables import Matches, Objectives, ParticipantFeatures
from gamestats_assets.lol.reference.names import champion_names, item_names
from gamestats_assets.lol.reference.tables import Champions, Items, Patches
from gamestats_assets.lol.reference.versions import patch_number

FeaturesTaken = ledger_of(ParticipantFeatures)
"""Matches with wide rows, each with a hash of the rows."""
ObjectivesTaken = ledger_of(Objectives)
"""The same for objectives, of which wide rows contain only the first ones."""
_RANK = ("exact", "earlier", "later", "none")


def patches(
    matches: dy.LazyFrame[Matches],
    taken: dy.LazyFrame[FeaturesTaken],  # type: ignore[valid-type]
    objectives: dy.LazyFrame[ObjectivesTaken],  # type: ignore[valid-type]
    items: dy.LazyFrame[Items],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[Patches]:
    """Returns every patch that a match was played on.

    If its matches were built with different lists of items, because some landed later, the nearest list counts.
    `content_hash` changes with any wide row, objective or name of the patch.
    """
    number = patch_number(pl.col("patch"))
    distance = (number - patch_number(pl.col("data_dragon_version"))).abs()
    rank = pl.col("version_is").replace_strict(_RANK, range(len(_RANK)), return_dtype=pl.Int32)
    build = pl.col("data_dragon_version").str.extract(r"^\d+\.\d+\.(\d{1,9})").cast(pl.Int32)
    done = [each.select("unit_id", "rows_hash") for each in (taken, objectives)]
    digests = pl.concat(done).group_by(match_id="unit_id").agg(digest=pl.col("rows_hash").sort().str.join(" "))
    rows = (
        matches.with_columns(rank=rank, distance=distance, older=-build)
        .join(digests, on="match_id", how="left")
        .group_by("patch")
        .agg(
            matches_played=pl.len(),
            matches_in_statistics=pl.col("in_statistics").sum(),
            first_day=pl.col("match_date").min(),
            last_day=pl.col("match_date").max(),
            content=pl.format("{} {}", "match_id", "digest").drop_nulls().sort().str.join("\n"),
            **{
                name: pl.col(name).sort_by("rank", "distance", "older", "data_dragon_version").first()
                for name in ("data_dragon_version", "version_is")
            },
        )
        .with_columns(patch_number=number)
        .sort("patch_number")
        .collect()
    )
    names = [
        item_names(rows.lazy(), items).select(
            "patch", name=pl.format("item {} {} {}", "item_id", "name", _known("name_ko"))
        ),
        champion_names(rows.lazy(), champions).select(
            "patch", name=pl.format("champion {} {} {}", "champion_id", "champion_name", _known("champion_name_ko"))
        ),
    ]
    called = pl.concat(names).group_by("patch").agg(pl.col("name").sort().str.join("\n"))
    hashed = rows.join(called, on="patch", how="left").with_columns(
        content_hash=pl.concat_str("content", pl.col("name").fill_null(""), separator="\n").map_elements(
            _digest, return_dtype=pl.String
        )
    )
    return Patches.cast(hashed.lazy())


def _known(name: str) -> pl.Expr:
    return pl.col(name).fill_null("")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
