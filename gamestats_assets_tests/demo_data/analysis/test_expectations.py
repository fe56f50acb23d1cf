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
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets_tests.demo_data.analysis.expectations import EXPECTED, NOT_YET, PRODUCTS, REAL
from gamestats_assets_tests.demo_data.analysis.expectations.language import bare, said_about
from gamestats_assets_tests.demo_data.sheets import FOLDERS, listed_events

GAMES = ("game", "gacha", "moba", "l2m", "card_game", "casual_game")


@cache
def _read(path: Path) -> Taxonomy:
    return read_taxonomy(path)


def _taxonomy(name: str, request: pytest.FixtureRequest) -> Taxonomy:
    """A taxonomy: ours, or one in use."""
    if name not in REAL:
        return _read(FOLDERS[name])
    return _read(request.getfixturevalue("realdata") / "taxonomies" / f"{name}.xlsx")


_RULES: dict[str, Rules] = {}


@pytest.fixture
def rules(taxonomy_name: str, request: pytest.FixtureRequest) -> Rules:
    """The analyst's rules of a taxonomy, made once."""
    if taxonomy_name not in _RULES:
        _RULES[taxonomy_name] = analyse(_taxonomy(taxonomy_name, request), PRODUCTS[taxonomy_name])
    return _RULES[taxonomy_name]


@pytest.mark.parametrize("taxonomy_name", EXPECTED)
def test_the_analyst_names_what_a_person_would(rules: Rules, taxonomy_name: str) -> None:
    missed = [each for each in EXPECTED[taxonomy_name] if not each.holds(rules)]
    told = [f"{each.says}. The rules say:\n{said_about(rules, each.about)}" for each in missed]
    assert not missed, "\n".join(told)
    # What it does not name yet moves to EXPECTED when it does.
    assert [each.says for each in NOT_YET[taxonomy_name] if each.holds(rules)] == []


@pytest.mark.parametrize("taxonomy_name", PRODUCTS)
def test_only_games_are_taken_for_games(taxonomy_name: str, request: pytest.FixtureRequest) -> None:
    likely = likely_industry(_taxonomy(taxonomy_name, request))
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

    def test_rules_are_sound_whatever_the_industry(
        self, rules: Rules, taxonomy_name: str, request: pytest.FixtureRequest
    ) -> None:
        taxonomy = _taxonomy(taxonomy_name, request)
        # Each is taken for a product of its own industry, and of one of these.
        others = ("game", "media", "saas", "something new")
        other = others[list(PRODUCTS).index(taxonomy_name) % len(others)]
        assert problems(rules, taxonomy) == []
        assert problems(analyse(taxonomy, ProductInfo(industry=other)), taxonomy) == []

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
