"""What holds of every game's checks: they pass on sound data, and find the violations planted for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.runs.behind import upstream_of
from gamestats_assets_tests.support.frames import KNOWN, Frames, Planted, breaking


def assert_blames_the_odd_unit_alone(check: Check, sound: Frames, planted: Planted) -> None:
    """Among units that are sound a check blames the one with a fault, whichever of them it is asked about.

    Sound rows stand beside the faulty ones twice, under ids of their own; then the check is asked about the blamed
    units alone, and about all others.
    """
    unit = check.unit
    assert unit is not None
    of_units = {table for table in check.inputs.values() if unit in table.columns()}
    known = {**sound, **planted}
    together = {
        table: pl.concat(
            _called(frames[table], unit, name) for name, frames in (("first", sound), ("odd", known), ("third", sound))
        )
        if table in of_units
        else known[table]
        for table in check.inputs.values()
    }
    found = breaking(check, together)
    blamed = set(found[unit])
    assert blamed
    assert blamed <= {f"{each}/odd" for table in planted for each in _touched(unit, sound[table], planted[table])}

    def asked_of(which: pl.Expr) -> pl.DataFrame:
        frames = {table: frame.filter(which) if table in of_units else frame for table, frame in together.items()}
        return breaking(check, frames)

    is_blamed = pl.col(unit).is_in(list(blamed))
    assert _told(asked_of(is_blamed)) == _told(found)
    assert asked_of(~is_blamed).is_empty()


def _called(frame: pl.DataFrame, unit: str, name: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(unit) + f"/{name}")


def _told(found: pl.DataFrame) -> list[str]:
    """Rows in an order of their own; a mean differs in its last digit by the order of what it is of."""
    return sorted(map(str, found.select(pl.exclude(pl.Float64)).rows()))


def _touched(unit: str, before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    """Units whose rows differ."""
    old, new = (
        dict(frame.group_by(unit).agg(pl.struct(pl.all()).hash().sum()).iter_rows()) for frame in (before, after)
    )
    return {each for each in old.keys() | new.keys() if old.get(each) != new.get(each)}


class ChecksOfAGame:
    """Tests for a test module to inherit whose fixture `sound` gives rows that every check is to pass on.

    Attributes:
        checks: all checks of the game.
        violations: names of checks, with faults that they are to find.
        game: gives the game.
    """

    checks: ClassVar[Sequence[Check]]
    violations: ClassVar[Sequence[tuple[str, Callable[[Frames], Planted]]]]
    game: ClassVar[staticmethod[[], Game]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every check and every violation is a case of its own."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", self.checks, ids=lambda check: check.name)
        if "plant" in metafunc.fixturenames:
            ids = [f"{number}-{name}" for number, (name, _) in enumerate(self.violations)]
            metafunc.parametrize(("name", "plant"), self.violations, ids=ids)
        if "plant_in_unit" in metafunc.fixturenames:
            by_name = {check.name: check for check in self.checks}
            cases = [(by_name[name], plant) for name, plant in self.violations if by_name[name].unit is not None]
            ids = [f"{number}-{check.name}" for number, (check, _) in enumerate(cases)]
            metafunc.parametrize(("check_of_unit", "plant_in_unit"), cases, ids=ids)

    def test_sound_data_pass(self, check: Check, sound: Frames) -> None:
        empty = [table for table in check.inputs.values() if sound[table].is_empty()]
        assert not empty, empty
        found = breaking(check, sound).to_dicts()
        assert found == [], found

    def test_planted_violation_is_found(self, name: str, plant: Callable[[Frames], Planted], sound: Frames) -> None:
        (check,) = (check for check in self.checks if check.name == name)
        found = breaking(check, {**sound, **plant(sound)})
        assert found.height > 0, "nothing is found"
        partition = check.table.spec.partitioned_by
        assert partition is None or found.schema[partition] == check.table.schema()[partition], found.schema
        assert partition is None or found[partition].null_count() == 0, found
        assert found.width > 1, "a violation explains itself"

    def test_violation_in_one_of_three_units_blames_that_one(
        self, check_of_unit: Check, plant_in_unit: Callable[[Frames], Planted], sound: Frames
    ) -> None:
        assert_blames_the_odd_unit_alone(check_of_unit, sound, plant_in_unit(sound))

    def test_checks_with_a_unit_read_nothing_of_other_units(self) -> None:
        for check in self.checks:
            for table in check.inputs.values() if check.unit is not None else ():
                assert check.unit in table.columns() or table.spec.partitioned_by is None, (check.name, table)

    def test_every_check_has_a_violation_planted(self) -> None:
        differing = {name for name, _ in self.violations} ^ {check.name for check in self.checks}
        assert not differing, differing

    def test_names_are_unique_and_told(self) -> None:
        names = [check.name for check in self.checks]
        assert len({*names}) == len(names), names
        untold = [check.name for check in self.checks if not check.description]
        assert not untold, untold

    def test_checks_look_at_nothing_beside_or_below_their_table(self) -> None:
        upstream = upstream_of(self.game())
        for check in self.checks:
            spec = check.table.spec
            at_once = {each for each in KNOWN.values() if (each.spec.game, each.spec.step) == (spec.game, spec.step)}
            others = {*check.inputs.values()} - {check.table} - at_once
            beyond = {asset_key(each) for each in others} - upstream[asset_key(check.table)]
            assert not beyond, (check.name, beyond)

    def test_no_rows_at_all_break_nothing(self, sound: Frames) -> None:
        empty = {table: frame.clear() for table, frame in sound.items()}
        broken = [check.name for check in self.checks if breaking(check, empty).height]
        assert broken == [], broken
