"""Whose rows PostgreSQL shows: the settings of a transaction that say so, and the policies of tables that obey them.

A transaction says whose things it is about by settings `gamestats.own_<column>`, each with ids that have commas between
them. Of a guarded table (`TableSpec.guarded_by`) those who serve are shown the rows whose column has one of these, so
what forgets to ask whose a row is shows nothing of others. Its owner, who publishes, and `gamestats_reader`, in which
people ask their own questions, see all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

_SET = "SELECT set_config('gamestats.' || name, value, true) FROM unnest(%s::text[], %s::text[]) AS s (name, value)"
# In a query of its own, so that a setting is read once and not for every row.
_OWN = "{} = ANY ((SELECT string_to_array(current_setting({}, true), ','))::text[])"


def own_settings(user_id: int | None, players: Iterable[str] = (), matches: Iterable[str] = ()) -> dict[str, str]:
    """The settings by which a transaction is about a user, players and matches, without their `gamestats.`."""
    listed = ",".join(players)
    settings = {"own_player_id": listed, "own_partition_key": listed, "own_match_id": ",".join(matches)}
    return settings if user_id is None else {"own_user_id": f"{user_id}", **settings}


def setting(settings: Mapping[str, str]) -> tuple[LiteralString, list[Any]]:
    """The statement that makes settings until a transaction ends, and what is bound to it."""
    return _SET, [[*settings], [*settings.values()]]


def guard(conn: psycopg.Connection, schema: str, table: str, columns: Sequence[str]) -> None:
    """Show those who serve the rows of a table alone that are theirs by one of some columns; of none: all rows.

    What PostgreSQL splits a table into nobody may then read but by the table.
    """
    named = sql.Identifier(schema, table)
    parts = "SELECT relid::regclass::text, isleaf AND level > 0 FROM pg_partition_tree(%s::regclass)"
    found = conn.execute(parts, [named.as_string(conn)]).fetchall()
    conn.execute(sql.SQL("DROP POLICY IF EXISTS own ON {}").format(named))
    verb = sql.SQL("ENABLE" if columns else "DISABLE")
    for part in [named, *(sql.SQL(name) for name, is_part in found if is_part)]:
        conn.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(part, verb))
    if columns:
        own = [
            sql.SQL(_OWN).format(sql.Identifier(column), sql.Literal(f"gamestats.own_{column}")) for column in columns
        ]
        conn.execute(sql.SQL("CREATE POLICY own ON {} USING ({})").format(named, sql.SQL(" OR ").join(own)))
        # By this the policy is known again: PostgreSQL writes a condition in words of its own.
        comment = sql.Literal(", ".join(columns))
        conn.execute(sql.SQL("COMMENT ON POLICY own ON {} IS {}").format(named, comment))


_UNREAD = """
SELECT schemaname, tablename FROM pg_policies GROUP BY 1, 2
HAVING schemaname = ANY (%s) AND bool_or(policyname = 'own') AND NOT bool_or(policyname = 'read')
"""


def let_read_all(conn: psycopg.Connection, role: str, schemas: Sequence[str]) -> None:
    """Let a role read all rows of the guarded tables of schemas."""
    for schema, table in conn.execute(_UNREAD, [list(schemas)]).fetchall():
        conn.execute(
            sql.SQL("CREATE POLICY read ON {} FOR SELECT TO {} USING (true)").format(
                sql.Identifier(schema, table), sql.Identifier(role)
            )
        )
