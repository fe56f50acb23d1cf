"""What was made of some players' rows holds until a row of theirs is another one, whatever is told in which order."""

from __future__ import annotations

import dataframely as dy
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers.versions import Versions


class Plays(Table, key="demo/plays", layer="gold", partitioned_by="player_id", published=True,
            guarded_by=("player_id",)):  # fmt: skip
    """What players did."""

    player_id = dy.String(primary_key=True, description="Player.")


class Ranks(Table, key="demo/ranks", layer="gold", published=True):
    """What ranks there are."""

    rank = dy.String(primary_key=True, description="Rank.")


@pytest.fixture
def versions() -> Versions:
    known = Versions(SecretStr("postgresql:///none"), ["demo"])
    known.heard("demo.plays 10")
    known.heard("demo.ranks 10")
    return known


def test_it_holds_while_only_others_change(versions: Versions) -> None:
    versions.heard('demo.plays 11 ["bob"]')
    assert versions.hold([Plays, Ranks], (10, 10), ["ann"])
    assert not versions.hold([Plays, Ranks], (10, 10), ["ann", "bob"])
    assert versions.hold([Plays, Ranks], (11, 10), ["ann", "bob"])
    # Who says nothing of players is told of any change.
    assert not versions.hold([Plays, Ranks], (10, 10))


def test_it_ends_when_a_table_changes_for_unknown_players(versions: Versions) -> None:
    versions.heard("demo.ranks 11")
    assert not versions.hold([Plays, Ranks], (10, 10), ["ann"])
    versions.heard("demo.plays 12")
    assert not versions.hold([Plays, Ranks], (11, 11), ["ann"])
    assert versions.hold([Plays, Ranks], (12, 11), ["ann"])
    # An older one that is told late changes nothing.
    versions.heard('demo.plays 11 ["ann"]')
    assert versions.hold([Plays, Ranks], (12, 11), ["ann"])


def test_a_version_is_doubted_until_its_players_are_known(versions: Versions) -> None:
    versions.saw({"demo.plays": 11})
    assert not versions.hold([Plays], (10,), ["ann"])
    assert versions.hold([Plays], (11,), ["ann"])
    versions.heard('demo.plays 11 ["bob"]')
    assert versions.hold([Plays], (10,), ["ann"])


def test_of_very_many_players_all_are_doubted_once(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gamestats_assets.serving.answers.versions._MOST_PLAYERS", 3)
    for number in range(11, 16):
        versions.heard(f'demo.plays {number} ["player {number}"]')
    assert not versions.hold([Plays], (10,), ["ann"])
    assert versions.hold([Plays], (15,), ["ann", "player 11"])
