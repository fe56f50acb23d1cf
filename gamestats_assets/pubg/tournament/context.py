"""Tournament context of matches: who played for which team, and in which round and slot.

The finder of a match plays no role. Candidates are matches of type custom, competitive or unknown, and those that an
admin overrode.

**Days.** A match belongs to the tournament day of its start in the season's time zone, where a day lasts until 5 in the
morning: a start at 00:20 still belongs to the evening before. This applies to the validity of rosters, days of rounds
and evenings of slots. A match and a slot are compared only within one evening, so the context of a match depends only
on the matches of its own evening. A season with an unknown time zone has no such days: its rosters use UTC, and its
matches get a round and a slot only by hand.

**People.** A roster entry applies to its account; one without account applies to the player of that name, in any case,
on the season's shard. Substitutes and stand-ins count as the team. A person with several valid entries (two seasons at
once, a stand-in for another team) plays for the first one by: the division of a round or slot in an override; the
match's shard; a division (and group) with a round or slot that evening; the division and group with most people in the
match; the division entered last; the team with most people on the player's side in the match; entries with an account;
stand-ins, then substitutes, then players; the later first day; the entry entered last.

**Status**, the first that applies:

- `mixed_division`: people of several divisions or groups. Not a tournament match.
- `not_tournament`: people of only one team, against strangers: public play. Not a tournament match.
- `remake_failed`: the slot of a remake names it as the failed match, whatever happened to that slot later. It takes no
  slot and keeps the round of that slot.
- `remake_candidate`: fewer teams than the season's minimum. It has a division, but no round and no slot.
- `confirmed` with a slot, `unscheduled` without.

**Rounds** belong to the division, and to the group or to no group (which applies to all groups), if their days include
the match's. If several qualify, one of the group comes before one of the division, then the one that began last, then
the one entered first. A slot determines its own round, even on a day outside the round; this allows postponed matches:
`gamestats tournament schedule change ... --at TIME --postponed`. Cancelled rounds and slots take no match.

**Slots** are assigned by time: among all pairs of a match and a slot of one evening with the same map and an offset
within the season's window, the pair with the smallest offset comes first, then that of the earlier slot, then by match
id. A slot without a map takes any map.

**Overrides** take precedence over everything; a null keeps the derived value. An override with a round or slot, with a
status of confirmed or unscheduled, or as a tournament match vouches for a match: it is then neither mixed nor short of
teams, and if no round or slot determines its division, most of its people do. A slot assigned by hand is not available
to other matches; assigned to two matches by hand, the one with the smaller id has it. A match overridden with a status
other than confirmed takes no slot by time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import MATCH, seconds_since

CANDIDATE_TYPES = ("custom", "competitive")
"""Match types of tournaments."""
DAY_BEGINS = timedelta(hours=5)
"""Local time at which a tournament day ends and the next begins."""
MEETING_TEAMS = 2
"""Smallest number of teams that makes a match more than one team's public play."""

PLAYED = ("confirmed", "unscheduled")
"""Statuses of matches that count if they have a round."""
REFUSED = ("mixed_division", "not_tournament")
"""Statuses of matches that are not tournament matches."""
_ROLES = ("stand_in", "substitute", "player")
_PARTY = ("division_id", "group_id")


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Returns the tournament day of a time in a time zone; see the module's docstring.

    >>> day_of(datetime(2026, 10, 3, 22, 20, tzinfo=UTC), ZoneInfo("Europe/Berlin"))  # 00:20 of the 4th
    datetime.date(2026, 10, 3)
    """
    return (moment.astimezone(zone).replace(tzinfo=None) - DAY_BEGINS).date()


def tournament_day(at: str, time_zone: str) -> pl.Expr:
    """Returns the tournament day of the UTC time in column `at`, in the zone named in column `time_zone`.

    Null if the zone is unknown.
    """
    local = pl.map_batches([at, time_zone], _local_clock, return_dtype=pl.Datetime("us"), is_elementwise=True)
    return (local - DAY_BEGINS).dt.date()


@functools.cache
def is_time_zone(name: str) -> bool:
    """Whether frames support a time zone."""
    try:
        pl.Series([datetime(2026, 1, 1, tzinfo=UTC)]).dt.convert_time_zone(name)
    except pl.exceptions.ComputeError:
        return False
    return True


def _local_clock(columns: Sequence[pl.Series]) -> pl.Series:
    """Returns local clock times: each time in its own zone, without the zone."""
    at, zone = pl.col("at"), pl.col("zone")
    frame = pl.DataFrame({"at": columns[0], "zone": columns[1]})
    local = pl.lit(None, pl.Datetime("us"))
    for name in frame.get_column("zone").drop_nulls().unique():
        # A season with a wrong zone must not break the tables of all others.
        if is_time_zone(name):
            in_zone = at.dt.convert_time_zone(name).dt.replace_time_zone(None)
            local = pl.when(zone == name).then(in_zone).otherwise(local)
    return frame.select(local.alias("local")).to_series()


def tournament_lineups(
    matches: dy.LazyFrame[t.MatchFacts],
    summaries: dy.LazyFrame[t.MatchSummaries],
    seasons: dy.LazyFrame[t.Seasons],
    divisions: dy.LazyFrame[t.Divisions],
    teams: dy.LazyFrame[t.Teams],
    roster_entries: dy.LazyFrame[t.RosterEntries],
    rounds: dy.LazyFrame[t.Rounds],
    scheduled_matches: dy.LazyFrame[t.ScheduledMatches],
    overrides: dy.LazyFrame[t.MatchOverrides],
) -> dy.LazyFrame[t.TournamentLineups]:
    """Returns who played for which team in every candidate match, by the rules of the module's docstring."""
    decisions = _decisions(overrides, scheduled_matches, rounds)
    people = (
        summaries.unique(t.MatchSummaries.primary_key())
        .select("match_id", "account_id", "player_name", side="team_id")
        .join(_candidates(matches, decisions), on="match_id")
    )
    entries = _entries(seasons, divisions, teams, roster_entries)
    evenings = _evenings(seasons, divisions, rounds, scheduled_matches)
    possible = _possible(people, entries).join(decisions.select("match_id", "hand_division"), on="match_id", how="left")
    on = (
        possible.select(*_PARTY, "day")
        .unique()
        .join(evenings, on="division_id")
        .filter(_holds_for_group("evening_group") & pl.col("day").is_between("first_day", "last_day"))
        .select(*_PARTY, "day", plays_that_day=True)
        .unique()
    )

    def heads(*of: str) -> pl.Expr:
        return pl.col("account_id").n_unique().over("match_id", *of)

    best_first = {
        "for_hand": (pl.col("division_id") == pl.col("hand_division")).fill_null(False),
        "for_shard": _same_shard().fill_null(True),
        "plays_that_day": pl.col("plays_that_day").fill_null(False),
        "lobby_size": heads(*_PARTY),
        "division_id": pl.col("division_id"),
        "group_id": pl.col("group_id"),
        "side_size": heads("side", "team_id"),
        "has_account": pl.col("has_account"),
        "for_role": -pl.col("role").replace_strict(_ROLES, range(len(_ROLES)), default=len(_ROLES)),
        "valid_from": pl.col("valid_from"),
        "roster_entry_id": pl.col("roster_entry_id"),
    }
    return t.TournamentLineups.cast(
        possible.join(on, on=[*_PARTY, "day"], how="left", nulls_equal=True)
        .with_columns(**best_first)
        .sort(*best_first, descending=True, nulls_last=True)
        .unique(["match_id", "account_id"], keep="first", maintain_order=True)
    )


def _candidates(matches: pl.LazyFrame, decisions: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the MatchFacts of candidates; see the module's docstring."""
    kind = pl.col("match_type").str.to_lowercase()
    return (
        matches.unique("match_id")
        .join(decisions.select("match_id", "is_overridden"), on="match_id", how="left")
        .filter(kind.is_in(CANDIDATE_TYPES) | kind.is_null() | pl.col("is_overridden"))
        .select(*MATCH, "started_at", "shard_id", "map_id", "map_name")
    )


def _entries(
    seasons: pl.LazyFrame, divisions: pl.LazyFrame, teams: pl.LazyFrame, roster_entries: pl.LazyFrame
) -> pl.LazyFrame:
    return (
        roster_entries.select(
            "roster_entry_id",
            "team_id",
            "role",
            "valid_from",
            "valid_until",
            entry_account="account_id",
            name=pl.col("player_name").str.to_lowercase(),
        )
        .join(teams.select("team_id", "team_name", "division_id", "group_id"), on="team_id")
        .join(divisions.select("division_id", "season_id"), on="division_id")
        .join(seasons.select("season_id", "time_zone", season_shard="shard"), on="season_id")
    )


def _evenings(
    seasons: pl.LazyFrame, divisions: pl.LazyFrame, rounds: pl.LazyFrame, slots: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns the days on which each division (and group; null is all) plays, by rounds and by slots."""
    return pl.concat(
        [
            _open_rounds(rounds).select("division_id", "evening_group", "first_day", "last_day"),
            _open_slots(seasons, divisions, rounds, slots).select(
                "division_id", "evening_group", first_day="day", last_day="day"
            ),
        ]
    )


def _open_rounds(rounds: pl.LazyFrame) -> pl.LazyFrame:
    return rounds.filter(pl.col("status") != "cancelled").rename({"group_id": "evening_group"})


def _open_slots(
    seasons: pl.LazyFrame, divisions: pl.LazyFrame, rounds: pl.LazyFrame, slots: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns slots that can take a match, with division, evening_group and day, the tournament day of the slot."""
    zones = divisions.join(seasons, on="season_id").select("division_id", "time_zone")
    return (
        slots.filter(pl.col("status") != "cancelled")
        .join(_open_rounds(rounds).select("round_id", "division_id", "evening_group"), on="round_id")
        .join(zones, on="division_id")
        .select(
            "scheduled_match_id",
            "scheduled_at",
            "division_id",
            "evening_group",
            slot_round="round_id",
            slot_map=_map_key(pl.col("map_name")),
            day=tournament_day("scheduled_at", "time_zone"),
        )
    )


def _holds_for_group(of: str) -> pl.Expr:
    """Whether a round or slot of the group in column `of` also applies to the group of the match."""
    return pl.col(of).is_null() | (pl.col(of) == pl.col("group_id")).fill_null(False)


def _possible(people: pl.LazyFrame, entries: pl.LazyFrame) -> pl.LazyFrame:
    """Returns every person with every roster entry that applies to them on the match's day."""
    named = entries.filter(pl.col("entry_account").is_null()).drop("entry_account")
    by_name = (
        people.with_columns(name=pl.col("player_name").str.to_lowercase())
        .join(named, on="name")
        .filter(_same_shard().fill_null(True))
    )
    by_account = people.join(entries, left_on="account_id", right_on="entry_account")
    return (
        pl.concat([by_account.with_columns(has_account=True), by_name.with_columns(has_account=False)], how="diagonal")
        .with_columns(day=tournament_day("started_at", "time_zone"))
        .with_columns(
            valid_on=pl.coalesce("day", (pl.col("started_at").dt.replace_time_zone(None) - DAY_BEGINS).dt.date())
        )
        .filter(
            (pl.col("valid_from") <= pl.col("valid_on"))
            & (pl.col("valid_until").is_null() | (pl.col("valid_on") <= pl.col("valid_until")))
        )
    )


def _same_shard() -> pl.Expr:
    return pl.col("shard_id").str.to_lowercase() == pl.col("season_shard").str.to_lowercase()


def _map_key(name: pl.Expr) -> pl.Expr:
    """Returns a key of maps under which ids and names of a map are equal, in any case."""
    lower, known = name.str.strip_chars().str.to_lowercase(), reference.maps()
    return lower.replace(known.get_column("map_id").str.to_lowercase(), known.get_column("map_name").str.to_lowercase())


def _decisions(overrides: pl.LazyFrame, slots: pl.LazyFrame, rounds: pl.LazyFrame) -> pl.LazyFrame:
    """Returns overrides with their consequences; one row per overridden match.

    Returns:
        `hand_*`: the admin's decision, with round and division also from the slot; `names_slot`, and `hand_slot` if the
        match has it; `refused` (not a tournament match) and `vouched` (a tournament match despite all objections).
    """
    of_round = rounds.select("round_id", hand_division="division_id", hand_group="group_id")
    of_slot = slots.select("scheduled_match_id", slot_round="round_id")
    names_slot = pl.col("scheduled_match_id").is_not_null()
    vouching = pl.col("is_tournament_match") | pl.col("round_id").is_not_null() | names_slot
    can_hold = pl.col("match_id").filter(names_slot & ~pl.col("refused"))
    return (
        overrides.join(of_slot, on="scheduled_match_id", how="left")
        .with_columns(
            refused=pl.coalesce(~pl.col("is_tournament_match"), pl.col("validation_status").is_in(REFUSED)).fill_null(
                False
            )
        )
        .with_columns(
            round_id=pl.coalesce("round_id", "slot_round"),
            vouched=~pl.col("refused") & (vouching.fill_null(False) | pl.col("validation_status").is_in(PLAYED)),
            has_slot=pl.col("match_id") == can_hold.min().over("scheduled_match_id"),
        )
        .join(of_round, on="round_id", how="left")
        .select(
            "match_id",
            "hand_division",
            "hand_group",
            "refused",
            pl.col("vouched").fill_null(False),
            is_overridden=pl.lit(True),
            names_slot=names_slot,
            hand_tournament="is_tournament_match",
            hand_status="validation_status",
            hand_round="round_id",
            hand_slot=pl.when(pl.col("has_slot")).then("scheduled_match_id"),
            override_reason="reason",
            override_admin="admin",
        )
    )


def match_tournament_context(
    matches: dy.LazyFrame[t.MatchFacts],
    summaries: dy.LazyFrame[t.MatchSummaries],
    seasons: dy.LazyFrame[t.Seasons],
    divisions: dy.LazyFrame[t.Divisions],
    groups: dy.LazyFrame[t.Groups],
    teams: dy.LazyFrame[t.Teams],
    roster_entries: dy.LazyFrame[t.RosterEntries],
    rounds: dy.LazyFrame[t.Rounds],
    scheduled_matches: dy.LazyFrame[t.ScheduledMatches],
    overrides: dy.LazyFrame[t.MatchOverrides],
) -> dy.LazyFrame[t.MatchTournamentContext]:
    """Returns the context of each candidate match, by the rules of the module's docstring.

    Args:
        matches: matches of some consecutive days; evenings must be complete for correct slots.
    """
    decisions = _decisions(overrides, scheduled_matches, rounds)
    lineups = tournament_lineups(
        matches, summaries, seasons, divisions, teams, roster_entries, rounds, scheduled_matches, overrides
    )
    leagues = divisions.join(seasons, on="season_id").select(
        "division_id", "division", "season_id", "season", "time_zone", "minimum_teams", "slot_window_min"
    )
    judged = _judged(
        _candidates(matches, decisions)
        .join(_lobbies(lineups, leagues, groups), on="match_id", how="left")
        .join(decisions, on="match_id", how="left")
        .filter(pl.col("tournament_players").is_not_null() | pl.col("is_overridden").is_not_null())
        .with_columns(pl.col("team_count", "tournament_players", "parties").fill_null(0))
        .with_columns(pl.col("is_overridden", "names_slot", "refused", "vouched").fill_null(False))
        .join(_failed(scheduled_matches), on="match_id", how="left"),
        leagues,
    )
    slots = _open_slots(seasons, divisions, rounds, scheduled_matches).join(
        decisions, left_on="scheduled_match_id", right_on="hand_slot", how="anti"
    )
    of_slot = scheduled_matches.select("scheduled_match_id", "match_number", "scheduled_at", slot_round="round_id")
    status, slot = pl.col("validation_status"), pl.col("scheduled_match_id")
    return t.MatchTournamentContext.cast(
        judged.join(_by_time(judged, slots), on="match_id", how="left")
        .with_columns(scheduled_match_id=pl.when(~pl.col("refused")).then(pl.coalesce("hand_slot", "time_slot")))
        .join(of_slot, on="scheduled_match_id", how="left")
        .join(_by_day(judged, rounds), on="match_id", how="left")
        .join(groups.select("group_id", "group_name"), on="group_id", how="left")
        .join(summaries.group_by("match_id").agg(people=pl.col("account_id").n_unique()), on="match_id", how="left")
        .with_columns(
            validation_status=pl.coalesce(
                "hand_status", "state", pl.when(slot.is_not_null()).then(pl.lit("confirmed")), pl.lit("unscheduled")
            ),
        )
        .with_columns(
            is_tournament_match=pl.coalesce("hand_tournament", ~status.is_in(REFUSED)),
            round_id=pl.coalesce(
                "hand_round",
                pl.when(status.is_in(PLAYED) & ~pl.col("refused")).then(pl.coalesce("slot_round", "day_round")),
                pl.when(status == "remake_failed").then(pl.coalesce("failed_round", "day_round")),
            ),
            slot_offset_s=seconds_since("scheduled_at", "started_at"),
            unmatched_player_count=pl.col("people").fill_null(0) - pl.col("tournament_players"),
        )
        .join(rounds.select("round_id", "round_number", "round_name"), on="round_id", how="left")
    )


def _lobbies(lineups: pl.LazyFrame, leagues: pl.LazyFrame, groups: pl.LazyFrame) -> pl.LazyFrame:
    """Returns per match the number of teams, of people by party (division and group), and the largest party."""
    parties = (
        lineups.group_by("match_id", *_PARTY)
        .agg(people=pl.len())
        .join(leagues.select("division_id", "division", party_season="season_id"), on="division_id", how="left")
        .join(groups.select("group_id", "group_name"), on="group_id", how="left")
        .sort("people", "division", "group_name", *_PARTY, descending=[True, False, False, False, False])
    )
    name = pl.concat_str("division", "group_name", separator=" / ", ignore_nulls=True)
    described = parties.group_by("match_id", maintain_order=True).agg(
        parties=pl.len(),
        largest_division=pl.col("division_id").first(),
        largest_group=pl.col("group_id").first(),
        only_season=pl.when(pl.col("party_season").n_unique() == 1).then(pl.col("party_season").first()),
        lobby=pl.format("{}: {}", name, "people").str.join(", "),
    )
    counted = lineups.group_by("match_id").agg(team_count=pl.col("team_id").n_unique(), tournament_players=pl.len())
    return counted.join(described, on="match_id")


def _failed(slots: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the MatchFacts of matches that a remake's slot names as failed, with that slot's round."""
    return (
        slots.filter(pl.col("is_remake") & pl.col("original_match_id").is_not_null())
        .sort("scheduled_match_id")
        .unique("original_match_id", keep="first", maintain_order=True)
        .select(match_id="original_match_id", failed_round="round_id", failed=True)
    )


def _judged(lobbies: pl.LazyFrame, leagues: pl.LazyFrame) -> pl.LazyFrame:
    """Adds division, group and season, `day`, and `state`: the status, null while it depends on a slot."""
    own = (pl.col("parties") == 1) | pl.col("vouched")
    lifted = pl.col("vouched") & (pl.col("names_slot") | pl.col("failed").is_null())
    by_hand, largest = pl.col("hand_division"), pl.col("largest_division")
    return (
        lobbies.with_columns(
            division_id=pl.coalesce(by_hand, pl.when(own).then(largest)),
            group_id=pl.coalesce(
                "hand_group", pl.when(own & (by_hand.is_null() | (by_hand == largest))).then("largest_group")
            ),
        )
        .join(leagues, on="division_id", how="left")
        .with_columns(season_id=pl.coalesce("season_id", "only_season"))
        .join(leagues.select("season_id", only_season_name="season").unique(), on="season_id", how="left")
        .with_columns(
            season=pl.coalesce("season", "only_season_name"),
            day=tournament_day("started_at", "time_zone"),
            state=pl.when(pl.col("refused"))
            .then(pl.lit("not_tournament"))
            .when(lifted)
            .then(pl.lit(None, pl.String))
            .when(pl.col("division_id").is_null() & (pl.col("parties") > 1))
            .then(pl.lit("mixed_division"))
            .when(pl.col("division_id").is_null())
            .then(pl.lit("not_tournament"))
            .when(pl.col("failed"))
            .then(pl.lit("remake_failed"))
            .when(pl.col("team_count") < MEETING_TEAMS)
            .then(pl.lit("not_tournament"))
            .when(pl.col("team_count") < pl.col("minimum_teams"))
            .then(pl.lit("remake_candidate")),
        )
    )


def _by_day(judged: pl.LazyFrame, rounds: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the round whose days include each match's day."""
    return (
        judged.select("match_id", "day", *_PARTY)
        .join(_open_rounds(rounds), on="division_id")
        .filter(pl.col("day").is_between("first_day", "last_day") & _holds_for_group("evening_group"))
        .sort(pl.col("evening_group").is_null(), "first_day", "round_id", descending=[False, True, False])
        .unique("match_id", keep="first", maintain_order=True)
        .select("match_id", day_round="round_id")
    )


def _by_time(judged: pl.LazyFrame, slots: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the slot that each match takes by time."""
    waiting = (
        pl.col("state").is_null()
        & ~pl.col("names_slot")
        & (pl.col("hand_status").is_null() | (pl.col("hand_status") == "confirmed"))
    )
    offset = seconds_since("scheduled_at", "started_at").abs()
    return (
        judged.filter(waiting)
        .with_columns(map_key=_map_key(pl.coalesce("map_id", "map_name")))
        .join(slots, on=["division_id", "day"])
        .filter(
            _holds_for_group("evening_group")
            & (pl.col("hand_round").is_null() | (pl.col("hand_round") == pl.col("slot_round")))
            & (pl.col("slot_map").is_null() | (pl.col("slot_map") == pl.col("map_key")).fill_null(False))
            & (offset <= pl.col("slot_window_min") * 60)
        )
        .sort(offset, "scheduled_at", "match_id", "scheduled_match_id")
        .select("match_id", time_slot="scheduled_match_id")
        .map_batches(_each_once, schema={"match_id": pl.String, "time_slot": pl.Int64})
    )


def _each_once(pairs: pl.DataFrame) -> pl.DataFrame:
    """Returns the pairs, given in order of preference, whose match and slot no earlier pair has taken."""
    slot_of: dict[str, int] = {}
    taken: set[int] = set()
    for match_id, slot in pairs.iter_rows():
        if match_id not in slot_of and slot not in taken:
            slot_of[match_id] = slot
            taken.add(slot)
    return pl.DataFrame({"match_id": list(slot_of), "time_slot": list(slot_of.values())}, schema=pairs.schema)
