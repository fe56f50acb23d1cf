"""How a tracked player plays, how that compares, and what to train, as one HTML file that needs no network.

The charts are drawn in the browser by Plotly, whose code is in the file; colours follow the reader's light or dark
setting, and what a chart shows stands beside it in words or numbers. Everything is told per playlist; what rests on
simulated matches is labelled in every section. Others are told by their rank and figures alone.

Nearly every number is one of a table's. Made here are the weekly means of skills (see skills.py) and features with
their 90% intervals, by the spread between matches of one player as the cohort knows it for skills, and by Student's
distribution of the player's own matches for features; and where the player is on the field, by the time of frames.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files import write_whole
from gamestats_assets.lakehouse.set_aside import set_aside
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.ranks import HIGHEST_TIER, LOWEST_TIER, kept, last_tier, rank_name, rank_range
from gamestats_assets.rocket_league.replay_figures import THIRD_Y_UU
from gamestats_assets.rocket_league.skills import SKILL, match_skills
from gamestats_assets.rocket_league.tables import (
    PlayerComparison,
    PlayerMatchFeatures,
    RankCohorts,
    RankModels,
    RankPredictions,
    RawPlayerStats,
    ReplayFrames,
    RlRanks,
    TrackedPlayers,
    TrainingProgress,
    TrainingRecommendations,
    TrainingSessions,
    Users,
    Weaknesses,
)
from gamestats_assets.rocket_league.tables.gold import SKILLS

TEMPLATE = "report.html.j2"
CELL_UU = 256.0
"""Side of a cell of the heat map."""
LEVEL = 0.9
"""Of the intervals of weekly means."""
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
# Half of the field, and the depth of a goal behind the line.
_HALF_X, _HALF_Y, _GOAL_DEPTH, _GOAL_X, _CORNER = 4096.0, 5120.0, 880.0, 893.0, 1152.0
_LANE_X_UU = _HALF_X / 3
THIRDS = ("own third", "middle third", "opponents' third")
LANES = ("left", "middle", "right")
"""As seen by who looks at the opponents' goal."""

Row = Mapping[str, Any]
Figure = dict[str, Any]
Key = tuple[bool, str]
"""Whether it is simulated, and the playlist."""


class NoReportError(GamestatsError):
    """The player has not agreed to the analysis, or is not in the tables yet."""


class _Main(NamedTuple):
    feature: str
    title: str
    scale: float
    unit: str


_MAIN: Mapping[str, _Main] = {
    "aerials": _Main("high_air_share", "Time high in the air", 100, "% of the time"),
    "saves": _Main("save_share", "Shots against that are saved", 100, "% of the shots"),
    "positioning": _Main("behind_ball_share", "Time goal-side of the ball", 100, "% of the time"),
    "rotation": _Main("role_imbalance", "Distance from an even rotation", 100, "% of the time"),
    "shooting": _Main("shots_per_minute", "Shots on goal", 1, "a minute"),
}
"""What is followed over time of a skill that nothing measures."""
_UNIT = "standard deviations"


class Week(NamedTuple):
    """A mean over the matches of a week, with its interval; `start` is its Monday, UTC."""

    start: date
    value: float
    low: float | None
    high: float | None
    matches: int


@dataclass(frozen=True, slots=True)
class Course:
    """A skill, or the main feature of one, week by week."""

    skill: str
    title: str
    unit: str
    is_skill: bool
    weeks: Sequence[Week]

    @property
    def by_start(self) -> Mapping[date, Week]:
        """The weeks by their Mondays."""
        return {week.start: week for week in self.weeks}

    @property
    def words(self) -> str:
        """From where to where it went."""
        first, last = self.weeks[0], self.weeks[-1]
        if first is last:
            return f"{self.told(first)} in the week of {first.start}, the only one."
        return f"{self.told(first)} in the week of {first.start}, {self.told(last)} in that of {last.start}."

    def told(self, week: Week) -> str:
        """A week's mean and interval, in words."""
        form = "+.2f" if self.is_skill else ".1f" if self.unit.startswith("%") else ".2f"
        ends = "" if week.low is None or week.high is None else f" ({week.low:{form}} to {week.high:{form}})"
        return f"{week.value:{form}}{ends}"


@dataclass(frozen=True, slots=True)
class Field:
    """Where the player is while play is on, seen from the own goal.

    Attributes:
        cells: share of the time by column and row of the heat map, counted from the middle.
        zones: share of the time by third and lane.
        seconds: the time.
        matches: in which it was spent.
    """

    cells: Mapping[tuple[int, int], float]
    zones: Mapping[tuple[str, str], float]
    seconds: float
    matches: int

    def of(self, name: str) -> float:
        """Share of the time in a third or lane."""
        return sum(share for zone, share in self.zones.items() if name in zone)


@dataclass(frozen=True, slots=True)
class Playlist:
    """Everything that is told of a playlist; tables that have no row of it give None or nothing."""

    name: str
    playlist: str
    is_simulated: bool
    matches: int
    replays: int
    days: int
    first_day: date
    last_day: date
    prediction: Row | None
    skills: Sequence[Row]
    training: Sequence[Row]
    nearest: Mapping[bool, Sequence[Row]]
    cohorts: Sequence[Row]
    model: Row | None
    courses: Sequence[Course]
    weeks: Sequence[date]
    ranks: Mapping[date, int]
    sessions: Sequence[Row]
    field: Field | None
    figures: Mapping[str, Figure]

    @property
    def weak(self) -> list[Row]:
        """Its weaknesses, the worst first."""
        return sorted((row for row in self.skills if row["is_weakness"]), key=lambda row: row["percentile"])

    @property
    def refused(self) -> list[Row]:
        """Skills that nothing is said of."""
        return [row for row in self.skills if row["state"] == "refused"]

    @property
    def measured(self) -> list[Row]:
        """The other ones."""
        return [row for row in self.skills if row["state"] == "measured"]


def write_report(path: Path, lake: Lake, entry: Row) -> None:
    """Write the report.

    Args:
        path: of the HTML file; its folder is made where it is missing.
        lake: holds the tables.
        entry: of the player, as `players.tracked` gives it.

    Raises:
        NoReportError: when nothing may be made of the player, or nothing is made yet; the message says what to do.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    _refuse_unready(lake, entry)
    player_id = entry["player_id"]
    of_player = pl.col("player_id") == player_id
    tracked = lake.scan(TrackedPlayers).filter(of_player).collect()
    users = lake.scan(Users, [player_id]).collect().to_dicts()
    sessions = lake.scan(TrainingSessions).filter(of_player).sort("completed_at", "training_session_id").collect()
    told = _rows(lake, TrainingRecommendations, player_id)
    playlists = _playlists(lake, player_id, tracked, sessions.to_dicts())
    environment = Environment(
        loader=PackageLoader("gamestats_assets.rocket_league", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": "{:,.0f}".format, "rate": _rate, "rank": rank_words, "number": _number, "hours": _hours,
        "matches": lambda count: _plural(count, "match", "matches"), "shortened": shortened, "words": _feature_words,
        "days": lambda count: _plural(count, "day"), "tier": rank_name,
    }  # fmt: skip
    page = environment.get_template(TEMPLATE).render(
        player=entry,
        user=users[0] if users else None,
        tracked=tracked.row(0, named=True),
        set_aside=set_aside(lake, RawPlayerStats, PlayerMatchFeatures, of_player).words("match", "matches"),
        tiles=list(_tiles(users, playlists)),
        playlists=playlists,
        kinds=[
            (kind, [row for row in told if row["is_simulated"] == kind])
            for kind in dict.fromkeys([playlist.is_simulated for playlist in playlists])
        ],
        sessions=sessions.to_dicts(),
        rank_range=rank_range,
        thirds=THIRDS,
        lanes=LANES,
        figures=[figure for playlist in playlists for figure in playlist.figures.values()],
        plotly_js=Markup(get_plotlyjs()),
    )
    write_whole(path, page)


def _refuse_unready(lake: Lake, entry: Row) -> None:
    player_id = entry["player_id"]
    if entry["consented_at"] is None:
        raise NoReportError(
            f"{player_id} has not agreed to the analysis, so that nothing is made of the player alone. With the "
            f"player's consent: gamestats rocket-league track {player_id} --consent, then gamestats materialize"
        )
    if lake.scan(TrackedPlayers).filter(pl.col("player_id") == player_id).head(1).collect().is_empty():
        raise NoReportError(f"The tables of {player_id} are not made yet: gamestats materialize")


def shortened(player_id: str) -> str:
    """What tells another player from others without naming him: on some platforms the account is a name.

    >>> shortened("steam_76561190000000001"), shortened("ps4_darko_oklm")
    ('steam …0001', 'ps4')
    """
    platform, _, account = player_id.partition("_")
    return f"{platform} …{account[-4:]}" if re.fullmatch(r"[0-9a-f]{12,}", account) else platform


def _rows(lake: Lake, table: type[Table], player_id: str) -> list[dict[str, Any]]:
    return lake.scan(table, [player_id]).sort(table.primary_key()).collect().to_dicts()


def _tiles(users: Sequence[Row], playlists: Sequence[Playlist]) -> Iterator[tuple[str, str, str]]:
    """Name, value, and what else there is to it."""
    # What is simulated counts only where nothing else is there.
    counted = [each for each in playlists if not each.is_simulated] or playlists
    tier = users[0]["current_rank_tier"] if users else None
    yield "Highest rank", rank_name(tier) if tier else "unknown", "in any playlist, as known now"
    matches, when = sum(each.matches for each in counted), "none is kept yet"
    if counted:
        when = f"{min(each.first_day for each in counted)} to {max(each.last_day for each in counted)}"
    yield "Matches", f"{matches:,}", when
    measured = [each for each in counted if each.measured]
    skills = sum(len(each.measured) for each in measured)
    yield "Skills measured", f"{skills}", f"in {len(measured)} of {_plural(len(counted), 'playlist')}"
    weak = [row["skill"] for each in counted for row in each.weak]
    if measured:
        yield "Weaknesses", f"{len(weak)}", ", ".join(dict.fromkeys(weak)) or "none beyond chance"
    else:
        yield "Weaknesses", "unknown", "no skill is measured yet"


# --------------------------------------------------------------------------- words


def _rate(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _number(value: float | None, form: str = "+.2f") -> str:
    return "–" if value is None else format(value, form)


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"


def _plural(count: int, name: str, plural: str | None = None) -> str:
    return f"{count:,} {name if count == 1 else plural or f'{name}s'}"


def _feature_words(name: str) -> str:
    return name.replace("_uu", "").replace("_", " ")


def rank_words(tier: float | None) -> str:
    """A rank on the scale in which each is as wide as 1 and stands in the middle.

    >>> rank_words(16.4), rank_words(22.5), rank_words(None)
    ('Champion I (16.4)', 'Supersonic Legend (22.5)', 'unknown')
    """
    if tier is None:
        return "unknown"
    nearest = min(max(math.floor(tier + 0.5), LOWEST_TIER), HIGHEST_TIER)
    return f"{rank_name(nearest)} ({tier:.1f})"


# --------------------------------------------------------------------------- what is told of each playlist


def _playlists(lake: Lake, player_id: str, tracked: pl.DataFrame, sessions: Sequence[Row]) -> list[Playlist]:
    """Every playlist with matches that are kept, the most played first."""
    own = lake.scan(PlayerMatchFeatures).filter(pl.col("player_id") == player_id)
    features = kept(own, tracked.lazy()).sort("started_at", "match_id").collect()
    if features.is_empty():
        return []
    ranks = lake.scan(RlRanks).filter(pl.col("player_id") == player_id).collect()
    names = features.get_column("playlist").unique().to_list()
    cohorts = lake.scan(RankCohorts).filter(pl.col("playlist").is_in(names)).collect()
    models = lake.scan(RankModels).filter(pl.col("playlist").is_in(names)).collect().to_dicts()
    skills = match_skills(features.lazy(), cohorts.lazy(), ranks.lazy()).collect()
    fields = _fields(lake, player_id, features)
    tables = (Weaknesses, RankPredictions, TrainingProgress, PlayerComparison)
    known = {table: _by_playlist(_rows(lake, table, player_id)) for table in tables}
    counted = (
        features.group_by("is_simulated", "playlist")
        .agg(
            matches=pl.len(),
            replays=(pl.col("stats_source") == "replay").sum(),
            days=pl.col("match_date").n_unique(),
            first_day=pl.col("match_date").min(),
            last_day=pl.col("match_date").max(),
        )
        .sort("matches", "is_simulated", "playlist", descending=[True, False, False])
    )
    found: list[Playlist] = []
    for number, row in enumerate(counted.iter_rows(named=True), 1):
        key = row["is_simulated"], row["playlist"]
        of_kind = (pl.col("is_simulated") == key[0]) & (pl.col("playlist") == key[1])
        measured = sorted(known[Weaknesses].get(key, []), key=lambda each: SKILLS.index(each["skill"]))
        prediction = next(iter(known[RankPredictions].get(key, [])), None)
        here = features.filter(of_kind)
        of_cohort = cohorts.filter(of_kind)
        courses = _courses(here, skills.filter(of_kind), of_cohort)
        weekly = here.group_by(_week()).agg(last_tier()).sort("week")
        given = dict(weekly.drop_nulls("rank_tier").iter_rows())
        parts = {
            "prediction": prediction, "skills": measured, "courses": courses, "ranks": given,
            "weeks": weekly.get_column("week").to_list(), "sessions": sessions, "field": fields.get(key),
            "training": known[TrainingProgress].get(key, []),
            "nearest": {
                is_next: [each for each in known[PlayerComparison].get(key, []) if each["of_next_rank"] == is_next]
                for is_next in (False, True)
            },
            "cohorts": list(_cohorts(measured, of_cohort)),
            "model": _model(prediction, [each for each in models if (each["is_simulated"], each["playlist"]) == key]),
        }  # fmt: skip
        name = f"p{number}"
        found.append(Playlist(name=name, **row, **parts, figures=_figures(name, key, parts)))
    return found


def _by_playlist(rows: Sequence[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault((row["is_simulated"], row["playlist"]), []).append(row)
    return found


def _cohorts(skills: Sequence[Row], cohorts: pl.DataFrame) -> Iterator[Row]:
    """The cohorts that skills are measured against."""
    for row in skills:
        if row["state"] == "measured":
            of_skill = (pl.col("feature") == f"{SKILL}{row['skill']}") & (pl.col("rank_tier") == row["rank_tier"])
            yield from cohorts.filter(of_skill).with_columns(skill=pl.lit(row["skill"])).to_dicts()


def _model(prediction: Row | None, models: Sequence[Row]) -> Row | None:
    """The model that the prediction is of, else the one that serves."""
    version = None if prediction is None else prediction["model_version"]
    asked = [row for row in models if row["version"] == version] or [row for row in models if row["state"] == "served"]
    return next(iter(asked), None)


def _week() -> pl.Expr:
    return pl.col("started_at").dt.date().dt.truncate("1w").alias("week")


def _courses(features: pl.DataFrame, skills: pl.DataFrame, cohorts: pl.DataFrame) -> list[Course]:
    """Skills by week, and where nothing measures one, its main feature; what is known in no match is left out."""
    from scipy import stats

    found: list[Course] = []
    for skill in SKILLS:
        values = skills.filter(pl.col("skill") == skill)
        main = _MAIN[skill]
        if values.height:
            tier = values.get_column("rank_tier")[0]
            known = cohorts.filter(pl.col("feature") == f"{SKILL}{skill}", pl.col("rank_tier") == tier)
            within = known.get_column("within_spread").to_list()
            reach = _Z * within[0] if within and within[0] is not None else None
            course = Course(skill, skill.capitalize(), _UNIT, True, _weekly(values, reach))
        else:
            values = features.select("started_at", value=main.scale * pl.col(main.feature)).drop_nulls("value")
            if values.is_empty():
                continue
            own = values.select(pl.col("value").sort().std()).item()
            # Matches that are all alike do not tell what is chance.
            reach = float(stats.t.ppf((1 + LEVEL) / 2, values.height - 1)) * own if own else None
            # Shares are told in per cent, all else per minute.
            most = 100.0 if main.unit.startswith("%") else math.inf
            course = Course(skill, f"{main.title} ({skill})", main.unit, False, _weekly(values, reach, 0.0, most))
        found.append(course)
    return found


def _weekly(values: pl.DataFrame, reach: float | None, least: float = -math.inf, most: float = math.inf) -> list[Week]:
    """Means by week; `reach` is half of the interval of a single match. Intervals end at what is possible."""
    weeks = values.group_by(_week()).agg(mean=pl.col("value").sort().mean(), matches=pl.len()).sort("week")
    return [
        Week(
            start,
            mean,
            None if reach is None else max(mean - reach / matches**0.5, least),
            None if reach is None else min(mean + reach / matches**0.5, most),
            matches,
        )
        for start, mean, matches in weeks.iter_rows()
    ]


# --------------------------------------------------------------------------- where the player is


def _fields(lake: Lake, player_id: str, features: pl.DataFrame) -> dict[Key, Field]:
    """Where the player is in each playlist in which replays were read."""
    read = features.filter(pl.col("stats_source") == "replay")
    if read.is_empty():
        return {}
    ids = read.get_column("match_id").to_list()
    frames = lake.scan(ReplayFrames, read.get_column("match_date").unique().to_list(), ids)
    side = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)
    # Whoever looks along y has x growing to the left.
    right, forward = -side * pl.col("x_uu"), side * pl.col("y_uu")
    third = pl.when(forward < -THIRD_Y_UU).then(0).when(forward <= THIRD_Y_UU).then(1).otherwise(2)
    lane = pl.when(right < -_LANE_X_UU).then(0).when(right <= _LANE_X_UU).then(1).otherwise(2)
    last_x, last_y = math.ceil(_HALF_X / CELL_UU) - 1, math.ceil((_HALF_Y + _GOAL_DEPTH) / CELL_UU) - 1
    seconds = (
        frames.filter(pl.col("player_id") == player_id, "is_live", pl.col("x_uu").is_not_null(), pl.col("step_s") > 0)
        .group_by(
            "match_id",
            column=(right / CELL_UU).floor().cast(pl.Int32).clip(-last_x - 1, last_x),
            row=(forward / CELL_UU).floor().cast(pl.Int32).clip(-last_y - 1, last_y),
            third=third,
            lane=lane,
        )
        .agg(seconds=pl.col("step_s").cast(pl.Float64).sum())
        .collect(engine="streaming")
        .join(read.select("match_id", "is_simulated", "playlist"), on="match_id")
        .sort("match_id", "column", "row", "third", "lane")
    )
    found: dict[Key, Field] = {}
    for (is_simulated, playlist), cells in seconds.group_by("is_simulated", "playlist", maintain_order=True):
        total = float(cells.get_column("seconds").sum())

        def shares(*by: str, cells: pl.DataFrame = cells, total: float = total) -> Iterator[tuple[Any, ...]]:
            return cells.group_by(by, maintain_order=True).agg(pl.col("seconds").sum() / total).iter_rows()

        found[bool(is_simulated), str(playlist)] = Field(
            cells={(column, row): share for column, row, share in shares("column", "row")},
            zones={(THIRDS[third], LANES[lane]): share for third, lane, share in shares("third", "lane")},
            seconds=total,
            matches=cells.get_column("match_id").n_unique(),
        )
    return found


# --------------------------------------------------------------------------- charts


def _figures(name: str, key: Key, parts: Mapping[str, Any]) -> dict[str, Figure]:
    """The charts of a playlist by what they show; none where there is nothing to draw."""
    label = " · simulated" if key[0] else ""
    found: dict[str, Figure] = {}
    if any(row["state"] == "measured" for row in parts["skills"]):
        found["skills"] = _radar(f"{name}-radar", f"Five skills against the cohort{label}", parts["skills"])
    if parts["field"] is not None:
        found["field"] = _heat(f"{name}-heat", f"Where the player is while play is on{label}", parts["field"])
    for course in parts["courses"]:
        sessions = [row for row in parts["sessions"] if row["skill"] == course.skill]
        found[course.skill] = _over_time(f"{name}-{course.skill}", f"{course.title}{label}", course, sessions)
    if parts["ranks"]:
        found["rank"] = _ranks(f"{name}-ranks", f"Rank at the end of the week{label}", parts["ranks"])
    return found


def _figure(name: str, title: str, data: list[Any], **layout: Any) -> Figure:
    return {"id": name, "title": title, "data": data, "layout": layout}


def _radar(name: str, title: str, skills: Sequence[Row]) -> Figure:
    labels = [
        row["skill"].capitalize() + ("" if row["state"] == "measured" else "<br>(not measured)") for row in skills
    ]
    around = [*zip(labels, skills, strict=True), (labels[0], skills[0])]
    is_whole = all(row["state"] == "measured" for row in skills)
    spokes = [
        (label, row[end] if end else None)
        for label, row in zip(labels, skills, strict=True)
        for end in ("percentile_low", "percentile_high", None)
    ]
    data: list[Any] = [
        {
            # Only known places are joined, and a skill that is refused has none.
            **_polar([(label, row["percentile"]) for label, row in around]),
            "name": "Player",
            "mode": "lines+markers",
            "fill": "toself" if is_whole else "none",
            "fillcolor": "--soft",
            "line": {"color": "--series-1", "width": 2},
            "marker": {"color": "--series-1", "size": 9},
            "hovertemplate": "%{theta}: better than %{r:.0f}% of the cohort<extra></extra>",
        },
        {
            **_polar(spokes),
            "name": "90% interval",
            "mode": "lines",
            "opacity": 0.5,
            "line": {"color": "--series-1", "width": 6},
            "hoverinfo": "skip",
        },
        {
            **_polar([(label, 50.0 if row["state"] == "measured" else None) for label, row in around]),
            "name": "Middle of the cohort",
            "mode": "lines",
            "line": {"color": "--quiet", "width": 1.5, "dash": "dot"},
            "hoverinfo": "skip",
        },
    ]
    radial = {"range": [0, 100], "tickvals": [0, 25, 50, 75, 100], "angle": 90, "tickangle": 90, "ticksuffix": "%"}
    angular = {"direction": "clockwise", "rotation": 90, "categoryorder": "array", "categoryarray": labels}
    return _figure(name, title, data, height=380, polar={"radialaxis": radial, "angularaxis": angular})


def _polar(points: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    return {"type": "scatterpolar", "theta": [label for label, _ in points], "r": [value for _, value in points]}


def _heat(name: str, title: str, field: Field) -> Figure:
    columns = range(math.floor(-_HALF_X / CELL_UU), math.ceil(_HALF_X / CELL_UU))
    rows = range(math.floor(-(_HALF_Y + _GOAL_DEPTH) / CELL_UU), math.ceil((_HALF_Y + _GOAL_DEPTH) / CELL_UU))
    shares = [[field.cells.get((column, row)) for column in columns] for row in rows]
    data = [
        {
            "type": "heatmap",
            "x": [(column + 0.5) * CELL_UU for column in columns],
            "y": [(row + 0.5) * CELL_UU for row in rows],
            "z": [[None if share is None else round(100 * share, 4) for share in line] for line in shares],
            "zmin": 0,
            "hoverongaps": False,
            "colorscale": [[0, "--heat-0"], [0.35, "--heat-1"], [1, "--heat-2"]],
            "colorbar": {"thickness": 10, "outlinewidth": 0, "len": 0.6, "ticksuffix": "%"},
            "hovertemplate": "%{z:.2f}% of the time<extra></extra>",
        }
    ]
    line = {"line": {"color": "--pitch", "width": 1.5}, "layer": "above"}
    x, y, cut, goal, deep = _HALF_X, _HALF_Y, _CORNER, _GOAL_X, _HALF_Y + _GOAL_DEPTH
    corners = [
        (-x, -y + cut), (-x + cut, -y), (-goal, -y), (-goal, -deep), (goal, -deep), (goal, -y), (x - cut, -y),
        (x, -y + cut), (x, y - cut), (x - cut, y), (goal, y), (goal, deep), (-goal, deep), (-goal, y), (-x + cut, y),
        (-x, y - cut),
    ]  # fmt: skip
    outline = " L ".join(f"{px:g},{py:g}" for px, py in corners)
    shapes = [
        {"type": "path", "path": f"M {outline} Z", **line},
        {"type": "line", "x0": -x, "x1": x, "y0": 0, "y1": 0, **line},
        {"type": "circle", "x0": -1024, "x1": 1024, "y0": -1024, "y1": 1024, **line},
        *({"type": "line", "x0": -goal, "x1": goal, "y0": at, "y1": at, **line} for at in (-y, y)),
    ]
    said = {"showarrow": False, "x": 0, "font": {"size": 12}}
    notes = [
        {"text": "Own goal", "y": -deep, "yanchor": "top", **said},
        {"text": "Opponents' goal", "y": deep, "yanchor": "bottom", **said},
    ]
    bare = {"showgrid": False, "zeroline": False, "showline": False, "showticklabels": False, "ticks": ""}
    return _figure(
        name, title, data, height=600, shapes=shapes, annotations=notes,
        xaxis={**bare, "range": [-x - 100, x + 100], "constrain": "domain"},
        yaxis={**bare, "range": [-deep - 600, deep + 600], "scaleanchor": "x", "constrain": "domain"},
    )  # fmt: skip


def _over_time(name: str, title: str, course: Course, sessions: Sequence[Row]) -> Figure:
    weeks = course.weeks
    known = [value for week in weeks for value in (week.value, week.low, week.high) if value is not None]
    low, high = min(known), max(known)
    if course.is_skill:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.08 * (high - low) or 0.5
    trained = [row["completed_at"].strftime("%Y-%m-%dT%H:%M:%S") for row in sessions]
    ends = [weeks[0].start.isoformat(), weeks[-1].start.isoformat()]
    line = {"dash": "dot", "width": 1.5, "color": "--quiet"}
    data: list[Any] = []
    if course.is_skill:
        data.append(_line("Mean of the cohort", [*ends], [0, 0], mode="lines", line=line, hoverinfo="skip"))
    if sessions:
        hover = [html.escape(session_words(row), quote=False) for row in sessions]
        data.append(
            _line(
                "Training session", trained, [low - margin / 2] * len(trained), mode="markers", customdata=hover,
                marker={"color": "--series-2", "symbol": "triangle-up", "size": 10},
                hovertemplate="%{customdata}<extra></extra>",
            )
        )  # fmt: skip
    error = {
        "type": "data",
        "symmetric": False,
        "array": [None if week.high is None else week.high - week.value for week in weeks],
        "arrayminus": [None if week.low is None else week.value - week.low for week in weeks],
        "color": "--series-1",
        "thickness": 1.5,
        "width": 3,
    }
    data.append(
        _line(
            "Week, with its 90% interval", [week.start.isoformat() for week in weeks], [week.value for week in weeks],
            mode="lines+markers", error_y=error, line={"color": "--series-1", "width": 1.5},
            marker={"color": "--series-1", "size": 7},
            customdata=[f"{course.told(week)}, {_plural(week.matches, 'match', 'matches')}" for week in weeks],
            hovertemplate="Week of %{x|%Y-%m-%d}: %{customdata}<extra></extra>",
        )
    )  # fmt: skip
    stroke = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    shapes = [
        {**stroke, "x0": at, "x1": at, "line": {"color": "--series-2", "width": 1, "dash": "dot"}} for at in trained
    ]
    return _figure(
        name, title, data, height=270, shapes=shapes, xaxis=_dates([*ends, *trained]),
        yaxis={"range": [low - margin, high + margin], "automargin": True, "title": {"text": course.unit}},
    )  # fmt: skip


def _ranks(name: str, title: str, ranks: Mapping[date, int]) -> Figure:
    tiers = range(max(min(ranks.values()) - 1, LOWEST_TIER), min(max(ranks.values()) + 1, HIGHEST_TIER) + 1)
    weeks = [week.isoformat() for week in ranks]
    hover = [rank_name(tier) for tier in ranks.values()]
    data = [
        _line(
            "Rank", weeks, [*ranks.values()], mode="lines+markers", customdata=hover,
            line={"color": "--series-1", "width": 1.5, "shape": "hv"}, marker={"color": "--series-1", "size": 7},
            hovertemplate="Week of %{x|%Y-%m-%d}: %{customdata}<extra></extra>",
        )
    ]  # fmt: skip
    return _figure(
        name, title, data, height=270, xaxis=_dates(weeks),
        yaxis={
            "range": [tiers[0] - 0.5, tiers[-1] + 0.5], "automargin": True, "tickmode": "array",
            "tickvals": [*tiers], "ticktext": [rank_name(tier) for tier in tiers],
        },
    )  # fmt: skip


def _line(name: str, x: Sequence[str], y: Sequence[float], **more: Any) -> dict[str, Any]:
    return {"type": "scatter", "name": name, "x": [*x], "y": [*y], **more}


def _dates(told: Sequence[str]) -> dict[str, Any]:
    """An axis of the days from the first to the last, with half a week on either side."""
    days = [date.fromisoformat(each[:10]) for each in told]
    first, last = min(days) - timedelta(days=4), max(days) + timedelta(days=4)
    return {
        "type": "date",
        "automargin": True,
        "range": [first.isoformat(), last.isoformat()],
        "tickformat": "%b %-d<br>%Y",
        "nticks": 6,
    }


def session_words(row: Row) -> str:
    """A training session in words: when, how long, in which pack, and how many attempts succeeded."""
    pack = f" in {row['code']}" if row["code"] else ""
    counted = row["attempts"] and row["successes"] is not None
    done = f", {row['successes']:,} of {row['attempts']:,} attempts succeeded" if counted else ""
    return f"{row['completed_at']:%Y-%m-%d}: {row['duration_s'] / 60:.0f} minutes{pack}{done}"
