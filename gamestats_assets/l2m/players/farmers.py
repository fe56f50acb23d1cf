"""Measures how well the signals of farmers find known ones."""

from __future__ import annotations

from datetime import date

import polars as pl

SIGNALS = ("shared_ip", "level_one", "self_similar")
"""Reasons for which `l2m.farmers_snapshot` flags an account."""


def by_signal(snapshot: pl.DataFrame, day: date | None = None, known: pl.DataFrame | None = None) -> pl.DataFrame:
    """Returns how many accounts each signal flags, and how many any of them does.

    Args:
        snapshot: rows of `l2m.farmers_snapshot`.
        day: day of the flags; None takes all days.
        known: `user_id` of known farmers; optionally with `signal`, the one that should find each of them.

    Returns:
        `signal`, `flagged`; with `known` also `known`, `found` (known ones that are flagged), `precision` (found of
        flagged) and `recall` (found of known), null if there is nothing to divide by.
    """
    if day is None:
        stands = pl.lit(True)
    else:
        stands = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
    flags = snapshot.filter(stands).select(
        pl.col("user_id").cast(pl.String), pl.col("reasons").str.split(",").alias("signals")
    )
    rows = []
    for signal in (*SIGNALS, "any"):
        flagged = {*(flags if signal == "any" else flags.filter(pl.col("signals").list.contains(signal)))["user_id"]}
        row: dict[str, object] = {"signal": signal, "flagged": len(flagged)}
        if known is not None:
            one = known.filter(pl.col("signal") == signal) if "signal" in known.columns and signal != "any" else known
            wanted = {*one["user_id"]}
            found = len(flagged & wanted)
            row |= {
                "known": len(wanted),
                "found": found,
                "precision": found / len(flagged) if flagged else None,
                "recall": found / len(wanted) if wanted else None,
            }
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)
