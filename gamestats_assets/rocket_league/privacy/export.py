"""Exports all data about a player as one archive."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.entries.declared import UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import EncryptionKeyError, Keys
from gamestats_assets.lakehouse.entries.ops import entering, rows, select
from gamestats_assets.lakehouse.files.local import without_formulas
from gamestats_assets.lakehouse.landing.zone import LandedFile
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.players.identities import parse_player_id
from gamestats_assets.rocket_league.privacy.erasure import files_naming, player_columns
from gamestats_assets.rocket_league.tables import ALL, SNAPSHOTS, MatchFacts, RawPlayerStats, RawReplays, ReplayFrames

_README = """\
What gamestats holds on {player}
================================

entry.json    entered data: name, e-mail address, retention of matches, ranks, training sessions; and every
              consent that was given or withdrawn
tables/       all rows of all tables about the player and the player's matches; as CSV for people and as Parquet for
              programs (positions ten times a second, replay_frames, as Parquet only); other players are "somebody"
tables.json   meaning of the tables and their columns
files.json    list of the received files that name the player
{files}
Rows about other players of the same matches are not here. {why}
"""
_SOMEBODY = "somebody"
_WITHOUT = "Those files are left out: each contains the personal data of all players of the match."
_WITH = "The received files name all players of the match; they are for the player alone."


def export_player(stores: Stores, player: str, to: Path, *, with_files: bool = False) -> dict[str, int]:
    """Write all data about a player to a zip archive.

    Args:
        stores: landing zone, lake and PostgreSQL.
        player: platform and account, such as steam:76561190000000001.
        to: the archive; an existing file is replaced.
        with_files: whether to include the landed files as they are. They contain other players' data too, so only
            people with a right to those may have them; the player's own rows are in the tables anyway.

    Returns:
        Number of rows by table, for tables with rows.

    Raises:
        PlayerIdError: when the text is not a player's id.
        UnknownNameError: when there are no data about the player.
    """
    player_id = parse_player_id(player)
    part = to.with_name(f".{to.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            held = write_player(stores, player_id, archive, with_files=with_files)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return held


def write_player(
    stores: Stores, player_id: str, archive: zipfile.ZipFile, folder: str = "", *, with_files: bool = False
) -> dict[str, int]:
    """Write the contents of `export_player` into an archive.

    Args:
        folder: folder in the archive, ending in /.

    Returns:
        Number of rows by table, for tables with rows.

    Raises:
        UnknownNameError: when there are no data about the player; nothing was written.
    """
    entry = _entry(stores, player_id)
    files = files_naming(stores, player_id)
    held = {table: frame for table in ALL if (frame := _rows_of(stores, table, player_id)).height}
    if RawPlayerStats in held:
        held |= _matches(stores, held[RawPlayerStats])
    if not (entry or files or held):
        raise UnknownNameError(f"Nothing is held on {player_id}.", "player")
    listed = "files/        these files\n" if with_files else ""
    readme = _README.format(player=player_id, files=listed, why=_WITH if with_files else _WITHOUT)
    archive.writestr(f"{folder}README.txt", readme)
    archive.writestr(f"{folder}entry.json", json_text(entry))
    archive.writestr(f"{folder}tables.json", json_text({table.spec.name: _meaning(table) for table in held}))
    archive.writestr(f"{folder}files.json", json_text([_described(file) for file in files]))
    for table, frame in held.items():
        _write_table(archive, folder, table, frame)
    for file in files if with_files else ():
        archive.writestr(f"{folder}files/{file.path}", stores.landing.read(file))
    return {table.spec.name: frame.height for table, frame in held.items()}


def _entry(stores: Stores, player_id: str) -> dict[str, Any]:
    """Returns people's entries; the e-mail address is readable if its encryption key is available."""
    where = {"player_id": player_id}
    with entering(stores.postgres_url, "export") as conn:
        entries = select(conn, "rl_players", where)
        if not entries:
            return {}
        (entry,) = entries
        ranks = rows(conn, "SELECT * FROM ops.rl_ranks WHERE player_id = %s ORDER BY playlist", [player_id])
        sessions = rows(
            conn, "SELECT * FROM ops.training_sessions WHERE player_id = %s ORDER BY completed_at", [player_id]
        )
        looks = select(conn, "rl_looks", where)
        consents = rows(
            conn,
            "SELECT purpose, is_given, text_version, at, by FROM ops.rl_consents WHERE player_id = %s "
            "ORDER BY consent_id",
            [player_id],
        )
    email, note = entry.pop("email_encrypted"), ""
    try:
        email = Keys.of(stores.settings).decrypt(email) if email else None
    except EncryptionKeyError as error:
        email, note = None, f"An address is stored, encrypted, but could not be read: {error}"
    more = {"ranks": ranks, "training_sessions": sessions, "looks": looks, "consents": consents}
    return {**entry, "email": email, "email_note": note, **more}


def _rows_of(stores: Stores, table: type[Table], player_id: str) -> pl.DataFrame:
    columns = player_columns(table)
    # The entry has all of people's entries.
    if not columns or table in SNAPSHOTS:
        return pl.DataFrame(schema=table.schema())
    if table.spec.partitioned_by == "player_id":
        # Tables by tracked player are about that player, even where other players are named for comparison.
        of_player = pl.col("player_id") == player_id
    else:
        of_player = pl.any_horizontal(pl.col(columns) == player_id)
    frame = stores.lake.scan(table).filter(of_player).sort(table.primary_key()).collect()
    others = [
        pl.when(pl.col(name) != player_id).then(pl.lit(_SOMEBODY)).otherwise(name).alias(name) for name in columns
    ]
    return frame.with_columns(others)


def _matches(stores: Stores, own: pl.DataFrame) -> dict[type[Table], pl.DataFrame]:
    """Returns the player's matches; title and recorder, which name the replay's owner, only if they name the player."""
    called = {*own.get_column("player_name")}
    frames: dict[type[Table], pl.DataFrame] = {}
    for table in (RawReplays, MatchFacts):
        rows = stores.lake.scan(table).join(own.lazy().select("match_id").unique(), on="match_id", how="semi")
        frame = rows.sort(table.primary_key()).collect()
        if "recorder" in frame.columns:
            names = pl.concat_str(pl.col("title", "recorder").fill_null(""), separator="\n")
            is_own = names.str.contains_any(sorted(called))
            frame = frame.with_columns(pl.when(is_own).then(name).alias(name) for name in ("title", "recorder"))
        if frame.height:
            frames[table] = frame
    return frames


def _write_table(archive: zipfile.ZipFile, folder: str, table: type[Table], frame: pl.DataFrame) -> None:
    part = io.BytesIO()
    frame.write_parquet(part)
    archive.writestr(f"{folder}tables/{table.spec.name}.parquet", part.getvalue(), zipfile.ZIP_STORED)
    if table is not ReplayFrames:
        flat = frame.with_columns(
            pl.col(name).map_elements(lambda values: json.dumps(values.to_list()), return_dtype=pl.String)
            for name, dtype in frame.schema.items()
            if isinstance(dtype, pl.List)
        )
        archive.writestr(f"{folder}tables/{table.spec.name}.csv", without_formulas(flat).write_csv())


def _meaning(table: type[Table]) -> dict[str, Any]:
    return {"table": table.description(), "columns": dict(table.descriptions())}


def _described(file: LandedFile) -> dict[str, str]:
    return {"day": file.day, "match_id": file.unit_id, "kind": file.kind, "hash": file.content_hash, "path": file.path}


def json_text(value: dict[str, Any] | Sequence[Any]) -> str:
    """Returns a value as indented JSON."""
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)
