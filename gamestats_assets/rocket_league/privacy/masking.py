"""Masked matches: the rows of their files with one or more players masked, as one file.

A replay cannot be edited to leave a player out. Instead, the bronze rows of a match's files replace the files, as a zip
of Parquet files. The rows of the other players stay unchanged.
"""

from __future__ import annotations

import io
import re
import secrets
import zipfile
from collections.abc import Collection, Mapping, Sequence
from datetime import date

import polars as pl

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME, GUEST
from gamestats_assets.rocket_league.source import GAME, MASKED
from gamestats_assets.rocket_league.tables import RawPlayerStats, RawReplays, ReplayEvents, ReplayFigures, ReplayFrames

TABLES: tuple[type[Table], ...] = (RawReplays, RawPlayerStats, ReplayFrames, ReplayEvents, ReplayFigures)
"""Tables in a masked file."""
Rows = Mapping[type[Table], pl.DataFrame]
"""Rows of a match by table."""
# Columns that a player chose or achieved; other players keep theirs.
_OWN = (
    "rank_tier",
    "rank_division",
    "car_name",
    "car_id",
    "car_hitbox",
    "steering_sensitivity",
    *(name for name in RawPlayerStats.column_names() if name.startswith("camera_")),
)
# Columns that both sources have alike.
_BOARD = ("team", "score", "goals", "assists", "saves", "shots")
# With these, anyone can look up the players at ballchasing.
_PUBLIC = ("replay_id", "ballchasing_id")
# Shorter names occur in any title.
_SHORTEST_NAME = 3


def masked(
    rows: Rows, player_ids: Collection[str], names: Collection[str] = (), aliases: Mapping[str, str] | None = None
) -> Rows:
    """Returns a match's rows with players masked: new ids, the same in all rows, and no personal columns.

    The ids of the public replay are removed, too. A shared-screen guest of a masked player, named as `name(1)`, is
    masked as well. The new ids are random, so that two matches do not show whether they have the same forgotten player.

    Args:
        rows: rows of one match.
        player_ids: players to mask; players outside the match are ignored.
        names: the players' names in other matches, which are removed from the title.
        aliases: existing masked ids from other rows of the match.
    """
    stats = rows[RawPlayerStats]
    called = dict(stats.filter(pl.col("player_id").is_in(list(player_ids))).select("player_id", "player_name").rows())
    shared = stats.filter(
        pl.col("player_id").str.starts_with(GUEST),
        pl.any_horizontal(
            pl.lit(False), *(pl.col("player_name").str.starts_with(f"{name}(") for name in called.values())
        ),
    )
    gone = sorted({*players_in(rows) & {*player_ids}, *shared.get_column("player_id")})
    alias = {player_id: f"{FORGOTTEN}{secrets.token_hex(4)}" for player_id in gone} | dict(aliases or {})
    hidden = [*called.values(), *shared.get_column("player_name"), *names]
    frames: dict[type[Table], pl.DataFrame] = {}
    for table, frame in rows.items():
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        frames[table] = frame.with_columns(pl.col(texts).replace(alias)) if alias else frame
    is_gone = pl.col("player_id").is_in(list(alias.values()))
    frames[RawPlayerStats] = frames[RawPlayerStats].with_columns(
        pl.when(is_gone).then(pl.lit(FORGOTTEN_NAME)).otherwise("player_name").alias("player_name"),
        *(pl.when(~is_gone).then(name).alias(name) for name in _OWN),
    )
    frames[RawReplays] = frames[RawReplays].with_columns(
        *(pl.lit(None, pl.String).alias(name) for name in _PUBLIC if gone),
        *(
            pl.col(name).map_elements(lambda text: _without(text, hidden), return_dtype=pl.String)
            for name in ("title", "recorder")
        ),
    )
    return frames


def masked_together(before: Rows, new: Rows, player_ids: Collection[str]) -> Rows:
    """Returns a match's rows merged with those of a new source, with players masked in both.

    A player masked in the first keeps the same id in the second: there it is a player whom the first do not name and
    who has the same scoreboard.
    """
    free: dict[tuple[object, ...], list[str]] = {}
    is_masked = pl.col("player_id").str.starts_with(FORGOTTEN)
    hidden = before[RawPlayerStats].filter(is_masked).unique("player_id").sort("player_id")
    for alias, *board in hidden.select("player_id", *_BOARD).iter_rows():
        free.setdefault((*board,), []).append(alias)
    known, aliases = players_in(before), dict[str, str]()
    players = new[RawPlayerStats].sort(~pl.col("player_id").is_in([*player_ids]), "player_id")
    for player_id, *board in players.select("player_id", *_BOARD).iter_rows():
        if player_id not in known and free.get((*board,)):
            aliases[player_id] = free[(*board,)].pop(0)
    rows = {table: pl.concat([each[table].select(table.column_names()) for each in (before, new)]) for table in TABLES}
    return masked(rows, {*player_ids, *aliases}, aliases=aliases)


def players_in(rows: Rows) -> set[str]:
    """Returns the ids of all players in a match's rows."""
    columns = (
        frame.get_column(name).unique()
        for frame in rows.values()
        for name in frame.columns
        if name.endswith("player_id")
    )
    return {player_id for column in columns for player_id in column if player_id is not None}


def _without(text: str, names: Collection[str]) -> str:
    """Returns a text without names; if a name remains in another spelling, the whole text is replaced."""
    for name in sorted(names, key=len, reverse=True):
        if _bare(name) == _bare(text):
            return FORGOTTEN_NAME
        if len(name) >= _SHORTEST_NAME:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", FORGOTTEN_NAME, text, flags=re.IGNORECASE)
    bare = _bare(text)
    is_left = any(len(_bare(name)) >= _SHORTEST_NAME and _bare(name) in bare for name in names)
    return FORGOTTEN_NAME if is_left else text


def _bare(text: str) -> str:
    """Returns letters and digits only: the game drops characters it has no glyphs for from titles."""
    return re.sub(r"[\W_]", "", text).casefold()


def land_masked(landing: Landing, match_id: str, day: date, rows: Rows) -> LandedFile:
    """Land the rows of a match as the file that replaces all its others."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for table in TABLES:
            part = io.BytesIO()
            rows[table].write_parquet(part, statistics=False)
            # Without timestamps, equal rows make equal files.
            archive.writestr(zipfile.ZipInfo(f"{table.spec.name}.parquet"), part.getvalue())
    payload = packed.getvalue()
    return landing.put(GAME, day, match_id, MASKED, payload, payload, "zip")[0]


def read_masked(content: bytes) -> Rows:
    """Returns the rows of a masked file, in the columns declared now; new columns are null."""
    frames: dict[type[Table], pl.DataFrame] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for table in TABLES:
            frame = pl.read_parquet(io.BytesIO(archive.read(f"{table.spec.name}.parquet")))
            frames[table] = frame.select(
                pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
                for name, dtype in table.schema().items()
            )
    return frames


def masked_rows(landing: Landing, files: Sequence[LandedFile]) -> tuple[LandedFile, Rows]:
    """Returns the masked file of a match that counts, with its rows.

    Of several files it is the one with most forgotten players, then the one with most sources: it was made from the
    others, which are superseded or about to be removed.
    """
    read = [(file, read_masked(landing.read(file))) for file in files]
    return min(read, key=lambda each: (-_forgotten(each[1]), -each[1][RawReplays].height, each[0].content_hash))


def _forgotten(rows: Rows) -> int:
    return sum(player_id.startswith(FORGOTTEN) for player_id in players_in(rows))
