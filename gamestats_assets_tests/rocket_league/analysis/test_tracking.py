"""Tracked players: who they are, from which matches they are, and that whatever is theirs names another content."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.tracking import FeaturesTaken, tracked_players
from gamestats_assets.rocket_league.privacy.consents import withheld
from gamestats_assets_tests.rocket_league.support.building import Frames, Row, make, match_id, rows
from gamestats_assets_tests.rocket_league.support.scenario import ANN, START, XAN, YVE

DOUBLES, DUELS = "ranked-doubles", "ranked-duels"
FIRST, SECOND, THIRD = (START.date() + timedelta(days=days) for days in (0, 1, 400))
HERS, LATER, DROPSHOT, HIS, DUEL = (match_id(number) for number in range(1, 6))


def played(number: str, player: str, day: date) -> Row:
    return {"match_id": number, "player_id": player, "match_date": day, "player_name": player}


PLAYED = [
    (played(HERS, ANN, FIRST), DOUBLES),
    (played(HERS, XAN, FIRST), DOUBLES),
    (played(LATER, ANN, SECOND), DOUBLES),
    (played(DROPSHOT, ANN, SECOND), None),
    (played(HIS, XAN, FIRST), DOUBLES),
    (played(DUEL, XAN, THIRD), DUELS),
    (played(DUEL, YVE, THIRD), DUELS),
]
"""Who played what; a playlist that is none has no features."""


def of_playlists(table: type[Any], **values: Any) -> pl.DataFrame:
    """Rows of everybody in both playlists, of real and of simulated matches."""
    return rows(
        table,
        *(
            {"playlist": playlist, "is_simulated": is_simulated, "feature": "avg_speed_uu_s"} | values
            for playlist in (DOUBLES, DUELS)
            for is_simulated in (False, True)
        ),
    )


KNOWN: dict[Any, pl.DataFrame] = {
    t.RlPlayers: rows(t.RlPlayers, *({"player_id": who, "consented_at": START} for who in (ANN, XAN))),
    t.RlRanks: rows(t.RlRanks, *({"player_id": who, "tier": 12} for who in (ANN, XAN))),
    t.TrainingSessions: rows(t.TrainingSessions, *({"player_id": who, "skill": "saves"} for who in (ANN, XAN))),
    t.TrainingPacks: rows(t.TrainingPacks, {"code": "0000-0000-0000-0001", "difficulty": 1, "description": "Saves."}),
    t.Participants: rows(t.Participants, *(row for row, _ in PLAYED)),
    t.PlayerMatchFeatures: rows(
        t.PlayerMatchFeatures, *(row | {"playlist": playlist} for row, playlist in PLAYED if playlist)
    ),
    t.PlayerProfiles: of_playlists(t.PlayerProfiles, player_id=YVE, mean=1.0),
    t.RankCohorts: of_playlists(t.RankCohorts, rank_tier=16, mean=1.0, match_quantiles=[1.0, 2.0]),
    t.RankModels: of_playlists(t.RankModels, version=1, state="served", accuracy=0.5, features=["avg_speed_uu_s"]),
    FeaturesTaken: pl.DataFrame(
        [
            {"partition_key": str(day), "unit_id": match, "input_hash": "1"}
            for match, day in {row["match_id"]: row["match_date"] for row, _ in PLAYED}.items()
        ],
        schema=FeaturesTaken.schema(),
    ),
}


def tracked(known: Frames = KNOWN) -> dict[str, Row]:
    return {row["player_id"]: row for row in make(tracked_players, known).to_dicts()}


def with_values(table: Any, where: pl.Expr, **values: Any) -> dict[Any, pl.DataFrame]:
    changed = KNOWN[table].with_columns(
        pl.when(where).then(pl.lit(value, dtype=KNOWN[table].schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )
    assert not changed.equals(KNOWN[table])
    return KNOWN | {table: changed}


def with_row(table: Any, **values: Any) -> dict[Any, pl.DataFrame]:
    extra = (
        KNOWN[table]
        .head(1)
        .with_columns(pl.lit(value, dtype=KNOWN[table].schema[name]).alias(name) for name, value in values.items())
    )
    return KNOWN | {table: pl.concat([KNOWN[table], extra])}


def test_a_tracked_player_has_matches_within_the_time_they_are_kept() -> None:
    found = tracked()
    names = ("matches", "first_day", "last_day")
    assert {who: tuple(row[name] for name in names) for who, row in found.items()} == {
        ANN: (3, FIRST, SECOND),
        XAN: (3, FIRST, THIRD),
    }
    kept = tracked(KNOWN | {t.Retention: rows(t.Retention, {"player_id": ANN, "kept_from": SECOND})})
    assert tuple(kept[ANN][name] for name in (*names, "kept_from")) == (2, SECOND, SECOND, SECOND)
    assert kept[ANN]["content_hash"] != found[ANN]["content_hash"]
    assert kept[XAN] == found[XAN]
    assert found[ANN]["kept_from"] < date(1950, 1, 1), "until it is told, everything is kept"


def test_who_has_no_match_yet_is_there_all_the_same() -> None:
    nobody = {
        t.Participants: t.Participants.create_empty(),
        t.PlayerMatchFeatures: t.PlayerMatchFeatures.create_empty(),
    }
    found = tracked(KNOWN | nobody)
    assert {who: (row["matches"], row["first_day"]) for who, row in found.items()} == {ANN: (0, None), XAN: (0, None)}


def test_who_does_not_agree_is_not_there() -> None:
    assert tracked(with_values(t.RlPlayers, pl.col("player_id") == ANN, consented_at=None)).keys() == {XAN}


def test_who_is_not_looked_for_any_more_keeps_the_tables() -> None:
    assert tracked(with_values(t.RlPlayers, pl.col("player_id") == ANN, is_active=False)).keys() == {ANN, XAN}


def refusing(purpose: str) -> pl.DataFrame:
    return rows(t.Withheld, {"player_id": YVE, "purpose": purpose})


def test_withheld_are_the_purposes_a_tracked_player_does_not_allow() -> None:
    entries = rows(
        t.RlPlayers,
        {"player_id": ANN, "consented_at": START, "cohorts_at": START, "models_at": START, "comparison_at": START},
        {"player_id": XAN, "consented_at": START, "models_at": START},
    )
    assert make(withheld, {t.RlPlayers: entries}).rows() == [(XAN, "cohorts"), (XAN, "comparison")]


HER, THEIRS, NOBODYS = {ANN}, {ANN, XAN}, set[str]()
IN_DOUBLES, IN_DUELS = ((pl.col("playlist") == name) & ~pl.col("is_simulated") for name in (DOUBLES, DUELS))
CHANGES: dict[str, tuple[Callable[[], Frames], set[str]]] = {
    "a match was made again": (lambda: with_values(FeaturesTaken, pl.col("unit_id") == LATER, input_hash="2"), HER),
    "a match of both was": (lambda: with_values(FeaturesTaken, pl.col("unit_id") == HERS, input_hash="2"), THEIRS),
    "a match without features was": (
        lambda: with_values(FeaturesTaken, pl.col("unit_id") == DROPSHOT, input_hash="2"),
        HER,
    ),
    "a match of nobody was": (lambda: with_row(FeaturesTaken, unit_id=match_id(99)), NOBODYS),
    "another match of hers": (
        lambda: with_row(t.Participants, match_id=match_id(99), player_id=ANN, match_date=THIRD),
        HER,
    ),
    "another match of somebody else": (
        lambda: with_row(t.Participants, match_id=match_id(99), player_id=YVE, match_date=THIRD),
        NOBODYS,
    ),
    "her entry": (lambda: with_values(t.RlPlayers, pl.col("player_id") == ANN, username="Anna"), HER),
    "her rank": (lambda: with_values(t.RlRanks, pl.col("player_id") == ANN, tier=13), HER),
    "a rank of nobody": (lambda: with_row(t.RlRanks, player_id=YVE), NOBODYS),
    "her training": (lambda: with_values(t.TrainingSessions, pl.col("player_id") == ANN, duration_s=7), HER),
    "another session": (lambda: with_row(t.TrainingSessions, training_session_id=9, player_id=ANN), HER),
    "the catalogue": (lambda: with_row(t.TrainingPacks, code="0000-0000-0000-0002"), THEIRS),
    "a profile in doubles": (lambda: with_values(t.PlayerProfiles, IN_DOUBLES, mean=2.0), THEIRS),
    "a profile in duels": (lambda: with_values(t.PlayerProfiles, IN_DUELS, mean=2.0), {XAN}),
    "who allows to be compared with in doubles": (lambda: KNOWN | {t.Withheld: refusing("comparison")}, THEIRS),
    "who allows to be learnt from": (lambda: KNOWN | {t.Withheld: refusing("models")}, NOBODYS),
    "a cohort in doubles": (lambda: with_values(t.RankCohorts, IN_DOUBLES, mean=2.0), THEIRS),
    "a cohort in duels": (lambda: with_values(t.RankCohorts, IN_DUELS, mean=2.0), {XAN}),
    "its distribution": (lambda: with_values(t.RankCohorts, IN_DUELS, match_quantiles=[1.0, 3.0]), {XAN}),
    "another cohort": (lambda: with_row(t.RankCohorts, rank_tier=17), THEIRS),
    "a simulated cohort": (lambda: with_values(t.RankCohorts, pl.col("is_simulated"), mean=2.0), NOBODYS),
    "a model of doubles": (lambda: with_values(t.RankModels, IN_DOUBLES, accuracy=0.6), THEIRS),
    "a model of duels": (lambda: with_values(t.RankModels, IN_DUELS, state="refused"), {XAN}),
    "a playlist more": (
        lambda: with_row(t.PlayerMatchFeatures, match_id=LATER, player_id=ANN, match_date=SECOND, playlist=DUELS),
        HER,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_content_hash_changes_exactly_with_what_the_player_has(change: str) -> None:
    make_frames, changed = CHANGES[change]
    before, after = tracked(), tracked(make_frames())
    assert before.keys() == after.keys()
    assert {who for who in before if before[who]["content_hash"] != after[who]["content_hash"]} == changed


def test_what_is_kept_no_longer_changes_nothing() -> None:
    kept = {t.Retention: rows(t.Retention, *({"player_id": who, "kept_from": SECOND} for who in (ANN, XAN)))}
    again = with_values(FeaturesTaken, pl.col("unit_id") == HERS, input_hash="2")
    assert tracked(KNOWN | kept) == tracked(again | kept)
    # Of playlists that are played no more nobody asks.
    later = {t.Retention: rows(t.Retention, *({"player_id": who, "kept_from": THIRD} for who in (ANN, XAN)))}
    changed = with_values(t.RankCohorts, IN_DOUBLES, mean=2.0)
    assert tracked(KNOWN | later) == tracked(changed | later)
