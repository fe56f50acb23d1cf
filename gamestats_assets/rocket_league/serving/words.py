"""Wording of ranks, players, lengths of time and sessions on pages and in the report."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.analysis.wording import day_words, feature_words, km_h, players_unit
from gamestats_assets.rocket_league.players.identities import written_id
from gamestats_assets.rocket_league.reference.maps import map_name
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import HIGHEST_TIER, LOWEST_TIER, rank_name, rank_range
from gamestats_assets.rocket_league.serving.context import STATS
from gamestats_assets.serving.pages.charts import strip


def rank_words(tier: float | None) -> str:
    """Returns a rank with its number, on a scale on which each rank covers 1 with its number in the middle.

    >>> rank_words(16.4), rank_words(22.5), rank_words(None)
    ('Champion I (16.4)', 'Supersonic Legend (22.5)', 'unknown')
    """
    if tier is None:
        return "unknown"
    nearest = min(max(math.floor(tier + 0.5), LOWEST_TIER), HIGHEST_TIER)
    return f"{rank_name(nearest)} ({tier:.1f})"


def short_rank(tier: int) -> str:
    """Returns a rank in a few letters, for charts.

    >>> short_rank(17), short_rank(19), short_rank(22)
    ('C II', 'GC I', 'SSL')
    """
    *words, last = rank_name(tier).split()
    return "SSL" if tier == HIGHEST_TIER else f"{''.join(word[0] for word in words)} {last}"


_PLATFORMS = {
    "steam": "Steam",
    "epic": "Epic Games",
    "ps4": "PlayStation",
    "ps5": "PlayStation",
    "xbox": "Xbox",
    "switch": "Nintendo Switch",
    "psynet": "Psyonix",
    "qq": "QQ",
}


def platform_words(player_id: str) -> str:
    """Returns the platform of another player's account; the rest stays private, as it is a name on some platforms.

    >>> platform_words("ps4_darko_oklm")
    'PlayStation'
    """
    platform = player_id.partition("_")[0]
    return _PLATFORMS.get(platform, platform)


def rate(share: float | None) -> str:
    """Returns a share in per cent."""
    return "–" if share is None else f"{100 * share:.1f}%"


def figure(value: float | None, form: str = "+z.2f") -> str:
    """Returns a number as text; a dash if there is none."""
    return "–" if value is None else format(value, form).replace("-", "−")


def hours(seconds: float | None) -> str:
    """Returns a length of time in hours, or in minutes.

    >>> hours(5400), hours(1200)
    ('1.5 hours', '20 minutes')
    """
    if seconds is None:
        return "–"
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"


def feature_name(name: str) -> str:
    """Returns the name of a feature for people.

    >>> feature_name("avg_distance_to_ball_uu"), feature_name("saves_per_minute"), feature_name("high_air_share")
    ('average distance to ball', 'saves per minute', 'time high in the air')
    """
    plain = re.sub(r"_(uu_s|uu|s|share)$", "", name).replace("avg_", "average ")
    words = feature_words().get(name)
    return (words and words.name) or plain.replace("_", " ")


def score_words(match: Mapping[str, Any], team: str | None) -> str:
    """Returns the score of a match with the own team's goals first; without an own team, blue's.

    >>> score_words({"score_team_0": 1, "score_team_1": 2}, "orange")
    '2:1'
    """
    goals = ["–" if each is None else str(each) for each in (match["score_team_0"], match["score_team_1"])]
    return ":".join(reversed(goals) if team == "orange" else goals)


def session_words(row: Mapping[str, Any]) -> str:
    """Returns a training session in words: day, length, pack, and successful attempts."""
    pack = f" in {row['pack_name'] or row['code']}" if row["code"] else ""
    counted = row["attempts"] and row["successes"] is not None
    done = f", {row['successes']:,} of {row['attempts']:,} attempts succeeded" if counted else ""
    return f"{day_words(row['completed_at'])}: {row['duration_s'] / 60:.0f} minutes{pack}{done}"


_DIGITS = {"uu": 1, "uu/s": 0, "s": 1}


def stat(value: float | None, name: str, sign: str = "") -> str:
    """Returns a value of a statistic in a unit that players know, optionally with a + sign.

    >>> stat(0.4567, "save_share"), stat(-0.02, "save_share", "+"), stat(1420.4, "avg_speed_uu_s")
    ('45.7%', '−2.0%', '51 km/h')
    """
    if value is None:
        return "–"
    unit = STATS[name].unit
    if unit == "share":
        text = f"{100 * value:{sign}z.1f}%"
    elif unit == "standard deviations":
        text = f"{value:+z.2f}"
    elif unit in _DIGITS:
        factor, shown = players_unit(name)
        text = f"{factor * value:{sign}z,.{_DIGITS[unit]}f} {shown or unit}"
    else:
        text = f"{value:{sign}z,.2f}"
    return text.replace("-", "−")


def stat_name(name: str) -> str:
    """Returns the name of a feature or skill for people.

    >>> stat_name("skill_aerials"), stat_name("saves_per_minute")
    ('Aerials', 'Saves per minute')
    """
    return feature_name(name.removeprefix(SKILL)).capitalize()


def describes(name: str) -> str:
    """Returns the meaning of a feature or skill, in a sentence, without the conditions for null."""
    return re.sub(r"(;|\.) [Nn]ull .*$", ".", STATS[name].description)


WORDS: Mapping[str, Any] = {
    "rank": rank_words,
    "tier": rank_name,
    "rank_range": rank_range,
    "platform": platform_words,
    "account": written_id,
    "rate": rate,
    "figure": figure,
    "hours": hours,
    "km_h": km_h,
    "day_words": day_words,
    "feature": feature_name,
    "playlist": playlist_name,
    "map_name": map_name,
    "score": score_words,
    "session": session_words,
    "stat": stat,
    "stat_name": stat_name,
    "describes": describes,
    "strip": strip,
}
"""Filters of the templates."""
