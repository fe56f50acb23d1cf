"""Where texts stand in all that is stored: in files of a folder or an object store, in PostgreSQL.

For the erasure of what is held on a person, and for the proof of it. Files are looked through as they are, and by what
they hold: pages of a Parquet file hide their values from a search for bytes.
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

from gamestats_assets.lakehouse.landing import UnreadableContentError, decompressed
from gamestats_assets.lakehouse.objects import object_store
from gamestats_assets.lakehouse.postgres import connect

_TABLES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2
"""


class Sought:
    """Texts that are looked for, as whole words, whatever the case of their letters.

    >>> Sought(["hawk"]).is_in(b'"name":"Hawk"'), Sought(["hawk"]).is_in(b"hawkeye")
    (True, False)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text.strip()}))
        spelled = "|".join(map(re.escape, self.texts))
        self.pattern = rf"(^|\W)({spelled})(\W|$)"
        """For PostgreSQL (`~*`), and after (?i) for Polars."""
        self._in_bytes = re.compile(
            rb"(?<!\w)(?:" + b"|".join(re.escape(form) for text in self.texts for form in _forms(text)) + rb")(?!\w)",
            re.IGNORECASE,
        )

    def is_in(self, content: bytes | str) -> bool:
        """Whether one of them stands in a content, in any of the encodings of text."""
        found = self._in_bytes.search(content.encode(errors="replace") if isinstance(content, str) else content)
        return bool(self.texts) and found is not None


def _forms(text: str) -> set[bytes]:
    escaped = json.dumps(text)[1:-1]
    found = {text.encode(), text.encode("utf-16-le"), escaped.encode(), json.dumps(escaped)[1:-1].encode()}
    with suppress(UnicodeEncodeError):
        found.add(text.encode("cp1252"))
    return found


def paths_under(root: str, options: Mapping[str, str] | None = None) -> list[str]:
    """Paths of all files under a folder or URL, hidden ones too; and in a folder those of folders, which end in `/`."""
    if "://" not in root:
        base = Path(root)
        found = (f"{path.relative_to(base).as_posix()}{'/' * path.is_dir()}" for path in base.rglob("*"))
        return sorted(found)
    return sorted(entry["path"] for batch in object_store(root, options or {}).list() for entry in batch)


def contents_under(root: str, options: Mapping[str, str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Path and content of all files, as `paths_under` has them; of folders the content is empty.

    A file that goes meanwhile is passed over.
    """
    store = object_store(root, options or {}) if "://" in root else None
    for path in paths_under(root, options):
        try:
            if store is not None:
                yield path, bytes(store.get(path).bytes())
            else:
                yield path, b"" if path.endswith("/") else Path(root, path).read_bytes()
        except FileNotFoundError:
            continue


def files_with(
    root: str,
    sought: Sought,
    options: Mapping[str, str] | None = None,
    *,
    inside: Callable[[bytes], bool] = lambda content: False,
) -> list[str]:
    """Paths of files and folders under a folder or URL in whose name or content one of the texts stands.

    Args:
        inside: whether a content that is neither text nor Parquet hides one of them.
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
    for name, dtype in pl.read_parquet_schema(io.BytesIO(content)).items():
        if dtype == pl.String:
            values = pl.read_parquet(io.BytesIO(content), columns=[name]).to_series().unique()
            if values.str.contains(f"(?i){sought.pattern}").any():
                return True
        elif dtype.is_nested():
            values = pl.read_parquet(io.BytesIO(content), columns=[name])
            if sought.is_in(values.write_json()):
                return True
    return False


def rows_with(url: SecretStr | str, sought: Sought, schemas: Collection[str] | None = None) -> dict[str, int]:
    """Tables of PostgreSQL, and its statistics of columns, in which one of the texts stands.

    With the number of rows; of tables that this user may not read it is -1.

    Args:
        schemas: those that are looked through; None: every one.
    """
    found: dict[str, int] = {}
    if not sought.texts:
        return found
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
                found[f"{schema}.{table}"] = count
        query = "SELECT schemaname, tablename, attname FROM pg_stats AS t WHERE t::text ~* %s ORDER BY 1, 2, 3"
        for place in conn.execute(query, [sought.pattern]).fetchall():
            if schemas is not None and place[0] not in schemas:
                continue
            found[f"statistics of {'.'.join(place)}"] = 1
    return found
