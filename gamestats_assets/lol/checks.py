"""What the League of Legends tables must keep together, beyond what each declares by itself.

A blocking check says that rows were lost, doubled or disagree, which sets the match aside, and where no match is to
blame, stops what it is of. The others report what a source can do at any time: a new kind of event, a queue nobody has
listed, a timeline that tells less than the match object.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.game_state import MATCH
from gamestats_assets.lol.matches import was_played
from gamestats_assets.lol.patterns import LEVEL
from gamestats_assets.lol.tables import (
    DiscoveredPatterns,
    FinalItems,
    FirstObjectiveStats,
    ItemBuilds,
    ItemBuildStats,
    Items,
    Matches,
    Objectives,
    ParticipantFeatures,
    Participants,
    Patches,
    PatternTests,
    RawMatches,
    RawParticipants,
    SkillOrders,
    TimelineEventCounts,
    TimelineEvents,
    TimelineFiles,
    TimelineFrames,
)

PARTICIPANT = [*MATCH, "participant_id"]
ITEMS_AGREE = 0.97
"""Share of participants on Summoner's Rift whose items must end as the match object records them."""
_FEWEST_PARTICIPANTS = 50
GOLD, DAMAGE = 0.02, 0.02
"""Shares by which a timeline's last frame may differ from the match object."""
_RIFT = 11
_LATEST_S = 3 * 3600


# --------------------------------------------------------------------------- what landed


@breaking_rows(of=TimelineEventCounts)
def every_event_of_a_timeline_is_counted(
    counts: dy.LazyFrame[TimelineEventCounts], files: dy.LazyFrame[TimelineFiles]
) -> pl.LazyFrame:
    """The kinds of events of a timeline add up to the events it holds."""
    counted = counts.group_by(MATCH).agg(counted_events=pl.col("events").sum())
    return (
        files.filter(pl.col("status") == "processed")
        .select(*MATCH, "events")
        .join(counted, on=MATCH, how="left")
        .filter(pl.col("counted_events").fill_null(0) != pl.col("events"))
    )


@breaking_rows(of=TimelineEventCounts)
def no_more_rows_than_events(
    counts: dy.LazyFrame[TimelineEventCounts], events: dy.LazyFrame[TimelineEvents]
) -> pl.LazyFrame:
    """A match has no more rows of a kind of event than its timeline held and could be read: none stands twice."""
    return _kept_and_rows(counts, events).filter(pl.col("rows") > pl.col("kept"))


@breaking_rows(of=TimelineEventCounts, blocking=False)
def every_event_is_a_row(
    counts: dy.LazyFrame[TimelineEventCounts], events: dy.LazyFrame[TimelineEvents]
) -> pl.LazyFrame:
    """Every event that could be read is a row. What is missing broke a rule of the table and is in quarantine."""
    return _kept_and_rows(counts, events).filter(pl.col("rows") < pl.col("kept"))


def _kept_and_rows(counts: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    kind = [*MATCH, "event_type"]
    rows = events.group_by(kind).agg(rows=pl.len().cast(pl.Int64))
    kept = counts.group_by(kind).agg(kept=(pl.col("events") - pl.col("quarantined")).sum().cast(pl.Int64))
    return kept.join(rows, on=kind, how="full", coalesce=True).with_columns(pl.col("rows", "kept").fill_null(0))


@breaking_rows(of=TimelineEventCounts, blocking=False)
def kinds_of_events_are_known(counts: dy.LazyFrame[TimelineEventCounts]) -> pl.LazyFrame:
    """No kind of event is new. Events of a new kind are rows all the same, and no table above reads them."""
    return counts.filter(~pl.col("is_known"))


@breaking_rows(of=RawParticipants, blocking=False)
def every_participant_is_a_row(
    participants: dy.LazyFrame[RawParticipants], matches: dy.LazyFrame[RawMatches]
) -> pl.LazyFrame:
    """A match has as many participants as its match object lists; the others are in quarantine."""
    rows = participants.group_by(MATCH).agg(rows=pl.len())
    told = matches.select(*MATCH, listed=pl.col("participants").cast(pl.Int64))
    return told.join(rows, on=MATCH, how="left").filter(pl.col("rows").fill_null(0) != pl.col("listed"))


# --------------------------------------------------------------------------- silver against bronze


@breaking_rows(of=Matches)
def every_match_object_is_a_match(matches: dy.LazyFrame[Matches], raw: dy.LazyFrame[RawMatches]) -> pl.LazyFrame:
    """Every match object of a game that was played is one match, and no match is without one."""
    own = matches.group_by(MATCH).agg(matches=pl.len())
    return (
        raw.filter(was_played())
        .select(*MATCH, objects=pl.lit(1, pl.UInt32))
        .join(own, on=MATCH, how="full", coalesce=True)
        .filter(pl.col("objects").fill_null(0) != pl.col("matches").fill_null(0))
    )


@breaking_rows(of=Matches, blocking=False)
def queues_are_known(matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """Every queue is listed in data/reference/lol/queues.csv. Matches of others count in no statistics."""
    return matches.filter(pl.col("queue_group").str.starts_with("queue_")).select(*MATCH, "queue_id", "game_mode")


@breaking_rows(of=Participants)
def kills_are_somebodys_deaths(
    participants: dy.LazyFrame[Participants], raw: dy.LazyFrame[RawParticipants]
) -> pl.LazyFrame:
    """Kills, deaths, assists, gold and damage of a match are those of its match object."""
    figures = ["kills", "deaths", "assists", "gold_earned", "damage_to_champions"]
    found, told = (each.group_by(MATCH).agg(pl.col(figures).sum()) for each in (participants, raw))
    joined = told.join(found, on=MATCH, how="full", coalesce=True, suffix="_here")
    return joined.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_here")) for name in figures))


@breaking_rows(of=Participants, blocking=False)
def teams_are_of_one_size(participants: dy.LazyFrame[Participants], matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """Teams of a match that counts in statistics are of one size. Whom a match object leaves out is in no table."""
    side = pl.coalesce("subteam_id", "team_id")
    return (
        participants.join(matches.filter("in_statistics").select(MATCH), on=MATCH, how="semi")
        .group_by(*MATCH, side=side)
        .agg(participants=pl.len())
        .group_by(MATCH)
        .agg(smallest=pl.col("participants").min(), largest=pl.col("participants").max())
        .filter(pl.col("smallest") < pl.col("largest"))
    )


@breaking_rows(of=TimelineFrames, blocking=False)
def timelines_end_as_match_objects_tell(
    frames: dy.LazyFrame[TimelineFrames], raw: dy.LazyFrame[RawParticipants], matches: dy.LazyFrame[RawMatches]
) -> pl.LazyFrame:
    """Gold and damage to champions in a timeline's last frame are those of the match object, within 2%."""
    last = frames.group_by(PARTICIPANT).agg(
        gold=pl.col("total_gold").sort_by("timestamp_ms").last(),
        damage=pl.col("damage_to_champions").sort_by("timestamp_ms").last(),
    )
    told = raw.select(*PARTICIPANT, "gold_earned", told_damage="damage_to_champions")

    def differ(here: str, there: str, share: float) -> pl.Expr:
        return (pl.col(here) - pl.col(there)).abs() > (share * pl.col(there)).clip(lower_bound=50)

    return last.join(told, on=PARTICIPANT).filter(
        differ("gold", "gold_earned", GOLD) | differ("damage", "told_damage", DAMAGE)
    )


@breaking_rows(of=TimelineEvents, blocking=False)
def kills_of_timelines_are_those_of_match_objects(
    events: dy.LazyFrame[TimelineEvents], raw: dy.LazyFrame[RawParticipants], files: dy.LazyFrame[TimelineFiles]
) -> pl.LazyFrame:
    """A participant has as many kills in the timeline as in the match object."""
    kills = (
        events.filter((pl.col("event_type") == "CHAMPION_KILL") & (pl.col("participant_id") > 0))
        .group_by(PARTICIPANT)
        .agg(in_timeline=pl.len().cast(pl.Int64))
    )
    processed = files.filter(pl.col("status") == "processed").select(MATCH)
    return (
        raw.join(processed, on=MATCH, how="semi")
        .select(*PARTICIPANT, told=pl.col("kills").cast(pl.Int64))
        .join(kills, on=PARTICIPANT, how="left")
        .with_columns(pl.col("in_timeline").fill_null(0))
        .filter(pl.col("in_timeline") != pl.col("told"))
    )


@breaking_rows(of=FinalItems, blocking=False, local=False)
def items_end_as_recorded(items: dy.LazyFrame[FinalItems], matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """On Summoner's Rift at least 97% of a day's participants end with the items that their match object records."""
    on_rift = items.join(matches.filter(pl.col("map_id") == _RIFT).select(MATCH), on=MATCH, how="semi")
    of_day = on_rift.with_columns(
        participants_of_day=pl.len().over("match_date"), agreeing=pl.col("agrees").mean().over("match_date")
    )
    return of_day.filter(
        ~pl.col("agrees") & (pl.col("agreeing") < ITEMS_AGREE) & (pl.col("participants_of_day") >= _FEWEST_PARTICIPANTS)
    )


@breaking_rows(of=ItemBuilds)
def items_are_completed_within_the_game(
    builds: dy.LazyFrame[ItemBuilds], matches: dy.LazyFrame[Matches]
) -> pl.LazyFrame:
    """An item is completed before the game ends, give or take a second, and lost after it was completed.

    A length of 0 says nothing: Riot tells it of games that were broken off, whose timelines go on.
    """
    told = matches.select(*MATCH, "duration_s").filter(pl.col("duration_s") > 0)
    joined = builds.join(told, on=MATCH, how="left")
    is_late = pl.col("completed_at_s") > pl.col("duration_s").fill_null(_LATEST_S) + 1
    return joined.filter(is_late | (pl.col("left_at_s") < pl.col("completed_at_s")))


@breaking_rows(of=SkillOrders)
def orders_are_of_the_levels(orders: dy.LazyFrame[SkillOrders]) -> pl.LazyFrame:
    """A max order names Q, W and E once each, and first levels are the first of all levels.

    Who never levelled any of the three has no order: nobody has to.
    """
    named = pl.col("max_order").fill_null("").str.split("").list.sort().list.join("")
    due = pl.when(pl.col("levels").str.contains("[QWE]")).then(pl.lit("EQW")).otherwise(pl.lit(""))
    return orders.filter((named != due) | (pl.col("first_levels") != pl.col("levels").str.slice(0, 6)))


@breaking_rows(of=Objectives)
def the_first_of_a_kind_is_one(objectives: dy.LazyFrame[Objectives]) -> pl.LazyFrame:
    """Of each kind of objective a match has one first, and numbers without gaps."""
    return (
        objectives.group_by(*MATCH, "objective")
        .agg(
            rows=pl.len().cast(pl.Int64),
            numbers=pl.col("number_in_match").n_unique().cast(pl.Int64),
            last=pl.col("number_in_match").max().cast(pl.Int64),
        )
        .filter((pl.col("rows") != pl.col("numbers")) | (pl.col("rows") != pl.col("last")))
    )


# --------------------------------------------------------------------------- gold


@breaking_rows(of=ParticipantFeatures)
def every_counted_participant_is_a_wide_row(
    features: dy.LazyFrame[ParticipantFeatures],
    participants: dy.LazyFrame[Participants],
    matches: dy.LazyFrame[Matches],
) -> pl.LazyFrame:
    """Participants of matches that count in statistics are one wide row each, with their kills, gold and damage."""
    figures = ["kills", "deaths", "gold_earned", "damage_to_champions"]
    counted = participants.join(matches.filter("in_statistics").select(MATCH), on=MATCH, how="semi")
    joined = counted.select(*PARTICIPANT, *figures).join(
        features.select(*PARTICIPANT, *figures), on=PARTICIPANT, how="full", coalesce=True, suffix="_wide"
    )
    return joined.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_wide")) for name in figures))


@breaking_rows(of=ParticipantFeatures)
def lists_of_items_are_of_one_length(features: dy.LazyFrame[ParticipantFeatures]) -> pl.LazyFrame:
    """The lists that tell of core items have an entry for each of them, in the order of time, and no item twice."""
    core = ["core_item_ids", "core_items_at_s", "core_items_team_gold_diff", "core_items_lane_gold_diff"]
    uneven = pl.any_horizontal(pl.col(name).list.len() != pl.col("core_items") for name in core)
    twice = pl.col("core_item_ids").list.n_unique() < pl.col("core_items")
    unordered = pl.col("core_items_at_s").list.diff().list.min() < 0
    odd = pl.col("completed_item_ids").list.len() != pl.col("completed_items_at_s").list.len()
    return features.filter(uneven | twice | unordered.fill_null(value=False) | odd).select(*PARTICIPANT, *core)


@breaking_rows(of=Patches, blocking=False)
def items_of_the_patch_are_at_hand(patches: dy.LazyFrame[Patches]) -> pl.LazyFrame:
    """Data Dragon's items are at hand for the patch, or an earlier one. Without any, no item counts as completed."""
    return patches.filter(pl.col("version_is").is_in(["none", "later"])).select(
        "patch", "matches_played", "first_day", "last_day", "data_dragon_version", "version_is"
    )


@breaking_rows(of=ItemBuildStats)
def builds_add_up(stats: dy.LazyFrame[ItemBuildStats]) -> pl.LazyFrame:
    """Builds of one length share the games that reached it: no more than all, and of each no more won than played."""
    cell = ["patch", "queue_group", "position", "champion_id", "items"]
    shares = stats.select(*cell, "build", "games", "wins", shared=pl.col("pick_share").sum().over(cell))
    return shares.filter((pl.col("shared") > 1 + 1e-9) | (pl.col("wins") > pl.col("games")))


@breaking_rows(of=FirstObjectiveStats)
def somebody_wins(stats: dy.LazyFrame[FirstObjectiveStats]) -> pl.LazyFrame:
    """Win rates lie in their intervals, and no more games are won than played."""
    inside = pl.col("win_rate").is_between(pl.col("win_rate_low"), pl.col("win_rate_high"))
    return stats.filter(~inside | (pl.col("wins") > pl.col("games")))


@breaking_rows(of=PatternTests)
def q_values_are_of_one_family(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """q is Benjamini and Hochberg's over all tests of the patch; what is found has a q of 0.05 or less.

    So it is of the discovery half alone. What could not be tested counts as a p of 1, and has no q.
    """
    over = tests.with_columns(
        rows=pl.len().over("patch"),
        expected_q=_expected_q("p_value"),
        expected_half_q=_expected_q("discovery_p_value"),
    )
    is_low = (pl.col("q_value") <= LEVEL).fill_null(value=False)
    wrong = _differ("q_value", "expected_q") | _differ("discovery_half_q_value", "expected_half_q")
    wrong |= pl.col("tests").ne_missing(pl.col("rows"))
    return over.filter(wrong | pl.col("is_found").ne_missing(is_low)).select(
        "patch", "pattern_id", "p_value", "q_value", "expected_q", "discovery_half_q_value", "expected_half_q", "tests",
        "rows", "is_found",
    )  # fmt: skip


def _expected_q(name: str) -> pl.Expr:
    """The q-value of each p-value: the least of p * tests / rank among the tests with as high a p, or a higher one."""
    p = pl.col(name).fill_null(1.0)
    at_least = (p * pl.len() / p.rank("max")).over("patch")
    return pl.when(pl.col(name).is_not_null()).then(at_least.cum_min().over("patch", order_by=p, descending=True))


def _differ(told: str, expected: str) -> pl.Expr:
    """Whether two columns differ by more than one part in 10⁹, or only one of them is null."""
    apart = (pl.col(told) - pl.col(expected)).abs() > 1e-9 * pl.col(expected)
    return apart.fill_null(pl.col(told).is_null() != pl.col(expected).is_null())


@breaking_rows(of=PatternTests)
def what_replicates_was_found_by_one_half(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """Only what the discovery half finds by itself was tried on the held out half; its sign and p tell whether it held.

    It holds where the effect has the same sign and its p there is 0.05 or less. What was not tried, or could not be, is
    neither held nor not.
    """
    is_tried = (pl.col("discovery_half_q_value") <= LEVEL).fill_null(value=False)
    same_sign = pl.col("held_out_effect").sign() == pl.col("discovery_effect").sign()
    held = pl.when(pl.col("held_out_p_value").is_not_null()).then(
        same_sign.fill_null(value=False) & (pl.col("held_out_p_value") <= LEVEL)
    )
    untried = ~is_tried & pl.any_horizontal(pl.col("held_out_effect", "held_out_p_value").is_not_null())
    of_nothing = pl.col("discovery_half_q_value").is_not_null() & pl.col("discovery_effect").is_null()
    return tests.filter(untried | of_nothing | pl.col("is_replicated").ne_missing(held)).select(
        "patch", "pattern_id", "discovery_effect", "discovery_half_q_value", "held_out_effect", "held_out_p_value",
        "is_replicated",
    )  # fmt: skip


@breaking_rows(of=DiscoveredPatterns)
def what_is_found_was_tested(
    patterns: dy.LazyFrame[DiscoveredPatterns], tests: dy.LazyFrame[PatternTests]
) -> pl.LazyFrame:
    """The patterns are the tests that count as found, each once."""
    found = tests.filter("is_found").select("patch", "pattern_id", tested=pl.lit(value=True))
    own = patterns.select("patch", "pattern_id", told=pl.lit(value=True))
    return own.join(found, on=["patch", "pattern_id"], how="full", coalesce=True).filter(
        pl.col("tested").is_null() | pl.col("told").is_null()
    )


@breaking_rows(of=Items)
def what_items_are_made_of_is_listed(items: dy.LazyFrame[Items]) -> pl.LazyFrame:
    """Components, and what turns into an item, are items of the same version."""
    known = items.select("version", part="item_id").unique()
    parts = items.select("version", "item_id", part="from_ids").explode("part").drop_nulls("part")
    turned = items.select("version", "item_id", part="transformed_from").drop_nulls("part")
    return pl.concat([parts, turned]).join(known, on=["version", "part"], how="anti")


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
