"""What a careful person names from a taxonomy's sheet alone, for twenty industries and two real tracking plans.

The specification stands in `expectations`, one module for each taxonomy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse, likely_industry
from gamestats_assets.demo_data.rules.model import Rules, named_events
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets_tests.demo_data.expectations import EXPECTED, NOT_YET, PRODUCTS, REAL
from gamestats_assets_tests.demo_data.expectations.language import Expectation, bare, said_about
from gamestats_assets_tests.demo_data.sheets import FOLDERS, listed_events

GAMES = ("game", "gacha", "moba", "l2m", "card_game", "casual_game")


@cache
def rules_of(name: str, realdata: Path | None = None) -> Rules:
    """What the analyst makes of a taxonomy."""
    path = FOLDERS[name] if realdata is None else realdata / "taxonomies" / f"{name}.xlsx"
    return analyse(read_taxonomy(path), PRODUCTS[name])


def _cases(told: dict[str, tuple[Expectation, ...]]) -> list[object]:
    return [
        pytest.param(name, expectation, id=f"{name}: {expectation.says}")
        for name, expectations in told.items()
        for expectation in expectations
    ]


@pytest.fixture
def rules(taxonomy_name: str, request: pytest.FixtureRequest) -> Rules:
    """The analyst's rules of a taxonomy."""
    return rules_of(taxonomy_name, request.getfixturevalue("realdata") if taxonomy_name in REAL else None)


@pytest.mark.parametrize(("taxonomy_name", "expected"), _cases(EXPECTED))
def test_the_analyst_names_what_a_person_would(rules: Rules, taxonomy_name: str, expected: Expectation) -> None:
    assert expected.holds(rules), (
        f"{taxonomy_name}: {expected.says}. The rules say:\n{said_about(rules, expected.about)}"
    )


@pytest.mark.parametrize(("taxonomy_name", "expected"), _cases(NOT_YET))
def test_what_the_analyst_does_not_name_yet_is_no_expectation(
    rules: Rules, taxonomy_name: str, expected: Expectation
) -> None:
    assert not expected.holds(rules), f"{taxonomy_name}: {expected.says} holds; move it to EXPECTED"


@pytest.mark.parametrize("taxonomy_name", PRODUCTS)
def test_only_games_are_taken_for_games(taxonomy_name: str, request: pytest.FixtureRequest) -> None:
    path = FOLDERS[taxonomy_name] if taxonomy_name not in REAL else None
    path = path or request.getfixturevalue("realdata") / "taxonomies" / f"{taxonomy_name}.xlsx"
    likely = likely_industry(read_taxonomy(path))
    assert (likely == "game") == (taxonomy_name in GAMES)
    if taxonomy_name in ("ecommerce", "saas", "health"):
        assert likely == taxonomy_name


@pytest.mark.parametrize("taxonomy_name", PRODUCTS)
class TestEveryTaxonomy:
    """What holds whatever the product."""

    def test_engaged_users_come_more_often_and_churning_ones_fade(self, rules: Rules) -> None:
        found = {name: analysis.activity for name, analysis in rules.segment_analysis.items()}
        power, active, churning = (found[name] for name in ("power_user", "active_user", "churning_user"))
        a_day = [of.sessions_per_day * of.events_per_session for of in (power, active, churning)]

        assert power.daily_probability > active.daily_probability > churning.daily_probability
        assert active.daily_probability > found["churned_user"].daily_probability
        assert a_day == sorted(a_day, reverse=True)
        assert churning.decay_per_day >= active.decay_per_day
        assert churning.churn_per_day >= active.churn_per_day
        assert churning.decay_per_day + churning.churn_per_day > 0

    def test_segments_stay_within_what_the_sheet_allows(self, rules: Rules) -> None:
        outside = [
            (segment, prop)
            for segment, analysis in rules.segment_analysis.items()
            for prop, own in analysis.property_ranges.items()
            if (allowed := rules.value_ranges.get(prop) or rules.value_ranges.get(bare(prop)))
            and (own.min < allowed.min or own.max > allowed.max)
        ]

        assert not outside

    def test_rules_name_only_events_of_the_sheet(
        self, rules: Rules, taxonomy_name: str, request: pytest.FixtureRequest
    ) -> None:
        listed = _listed_events(taxonomy_name, request)

        assert {event for event, _ in named_events(rules)} <= listed

    def test_rules_are_sound_whatever_the_industry(self, taxonomy_name: str, request: pytest.FixtureRequest) -> None:
        real = taxonomy_name in REAL
        path = request.getfixturevalue("realdata") / "taxonomies" / f"{taxonomy_name}.xlsx" if real else None
        taxonomy = read_taxonomy(path or FOLDERS[taxonomy_name])
        for industry in ("game", "media", "saas", "something new"):
            assert problems(analyse(taxonomy, ProductInfo(industry=industry)), taxonomy) == []

    def test_reports_of_the_system_stand_apart(self, rules: Rules) -> None:
        constraints = rules.event_constraints
        stepped = {event for sequence in constraints.sequences for step in sequence.steps for event in step.events}

        assert not set(constraints.not_of_users) & {*stepped, *constraints.session_start, *constraints.session_end}


def _listed_events(name: str, request: pytest.FixtureRequest) -> set[str]:
    """Names of the events of a sheet, read without the project's reader."""
    if name in REAL:
        import python_calamine

        path = request.getfixturevalue("realdata") / "taxonomies" / f"{name}.xlsx"
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_name("#이벤트 데이터").to_python()
        return {str(row[0]) for row in sheet[1:] if row[0]}
    return listed_events(name)


def test_every_taxonomy_of_ours_has_its_expectations() -> None:
    assert {*FOLDERS, *REAL} == set(EXPECTED)
