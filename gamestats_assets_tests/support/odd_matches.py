"""What holds of every game: one odd match never stops the others, and comes back when its files are mended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.game import Game
from gamestats_assets_tests.orchestration.bare import BareGame

Ingest = Callable[[Sequence[Path], Landing], Any]


@dataclass(frozen=True)
class Odd:
    """What is wrong with a match.

    Attributes:
        plant: changes its documents.
        rule: what sets it aside; None where the game allows it.
        is_made: whether the last table has it all the same.
    """

    plant: Callable[..., object]
    rule: str | None = None
    is_made: bool = False


@dataclass
class Made:
    """A game in which each odd match shares its day with sound ones, all made in one run.

    Attributes:
        table: the last table that is made of a match.
        odd: by what is wrong, the day and the match.
        matches: by day all matches, which have rows in the table when nothing is odd.
    """

    game: BareGame
    stores: Stores
    table: type[Table]
    ingest: Ingest
    odd: Mapping[Callable[..., object], tuple[str, str]]
    matches: dict[str, set[str]]
    sound: Mapping[str, Sequence[Path]] = field(repr=False)

    def run(self) -> None:
        """Bring all up to date; nothing is left."""
        self.game.run(self.stores)
        behind = self.game.behind(self.stores)
        assert behind == {}, behind

    def made_of(self, day: str) -> set[str]:
        """Matches of a day that are made to the end."""
        rows = self.stores.lake.scan(self.table, [date.fromisoformat(day)]).select("match_id").collect()
        return {*rows["match_id"]}


def made_with(
    game: Game,
    stores: Stores,
    table: type[Table],
    ingest: Ingest,
    odd: Sequence[Odd],
    sound: Mapping[str, tuple[str, Sequence[Path]]],
    planted: Callable[[Odd, Sequence[Path]], Sequence[Path]],
    others: Sequence[Path] = (),
) -> Made:
    """Ingest and make matches, of which each day has a sound one after its odd ones.

    Args:
        sound: by match its day and its files.
        planted: gives the files of a match with something wrong, from sound ones.
        others: files of no match.
    """
    matches: dict[str, set[str]] = defaultdict(set)
    for match_id, (day, _) in sound.items():
        matches[day].add(match_id)
    places = [(day, match_id) for day in sorted(matches) for match_id in sorted(matches[day])[:-1]]
    where = {each.plant: place for each, place in zip(odd, places, strict=False)}
    assert len(where) == len(odd), "too few days with several matches"
    chosen = {match_id: each for each, (_, match_id) in zip(odd, where.values(), strict=True)}
    files = [
        path
        for match_id, (_, of_match) in sound.items()
        for path in (planted(chosen[match_id], of_match) if match_id in chosen else of_match)
    ]
    ingest([*files, *others], stores.landing)
    made = Made(
        BareGame.of(game), stores, table, ingest, where, matches, {name: paths for name, (_, paths) in sound.items()}
    )
    made.run()
    return made


class OddMatchesOfAGame:
    """Tests for a test module to inherit whose fixture `made` gives the game; the last one mends it.

    Attributes:
        odd: what is wrong with matches.
    """

    odd: ClassVar[Sequence[Odd]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every odd match is a case of its own."""
        if "each" in metafunc.fixturenames:
            metafunc.parametrize("each", self.odd, ids=lambda odd: odd.plant.__name__)

    def test_the_others_of_its_day_are_made_and_it_is_set_aside_with_its_reason(self, each: Odd, made: Made) -> None:
        day, match_id = made.odd[each.plant]
        not_made = {made.odd[other.plant][1] for other in self.odd if not other.is_made}
        found, expected = made.made_of(day), made.matches[day] - not_made
        assert found == expected, (match_id, found ^ expected)
        rule = made.game.quarantined(made.stores).get(match_id)
        assert rule == each.rule, rule

    def test_nothing_is_stopped(self, made: Made) -> None:
        stopped, quarantined = made.game.stopped(made.stores), made.game.quarantined(made.stores)
        assert stopped == {}, stopped
        expected = {made.odd[each.plant][1] for each in self.odd if each.rule}
        assert {*quarantined} == expected, quarantined

    def test_files_that_are_mended_bring_their_matches_back(self, made: Made) -> None:
        landing = made.stores.landing
        for day, match_id in made.odd.values():
            for file in landing.files(made.game.name, day):
                if file.unit_id == match_id:
                    landing.remove(file)
            made.ingest(made.sound[match_id], landing)
        made.run()
        missing = {day: made.matches[day] ^ made.made_of(day) for day in made.matches}
        assert not any(missing.values()), missing
        quarantined = made.game.quarantined(made.stores)
        assert quarantined == {}, quarantined
