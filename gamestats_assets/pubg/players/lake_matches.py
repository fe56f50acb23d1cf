"""Facts about entered names from the lake's matches."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.players.entered.people import Matches, Seen
from gamestats_assets.pubg.players.players import TAKEN


class LakeMatches(Matches):
    """Facts about entered names from the lake and the landing zone."""

    def __init__(self, lake: Lake, landing: Landing) -> None:
        self._lake, self._landing = lake, landing

    def players(self, names: Collection[str]) -> Seen:
        """Returns facts about players from the newest match summaries, given by names or accounts."""
        wanted = {player.lower() for player in names}
        rows = (
            self._lake.scan(t.MatchSummaries)
            .select("player_name", "account_id", "match_date")
            .filter(pl.col("player_name").str.to_lowercase().is_in(wanted) | pl.col("account_id").is_in(wanted))
            .unique()
            .collect()
        )
        return Seen.of(rows.iter_rows())

    def has_landed(self, match_id: str) -> bool:
        """Whether any file of a match has landed."""
        return self._landing.day_of("pubg", match_id) is not None

    def played_by(self, roster_entry_id: int) -> int:
        """Returns in how many matches a player took part under a roster entry, given by its id."""
        of_entry = self._lake.scan(t.TournamentLineups).filter(pl.col("roster_entry_id") == roster_entry_id)
        return of_entry.select(pl.col("match_id").n_unique()).collect().item()

    def taken_of(self, tracked: Row) -> int:
        """Returns how many matches of a tracked player the detail tables contain or have processed."""
        lake, account = self._lake, tracked["account_id"]
        held = lake.scan(t.PlayerMatches, [account]).select("match_id")
        taken = [lake.scan(ledger, [account]).select(match_id="unit_id") for ledger in TAKEN]
        return pl.concat([held, *taken]).select(pl.col("match_id").n_unique()).collect().item()
