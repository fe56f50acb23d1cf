"""Finds texts in everything that is stored: in files of a folder or an object store, and in PostgreSQL.

It serves the erasure of personal data, and its proof. Files are searched as bytes and by their content, because pages
of a Parquet file hide values from a search for bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl
from psycopg import errors, sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.files.storage import storage
from gamestats_assets.lakehouse.landing.zone import UnreadableContentError, decompressed
from gamestats_assets.lakehouse.postgres.server import connect

_TABLES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2
"""


class Sought:
    """Texts to search for, as whole words and ignoring case.

    >>> Sought(["hawk"]).is_in(b'"name":"Hawk"'), Sought(["hawk"]).is_in(b"hawkeye")
    (True, False)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text.strip()}))
        spelled = "|".join(map(re.escape, self.texts))
        self.pattern = rf"(^|\W)({spelled})(\W|$)"
        """A pattern for PostgreSQL (`~*`), and with a leading (?i) for Polars."""
        self._in_bytes = re.compile(
            rb"(?<!\w)(?:" + b"|".join(re.escape(form) for text in self.texts for form in _forms(text)) + rb")(?!\w)",
            re.IGNORECASE,
        )

    def is_in(self, content: bytes | str) -> bool:
        """Whether a content contains one of them, in any text encoding."""
        found = self._in_bytes.search(content.encode(errors="replace") if isinstance(content, str) else content)
        return bool(self.texts) and found is not None


def _forms(text: str) -> set[bytes]:
    escaped = json.dumps(text)[1:-1]
    forms = {text.encode(), text.encode("utf-16-le"), escaped.encode(), json.dumps(escaped)[1:-1].encode()}
    with suppress(UnicodeEncodeError):
        forms.add(text.encode("cp1252"))
    return forms


def paths_under(root: str, options: Mapping[str, str] | None = None) -> list[str]:
    """Paths of all files under a folder or URL, including hidden ones; on a disk also of folders, with a final `/`."""
    if "://" not in root:
        base = Path(root)
        paths = (f"{path.relative_to(base).as_posix()}{'/' * path.is_dir()}" for path in base.rglob("*"))
        return sorted(paths)
    return sorted(storage(root, options).names(""))


def contents_under(root: str, options: Mapping[str, str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Paths (see `paths_under`) and contents of all files; folders have an empty content.

    Files that disappear in the meantime are skipped.
    """
    store = storage(root, options)
    for path in paths_under(root, options):
        try:
            yield path, b"" if path.endswith("/") else store.read(path)
        except FileNotFoundError:
            continue


def files_with(
    root: str,
    sought: Sought,
    options: Mapping[str, str] | None = None,
    *,
    inside: Callable[[bytes], bool] = lambda content: False,
) -> list[str]:
    """Paths of files and folders under a folder or URL whose name or content contains one of the texts.

    Args:
        root: folder or URL.
        sought: the texts.
        options: options of the object store.
        inside: returns whether other contents than text and Parquet contain one of them.
    """
    return [
        path
        for path, content in contents_under(root, options)
        if sought.is_in(path) or _holds(sought, content) or inside(content)
    ]


def _holds(sought: Sought, content: bytes) -> bool:
    with suppress(UnreadableContentError):
        content = decompressed(content)
    if sought.is_in(content):
        return True
    if content.startswith(b"PAR1"):
        return _parquet_holds(sought, content)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(sought.is_in(name) or _holds(sought, archive.read(name)) for name in archive.namelist())
    return False


def _parquet_holds(sought: Sought, content: bytes) -> bool:
    if not sought.texts:
        return False
    schema = pl.read_parquet_schema(io.BytesIO(content))
    texts = [name for name, dtype in schema.items() if dtype == pl.String]
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    values = pl.read_parquet(io.BytesIO(content), columns=[*texts, *nested])
    found = pl.col(texts).unique().str.contains(f"(?i){sought.pattern}").any() if texts else pl.lit(False)
    return any(values.select(found).row(0)) or any(sought.is_in(values.select(name).write_json()) for name in nested)


def rows_with(url: SecretStr | str, sought: Sought, schemas: Collection[str] | None = None) -> dict[str, int]:
    """PostgreSQL's tables and column statistics that contain one of the texts, each with its number of rows.

    The number is -1 for tables that this user may not read.

    Args:
        url: PostgreSQL.
        sought: the texts.
        schemas: schemas to search; None means all.
    """
    counts: dict[str, int] = {}
    if not sought.texts:
        return counts
    with connect(url) as conn:
        for schema, table in conn.execute(_TABLES).fetchall():
            if schemas is not None and schema not in schemas:
                continue
            query = sql.SQL("SELECT count(*) FROM {} AS t WHERE t::text ~* %s").format(sql.Identifier(schema, table))
            try:
                (count,) = conn.execute(query, [sought.pattern]).fetchone() or (0,)
            except errors.InsufficientPrivilege:
                count = -1
            if count:
                counts[f"{schema}.{table}"] = count
        query = "SELECT schemaname, tablename, attname FROM pg_stats AS t WHERE t::text ~* %s ORDER BY 1, 2, 3"
        for place in conn.execute(query, [sought.pattern]).fetchall():
            if schemas is not None and place[0] not in schemas:
                continue
            counts[f"statistics of {'.'.join(place)}"] = 1
    return counts
