"""Row security of published tables: a transaction's settings say whose rows it may see, and policies enforce it.

The settings are `gamestats.own_<column>`, each a list of ids separated by commas. In a guarded table
(`TableSpec.guarded_by`), the serving role sees only rows whose column has one of these ids, so code that forgets to
filter by owner shows nothing of others. The table's owner, who publishes, and `gamestats_reader`, which runs people's
own queries, see all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

_SET = "SELECT set_config('gamestats.' || name, value, true) FROM unnest(%s::text[], %s::text[]) AS s (name, value)"
# In a subquery, so that the setting is read once and not for every row.
_OWN = "{} = ANY ((SELECT string_to_array(current_setting({}, true), ','))::text[])"


def own_settings(user_id: int | None, players: Iterable[str] = (), matches: Iterable[str] = ()) -> dict[str, str]:
    """The settings of a transaction for a user, players and matches, without the prefix `gamestats.`."""
    listed = ",".join(players)
    settings = {"own_player_id": listed, "own_partition_key": listed, "own_match_id": ",".join(matches)}
    return settings if user_id is None else {"own_user_id": f"{user_id}", **settings}


def setting(settings: Mapping[str, str]) -> tuple[LiteralString, list[Any]]:
    """The statement that applies settings until the end of a transaction, and its parameters."""
    return _SET, [[*settings], [*settings.values()]]


def guards(table: sql.Identifier, columns: Sequence[str]) -> list[sql.Composed]:
    """Statements that limit the serving role to rows of a table that belong to the transaction by one of some columns.

    Partitions of a guarded table can only be read through the table.
    """
    if not columns:
        return []
    own = [sql.SQL(_OWN).format(sql.Identifier(column), sql.Literal(f"gamestats.own_{column}")) for column in columns]
    return [
        sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table),
        sql.SQL("CREATE POLICY own ON {} USING ({})").format(table, sql.SQL(" OR ").join(own)),
    ]


_UNREAD = """
SELECT schemaname, tablename FROM pg_policies GROUP BY 1, 2
HAVING schemaname = ANY (%s) AND bool_or(policyname = 'own') AND NOT bool_or(policyname = 'read')
"""


def let_read_all(conn: psycopg.Connection, role: str, schemas: Sequence[str]) -> None:
    """Lets a role read all rows of the guarded tables in some schemas."""
    for schema, table in conn.execute(_UNREAD, [list(schemas)]).fetchall():
        conn.execute(
            sql.SQL("CREATE POLICY read ON {} FOR SELECT TO {} USING (true)").format(
                sql.Identifier(schema, table), sql.Identifier(role)
            )
        )
