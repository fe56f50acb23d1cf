"""What holds of every game's checks: they pass on sound data, and find the violations planted for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import dagster as dg
import pytest

from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.orchestration.assets import upstream_of
from gamestats_assets_tests.frames import KNOWN, Frames, Planted, breaking


class ChecksOfAGame:
    """Tests for a test module to inherit whose fixture `sound` gives rows that every check is to pass on.

    Attributes:
        checks: all checks of the game.
        violations: names of checks, with faults that they are to find.
        assets: gives the game's assets.
    """

    checks: ClassVar[Sequence[Check]]
    violations: ClassVar[Sequence[tuple[str, Callable[[Frames], Planted]]]]
    assets: ClassVar[staticmethod[[], Sequence[dg.AssetsDefinition]]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every check and every violation is a case of its own."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", self.checks, ids=lambda check: check.name)
        if "plant" in metafunc.fixturenames:
            ids = [f"{number}-{name}" for number, (name, _) in enumerate(self.violations)]
            metafunc.parametrize(("name", "plant"), self.violations, ids=ids)

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
        assert found.width > 1, "a violation explains itself"

    def test_every_check_has_a_violation_planted(self) -> None:
        differing = {name for name, _ in self.violations} ^ {check.name for check in self.checks}
        assert not differing, differing

    def test_names_are_unique_and_told(self) -> None:
        names = [check.name for check in self.checks]
        assert len({*names}) == len(names), names
        untold = [check.name for check in self.checks if not check.description]
        assert not untold, untold

    def test_checks_look_at_nothing_beside_or_below_their_table(self) -> None:
        made = self.assets()
        for check in self.checks:
            spec = check.table.spec
            at_once = {each for each in KNOWN.values() if (each.spec.game, each.spec.step) == (spec.game, spec.step)}
            beyond = {*check.inputs.values()} - {check.table} - at_once - upstream_of(check.table, made, KNOWN)
            assert not beyond, (check.name, beyond)

    def test_no_rows_at_all_break_nothing(self, sound: Frames) -> None:
        empty = {table: frame.clear() for table, frame in sound.items()}
        broken = [check.name for check in self.checks if breaking(check, empty).height]
        assert broken == [], broken
