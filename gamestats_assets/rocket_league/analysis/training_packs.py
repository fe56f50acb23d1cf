"""The catalogue of training packs, and its search.

The packs are public: players made and shared them. The game opens each by its code (Training, Custom Training, Enter
Code). They are in `data/reference/rocket_league/training_packs.csv`, one line per pack: a new pack needs a line and no
code. The list is read on first use. Codes, names and creators are the packs' own; each description says in our words
what is trained, as far as the published lists and the name say so.

A pack has one category, that of its main skill. Custom training puts a ball and one car on the field, so packs for
positioning and rotation are approximations: shadow defence, corners, backboard reads, clearances and positions in front
of the goal count as positioning; ways back into play, boost pads on the way, transitions, and the tasks of the second
and third man count as rotation.

Difficulty runs from 1 to 10. If a published list names a rank for the pack (prejump.com first), `DIFFICULTY_OF_RANK`
gives it. Otherwise it follows the kind of exercise: 3 or 4 for exercises listed as easy or intermediate, 5 for a common
exercise at match pace, 6 or 7 for one that needs advanced control or is listed as hard.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.rocket_league.tables import TrainingPacks
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.settings import shipped

CATEGORIES: tuple[str, ...] = (*SKILLS, "dribbling", "passing", "wall_play", "redirects", "kickoffs", "mixed")
"""Every category of a pack."""

DIFFICULTIES: tuple[int, int] = (1, 10)
"""The lowest and the highest difficulty."""

DIFFICULTY_OF_RANK: dict[str, int] = {
    "bronze": 1,
    "silver": 2,
    "gold": 3,
    "platinum": 5,
    "diamond": 6,
    "champion": 8,
    "grand-champion": 9,
    "supersonic-legend": 10,
}
"""Difficulty of packs published for players of a rank."""


class PackSearchError(GamestatsError):
    """A search for training packs has unknown criteria; the message names the known ones."""


@functools.cache
def training_packs() -> pl.DataFrame:
    """Returns every known pack, by category and difficulty.

    Columns `code` (four hexadecimal groups, unique), `name`, `category` (one of `CATEGORIES`), `difficulty` (1 to 10),
    `description` (what is trained), `creator` (null if no list names one), `tags` (lower case, may be empty).
    """
    schema = {
        "code": pl.String,
        "name": pl.String,
        "category": pl.String,
        "difficulty": pl.Int32,
        "description": pl.String,
        "creator": pl.String,
        "tags": pl.String,
    }
    listed = pl.read_csv(shipped("data", "reference", "rocket_league", "training_packs.csv"), schema=schema)
    return listed.with_columns(pl.col("tags").str.split(";").fill_null(pl.lit([], pl.List(pl.String))))


def known_tags() -> list[str]:
    """Returns every tag, most frequent first."""
    counts = training_packs().get_column("tags").explode().drop_nulls().value_counts()
    return counts.sort("count", "tags", descending=[True, False]).get_column("tags").to_list()


def catalogue() -> dy.LazyFrame[TrainingPacks]:
    """Returns the packs as the table."""
    return TrainingPacks.cast(training_packs().lazy())


def text_of_training_packs() -> str:
    """Returns the text of the packs' file, whose changes make the table stale."""
    return shipped("data", "reference", "rocket_league", "training_packs.csv").read_text(encoding="utf-8")


def find_packs(
    packs: pl.DataFrame,
    *,
    category: str | None = None,
    difficulty: tuple[int, int] | None = None,
    tags: Sequence[str] = (),
    text: str | None = None,
) -> pl.DataFrame:
    """Returns the packs that meet all given conditions, in the order of `packs`, whatever their case.

    Args:
        packs: columns as in `training_packs`.
        category: one of `CATEGORIES`; blanks and hyphens may replace underscores.
        difficulty: lowest and highest difficulty, both included.
        tags: tags that a pack must all have; blanks and hyphens as in a category.
        text: words that must all occur in the name, description, creator, tags or code of a pack.

    Raises:
        PackSearchError: for an unknown category, and if the lowest difficulty is above the highest.
    """
    conditions: list[pl.Expr] = []
    if category is not None:
        conditions.append(pl.col("category") == _known_category(category))
    if difficulty is not None:
        lowest, highest = difficulty
        if lowest > highest:
            raise PackSearchError(
                f"Expected a difficulty as lowest and highest, found {lowest} and {highest}: "
                f"write the lower one first, such as {highest} and {lowest}. "
                f"Packs have difficulties from {DIFFICULTIES[0]} to {DIFFICULTIES[1]}."
            )
        conditions.append(pl.col("difficulty").is_between(lowest, highest))
    conditions += [
        pl.col("tags").list.eval(pl.element().str.to_lowercase()).list.contains(_as_written(tag)) for tag in tags
    ]
    searched = pl.concat_str(
        "code", "name", "description", "creator", pl.col("tags").list.join(" "), separator=" ", ignore_nulls=True
    ).str.to_lowercase()
    conditions += [searched.str.contains(word, literal=True) for word in (text or "").lower().split()]
    return packs.filter(*conditions)


def _known_category(category: str) -> str:
    wanted = _as_written(category)
    if wanted in CATEGORIES:
        return wanted
    near = difflib.get_close_matches(wanted, CATEGORIES, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    raise PackSearchError(
        f"There is no category {category!r} of training packs.{meant} There are: {', '.join(CATEGORIES)}."
    )


def _as_written(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
