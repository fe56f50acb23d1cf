"""Every check of knocks and fights passes on sound data and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.fights import checks as fight_checks
from gamestats_assets.pubg.fights.tables import FightParticipants, FinishingSummaries, KnockEvents, TeamFights
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets_tests.pubg.scenario import bronze, derive
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, changed, doubled, without

BY_NAME = {check.name: check for check in fight_checks.ALL}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Two simulated matches."""
    made = [
        simulate_match(11, datetime(2026, 3, 14, 20, tzinfo=UTC), players=64),
        simulate_match(12, datetime(2026, 3, 14, 21, tzinfo=UTC), players=40, match_type="custom"),
    ]
    files = [(match.truth.match_id, "telemetry", match.telemetry_json) for match in made]
    return derive(bronze(tmp_path_factory.mktemp("landing"), *files))


def a_death_ends_two_knocks(frames: Frames) -> Planted:
    """The first two knocks of a match that somebody finished have one event as their end."""
    knocks = frames[KnockEvents].sort("match_id", "event_index")
    first = knocks.filter(pl.col("outcome") == "killed").head(2)
    assert first.get_column("match_id").n_unique() == 1
    end, other = first.get_column("ended_event_index").to_list()
    same_match = pl.col("match_id") == first.get_column("match_id")[0]
    new = pl.when(same_match & (pl.col("ended_event_index") == other)).then(end).otherwise("ended_event_index")
    return {KnockEvents: knocks.with_columns(new.cast(pl.Int32).alias("ended_event_index"))}


KNOCK = pl.col("event_kind") == "knock"
KILLED = pl.col("outcome") == "killed"

VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("every_knock_has_one_row", without(KnockEvents)),
    ("every_knock_has_one_row", without(t.WeaponKills, KNOCK)),
    ("every_knock_has_one_row", doubled(KnockEvents, event_index=999_999)),
    ("every_knock_has_one_row", changed(KnockEvents, victim_account_id="account.another")),
    ("every_knock_has_one_row", changed(KnockEvents, knocker_account_id=None)),
    ("an_event_ends_one_knock", a_death_ends_two_knocks),
    ("an_event_ends_one_knock", changed(KnockEvents, KILLED, ended_event_index=None)),
    ("an_event_ends_one_knock", changed(KnockEvents, KILLED, outcome="none")),
    ("deaths_of_knocks_are_deaths", changed(KnockEvents, pl.col("outcome") == "revived", outcome="bled_out")),
    ("deaths_of_knocks_are_deaths", changed(KnockEvents, KILLED, ended_event_index=999_999)),
    ("deaths_of_knocks_are_deaths", changed(KnockEvents, KILLED, victim_account_id="account.another")),
    ("stolen_kills_end_knocks", changed(KnockEvents, pl.col("is_killsteal"), is_killsteal=False)),
    ("stolen_kills_end_knocks", changed(KnockEvents, KILLED & ~pl.col("is_killsteal"), is_killsteal=True)),
    ("stolen_kills_end_knocks", changed(KnockEvents, pl.col("outcome") == "revived", is_finish_stolen=True)),
    ("stolen_kills_end_knocks", changed(KnockEvents, pl.col("is_killsteal"), outcome="bled_out")),
    ("stolen_kills_end_knocks", without(t.WeaponKills, pl.col("is_killsteal"))),
    ("finishing_totals_are_knocks", without(FinishingSummaries, pl.col("knocks") > 0)),
    ("finishing_totals_are_knocks", changed(FinishingSummaries, knocks=pl.col("knocks") + 1)),
    ("finishing_totals_are_knocks", changed(FinishingSummaries, knocks_revived=pl.col("knocks_revived") + 1)),
    ("finishing_totals_are_knocks", changed(FinishingSummaries, knocks_10_to_50_m=pl.col("knocks_10_to_50_m") + 1)),
    ("finishing_totals_are_knocks", doubled(FinishingSummaries, pl.col("knocks") > 0, account_id="account.stranger")),
    (
        "finishes_are_told_on_both_sides",
        changed(FinishingSummaries, team_mates_knocks_finished=pl.col("team_mates_knocks_finished") + 1),
    ),
    (
        "finishes_are_told_on_both_sides",
        changed(FinishingSummaries, other_teams_knocks_finished=pl.col("other_teams_knocks_finished") + 1),
    ),
    ("finishes_are_told_on_both_sides", without(FinishingSummaries, pl.col("team_mates_knocks_finished") > 0)),
    ("fights_are_the_sum_of_their_participants", without(FightParticipants)),
    ("fights_are_the_sum_of_their_participants", without(TeamFights)),
    ("fights_are_the_sum_of_their_participants", changed(TeamFights, damage=pl.col("damage") + 0.5)),
    ("fights_are_the_sum_of_their_participants", changed(TeamFights, damage_to_bots=pl.col("damage_to_bots") + 0.5)),
    ("fights_are_the_sum_of_their_participants", changed(TeamFights, knocks=pl.col("knocks") + 1)),
    ("fights_are_the_sum_of_their_participants", changed(TeamFights, kills=pl.col("kills") + 1)),
    ("fights_are_the_sum_of_their_participants", changed(TeamFights, participants=pl.col("participants") + 1)),
    ("casualties_of_fights_fell", changed(TeamFights, casualties=90)),
    ("casualties_of_fights_fell", changed(TeamFights, knocks=90)),
    ("casualties_of_fights_fell", changed(TeamFights, kills=90)),
    (
        "casualties_of_fights_fell",
        changed(TeamFights, pl.col("casualties") > 0, started_at=pl.col("ended_at") + timedelta(seconds=46)),
    ),
    ("nobody_fights_more_than_they_did", changed(FightParticipants, damage_dealt=99_999.0)),
    ("nobody_fights_more_than_they_did", changed(FightParticipants, knocks=99)),
    ("nobody_fights_more_than_they_did", changed(FightParticipants, kills=99)),
    (
        "nobody_fights_more_than_they_did",
        doubled(FightParticipants, pl.col("damage_dealt") > 1, account_id="account.stranger"),
    ),
    ("participants_are_of_their_fight", changed(FightParticipants, team_id=999)),
    ("participants_are_of_their_fight", changed(FightParticipants, is_third_party=~pl.col("is_third_party"))),
    ("participants_are_of_their_fight", changed(FightParticipants, pl.col("won"), won=False)),
    ("participants_are_of_their_fight", changed(FightParticipants, pl.col("won").is_null(), won=True)),
    ("participants_are_of_their_fight", changed(FightParticipants, joined_at_s=241.0)),
    ("participants_are_of_their_fight", changed(FightParticipants, fight_number=999)),
]


class TestChecks(ChecksOfAGame):
    checks, violations, game = fight_checks.ALL, VIOLATIONS, staticmethod(game)


def test_every_check_blocks() -> None:
    assert all(check.blocking for check in fight_checks.ALL)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        pytest.param("third_parties_are_teams_beyond_two", {"is_third_party": ~pl.col("is_third_party")}, id="third"),
        pytest.param("third_parties_are_teams_beyond_two", {"teams": pl.lit(9, pl.Int16)}, id="teams"),
        pytest.param("the_winner_took_part", {"winner_team_id": pl.lit(999, pl.Int32)}, id="winner"),
        pytest.param(
            "the_rule_fits_the_totals", {"rule": pl.lit("two_casualties"), "casualties": pl.lit(1, pl.Int32)}, id="two"
        ),
        pytest.param(
            "the_rule_fits_the_totals", {"rule": pl.lit("resisted_death"), "kills": pl.lit(0, pl.Int32)}, id="death"
        ),
        pytest.param("the_rule_fits_the_totals", {"rule": pl.lit("mutual_damage"), "damage": 149.0}, id="mutual"),
        pytest.param(
            "the_rule_fits_the_totals", {"rule": pl.lit("contested_knock"), "knocks": pl.lit(0, pl.Int32)}, id="knock"
        ),
    ],
)
def test_a_fight_that_breaks_a_rule_of_its_table_is_refused(rule: str, values: dict[str, Any], sound: Frames) -> None:
    one = sound[TeamFights].head(1)
    assert TeamFights.is_valid(one)
    _, failure = TeamFights.filter(one.with_columns(**values))
    assert set(failure.counts()) == {rule}
