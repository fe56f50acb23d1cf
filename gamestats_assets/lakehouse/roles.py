"""Who may do what in PostgreSQL: a role per duty, and the URLs by which programs connect as one.

- `gamestats_reader` is for people's questions: it reads every game's schema and what was entered (`ops`).
- `gamestats_serving` is for public answers over HTTP: it reads the games' schemas and nothing else, and of what is
  people's own no row but those that a transaction says it is about (see `own_rows`).
- `gamestats_writer` is for signed-in people: besides, it writes who they are (`accounts`) and what they may enter.

Whoever publishes owns all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import psycopg
from psycopg import errors, sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.embedded_postgres import postgres_url
from gamestats_assets.lakehouse.own_rows import let_read_all
from gamestats_assets.lakehouse.postgres import (
    PostgresError,
    QueryError,
    connect,
    explained,
    lock_definitions,
    parameters,
    url_of,
    with_options,
)
from gamestats_assets.settings import Settings

READER_ROLE = "gamestats_reader"
SERVING_ROLE = "gamestats_serving"
WRITER_ROLE = "gamestats_writer"
ENTERED_SCHEMA = "ops"
ACCOUNTS_SCHEMA = "accounts"

Duty = Literal["gamestats_serving", "gamestats_writer"]
_ENTERED = (
    *("seasons", "divisions", "groups", "teams", "roster_entries", "rounds", "scheduled_matches"),
    *("match_overrides", "tracked_players", "backfills"),
    *("rl_players", "rl_ranks", "training_sessions", "rl_uploads", "rl_objections", "jobs"),
)
"""Tables of `ops` that signed-in people write."""
_LOOKED_UP = (
    *("alembic_version", "backfill_progress", "changes", "entry_history", "matches_discovered"),
    *("round_status_changes", "rl_consents", "rl_looks"),
)
"""Tables of `ops` that are read for signed-in people, besides; the others are not theirs to see."""
_APPENDED = ("audit_log",)
"""Tables of `accounts` to which signed-in people's acts are only added."""


def ensure_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> tuple[str, ...]:
    """Let the role `gamestats_reader` read every table, present and future, of the schemas; see `grant_reader`.

    Role and schemas are made when missing.

    The role cannot log in: it is granted to those who can, `GRANT gamestats_reader TO alice;`.

    Returns:
        What could not be done for want of a privilege, one sentence each, with the remedy.
    """
    with explained(READER_ROLE), conn.transaction():
        lock_definitions(conn)
        for schema in schemas:
            conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        return grant_reader(conn, schemas)


_GRANTS = (
    sql.SQL("GRANT USAGE ON SCHEMA {} TO {}"),
    sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}"),
    sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}"),
)


def grant_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> tuple[str, ...]:
    """Let those read the schemas who may, inside a transaction that holds the definitions' lock.

    A game's schema may be read by `gamestats_reader` and by what serves; `ops` by the first alone.
    """
    games = [schema for schema in schemas if schema != ENTERED_SCHEMA]
    refused = _grant(conn, READER_ROLE, schemas)
    return (*refused, *(_grant(conn, SERVING_ROLE, games) if games else ()))


def _grant(conn: psycopg.Connection, role: str, schemas: Sequence[str]) -> tuple[str, ...]:
    if told := _make(conn, role):
        return (told,)
    refused: list[str] = []
    for schema in schemas:
        try:
            with conn.transaction():
                for grant in _GRANTS:
                    conn.execute(grant.format(sql.Identifier(schema), sql.Identifier(role)))
                if role == READER_ROLE:
                    let_read_all(conn, role, [schema])
        except errors.InsufficientPrivilege as error:
            refused.append(
                f"{role} could not be allowed to read schema {schema}: {error.diag.message_primary}. "
                "Let the schema's owner run: "
                f"GRANT USAGE ON SCHEMA {schema} TO {role}; "
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};"
            )
    return tuple(refused)


def _make(conn: psycopg.Connection, role: str) -> str:
    """Make a role where there is none; what to do where this user may not."""
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        try:
            with conn.transaction():
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        except (errors.DuplicateObject, errors.UniqueViolation):
            pass  # made meanwhile from another database of the same server
        except errors.InsufficientPrivilege:
            return (
                f"The role {role} is missing and this user may not make it. Everything else works. "
                f"Let an administrator run: CREATE ROLE {role} NOLOGIN;"
            )
    return ""


def _let_log_in(conn: psycopg.Connection, role: str) -> None:
    """Let a role itself connect, to a server whose socket is for its owner alone."""
    if conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role]).fetchone() == (True,):
        return
    with conn.transaction():
        lock_definitions(conn)
        _make(conn, role)
        conn.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))


# --- what people ask -----------------------------------------------------------------------------


def reading_url(settings: Settings) -> SecretStr:
    """URL of PostgreSQL for what people ask: as one who reads, never as a superuser.

    That is `gamestats_reader` itself on the embedded server. On another it is the user of
    GAMESTATS_POSTGRES_READER_URL, or else that of GAMESTATS_POSTGRES_URL in the role
    `gamestats_reader`, where neither is a superuser.

    Raises:
        QueryError: when that user is a superuser, or may not take the role.
    """
    url = settings.postgres_reader_url or postgres_url(settings)
    is_embedded = settings.postgres_reader_url is None and settings.postgres_url is None
    with connect(url) as conn, explained("The query", QueryError):
        if is_embedded:
            _let_log_in(conn, READER_ROLE)
            return url_of({**parameters(url), "user": READER_ROLE})
        user, is_superuser = conn.execute(
            "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = session_user"
        ).fetchall()[0]
        if is_superuser:
            raise QueryError(
                f"{user} is a superuser, as whom no query is asked. Let an administrator run "
                f"CREATE ROLE alice LOGIN PASSWORD '...' IN ROLE {READER_ROLE}; "
                "and name that user in GAMESTATS_POSTGRES_READER_URL."
            )
        if settings.postgres_reader_url is not None:
            return url
        try:
            conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(READER_ROLE)))
        except (errors.InsufficientPrivilege, errors.InvalidParameterValue):
            raise QueryError(
                f"{user} may not take the role {READER_ROLE}, in which queries are asked. Let an administrator run "
                f"GRANT {READER_ROLE} TO {user}; or name one who reads in GAMESTATS_POSTGRES_READER_URL."
            ) from None
    return url_of(with_options(parameters(url), f"-crole={READER_ROLE}"))


# --- what serves ---------------------------------------------------------------------------------


def serving_urls(settings: Settings) -> tuple[SecretStr, SecretStr]:
    """URLs of PostgreSQL for what serves: as one who answers everybody, and as one who writes for signed-in people.

    On the embedded server these are the roles themselves. On another they are the users of
    GAMESTATS_POSTGRES_SERVING_URL and GAMESTATS_POSTGRES_WRITER_URL; without these the user of GAMESTATS_POSTGRES_URL
    in the roles. Where both are given nobody connects as the owner, who grants what is missing otherwise.

    Raises:
        PostgresError: when the user may not take a role, with what to do.
    """
    given = (settings.postgres_serving_url, settings.postgres_writer_url)
    if given[0] is not None and given[1] is not None:
        return given[0], given[1]
    owner = postgres_url(settings)
    found: list[SecretStr] = []
    with connect(owner) as conn, explained("The roles of what serves"):
        refused = grant_duties(conn)
        for url, role in zip(given, (SERVING_ROLE, WRITER_ROLE), strict=True):
            if url is not None:
                found.append(url)
            elif settings.postgres_url is None:
                _let_log_in(conn, role)
                found.append(url_of({**parameters(owner), "user": role}))
            else:
                _take(conn, role, refused)
                found.append(url_of(with_options(parameters(owner), f"-crole={role}")))
    return found[0], found[1]


def _take(conn: psycopg.Connection, role: str, refused: Sequence[str]) -> None:
    variable = {SERVING_ROLE: "GAMESTATS_POSTGRES_SERVING_URL", WRITER_ROLE: "GAMESTATS_POSTGRES_WRITER_URL"}[role]
    try:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        conn.execute("RESET ROLE")
    except (errors.InsufficientPrivilege, errors.InvalidParameterValue):
        user = conn.info.user
        raise PostgresError(
            f"{user} may not take the role {role}, in which gamestats serves. {' '.join(refused)} Let an administrator "
            f"run GRANT {role} TO {user}; or name a user who is in the role in {variable}."
        ) from None


def grant_duties(conn: psycopg.Connection) -> tuple[str, ...]:
    """Grant the roles of what serves all that they need of what is there.

    Returns:
        What could not be done for want of a privilege, one sentence each, with the remedy.
    """
    with conn.transaction():
        lock_definitions(conn)
        refused = [told for role in (SERVING_ROLE, WRITER_ROLE) if (told := _make(conn, role))]
        if refused:
            return tuple(refused)
        games = conn.execute(
            "SELECT nspname FROM pg_namespace n JOIN pg_roles r ON rolname = %s AND nspname !~ '^pg_' "
            "AND nspname <> ALL (%s) AND has_schema_privilege(r.oid, n.oid, 'USAGE')",
            [READER_ROLE, [ENTERED_SCHEMA, ACCOUNTS_SCHEMA, "public", "information_schema"]],
        ).fetchall()
        schemas = [schema for (schema,) in games]
        told = _grant(conn, SERVING_ROLE, schemas)
        # Those of a role that an administrator made after the tables; what it may not read is told where it is granted.
        _grant(conn, READER_ROLE, schemas)
        if conn.execute("SELECT pg_has_role(%s, %s, 'USAGE')", [WRITER_ROLE, SERVING_ROLE]).fetchone() != (True,):
            conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(SERVING_ROLE), sql.Identifier(WRITER_ROLE)))
        _grant_writer(conn)
        return told


def _grant_writer(conn: psycopg.Connection) -> None:
    known = conn.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY (%s)", [[ENTERED_SCHEMA, ACCOUNTS_SCHEMA]]
    ).fetchall()
    for schema in sorted({schema for schema, _ in known}):
        conn.execute(_GRANTS[0].format(sql.Identifier(schema), sql.Identifier(WRITER_ROLE)))
    for schema, table in known:
        rights = ""
        if table in _APPENDED:
            rights = "SELECT, INSERT"
        elif schema == ACCOUNTS_SCHEMA or table in _ENTERED:
            rights = "SELECT, INSERT, UPDATE, DELETE"
        elif table in _LOOKED_UP:
            rights = "SELECT"
        of, to = sql.Identifier(schema, table), sql.Identifier(WRITER_ROLE)
        if rights:
            conn.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), of, to))
        else:
            conn.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(of, to))
