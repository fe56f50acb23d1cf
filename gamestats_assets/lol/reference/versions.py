"""Patches in their order, and the version of Data Dragon used for each."""

from __future__ import annotations

import polars as pl


def patch_number(version: pl.Expr) -> pl.Expr:
    """Returns a sort key of patches: 1000 times the first number of a version, plus the second; null without
    numbers."""
    first, second = (version.str.extract(r"^(\d{1,4})\.(\d{1,3})(?:\.|$)", group).cast(pl.Int32) for group in (1, 2))
    return 1000 * first + second


def standing_versions(patches: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the versions of Data Dragon to use for patches.

    The highest version of the patch itself, else of the nearest earlier patch, else of the nearest later one. Numbers
    are compared as numbers: 13.9 comes before 13.10.

    Args:
        patches: column `patch`.
        items: column `version`.

    Returns:
        `patch`, each once; `data_dragon_version`, null where there are no versions; `version_is`, one of exact,
        earlier, later and none.
    """
    build = pl.col("version").str.extract(r"^\d+\.\d+\.(\d{1,9})").cast(pl.Int32).fill_null(0)
    known = (
        items.select("version", number=patch_number(pl.col("version")))
        .drop_nulls()
        .group_by("number")
        .agg(pl.col("version").sort_by(build).last())
        .sort("number")
        .with_columns(of="number")
    )
    wanted = patches.select("patch", number=patch_number(pl.col("patch"))).unique().drop_nulls().sort("number")
    return (
        wanted.join_asof(known, on="number", strategy="backward")
        .join_asof(known, on="number", strategy="forward", suffix="_later")
        .select(
            "patch",
            data_dragon_version=pl.coalesce("version", "version_later"),
            version_is=pl.when(pl.col("of") == pl.col("number"))
            .then(pl.lit("exact"))
            .when(pl.col("of").is_not_null())
            .then(pl.lit("earlier"))
            .when(pl.col("of_later").is_not_null())
            .then(pl.lit("later"))
            .otherwise(pl.lit("none")),
        )
    )
