"""Privileges in PostgreSQL: one role per duty, and the URLs with which programs connect in a role.

- `gamestats_reader` runs people's own queries: it reads every game's schema and `ops`.
- `gamestats_serving` answers public HTTP requests: it reads only the games' schemas, and of personal tables only rows
  that belong to the transaction (see `own_rows`).
- `gamestats_writer` acts for signed-in people: it can also write their accounts (`accounts`) and their entries.

The publishing user owns everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import errors, sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.embedded import postgres_url
from gamestats_assets.lakehouse.postgres.own_rows import let_read_all
from gamestats_assets.lakehouse.postgres.server import (
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

_ENTERED = (
    *("seasons", "divisions", "groups", "teams", "roster_entries", "rounds", "scheduled_matches"),
    *("match_overrides", "tracked_players", "backfills"),
    *("rl_players", "rl_ranks", "training_sessions", "rl_uploads", "rl_objections", "jobs"),
)
"""Tables of `ops` that signed-in people write."""
_READ_ONLY = (
    *("alembic_version", "backfill_progress", "changes", "entry_history", "matches_discovered"),
    *("round_status_changes", "rl_consents", "rl_looks"),
)
"""Further tables of `ops` that are only read for signed-in people; they must not see the others."""
_APPEND_ONLY = ("audit_log",)
"""Tables of `accounts` to which rows are only added for signed-in people."""


def ensure_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> None:
    """Lets the role `gamestats_reader` read all present and future tables of some schemas; see `grant_reader`.

    Creates the role and the schemas if they are missing. The role cannot log in; it is granted to users who can:
    `GRANT gamestats_reader TO alice;`.
    """
    with explained(READER_ROLE), conn.transaction():
        lock_definitions(conn)
        for schema in schemas:
            conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        grant_reader(conn, schemas)


_GRANTS = (
    sql.SQL("GRANT USAGE ON SCHEMA {} TO {}"),
    sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}"),
    sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}"),
)


def grant_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> None:
    """Grants read access to schemas, inside a transaction that holds the definitions' lock.

    `gamestats_reader` and the serving role may read a game's schema; only the former may read `ops`. Privileges that
    this user may not grant are left to an administrator; publishing works without them.
    """
    _grant(conn, READER_ROLE, schemas)
    _grant(conn, SERVING_ROLE, [schema for schema in schemas if schema != ENTERED_SCHEMA])


def _grant(conn: psycopg.Connection, role: str, schemas: Sequence[str]) -> None:
    if not schemas or _create_role(conn, role):
        return
    for schema in schemas:
        with suppress(errors.InsufficientPrivilege), conn.transaction():
            for grant in _GRANTS:
                conn.execute(grant.format(sql.Identifier(schema), sql.Identifier(role)))
            if role == READER_ROLE:
                let_read_all(conn, role, [schema])


def _create_role(conn: psycopg.Connection, role: str) -> str:
    """Creates a missing role; returns advice if this user may not."""
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        try:
            with conn.transaction():
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        except (errors.DuplicateObject, errors.UniqueViolation):
            pass  # created at the same time from another database of the same server
        except errors.InsufficientPrivilege:
            return (
                f"The role {role} is missing and this user may not create it. Everything else works. "
                f"Let an administrator run: CREATE ROLE {role} NOLOGIN;"
            )
    return ""


def _let_log_in(conn: psycopg.Connection, role: str) -> None:
    """Lets a role connect directly, to a server whose socket only its owner can reach."""
    if conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role]).fetchone() == (True,):
        return
    with conn.transaction():
        lock_definitions(conn)
        _create_role(conn, role)
        conn.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))


# --- queries of people ---------------------------------------------------------------------------


def reading_url(settings: Settings) -> SecretStr:
    """URL of PostgreSQL for people's queries, with a user who can only read and is not a superuser.

    On the embedded server, this is `gamestats_reader` itself. On another server, it is the user of
    GAMESTATS_POSTGRES_READER_URL, or by default that of GAMESTATS_POSTGRES_URL in the role `gamestats_reader`.

    Raises:
        QueryError: if that user is a superuser or may not take the role.
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


# --- servers -------------------------------------------------------------------------------------


def serving_urls(settings: Settings) -> tuple[SecretStr, SecretStr]:
    """URLs of PostgreSQL for servers: one to answer everybody, and one to write for signed-in people.

    On the embedded server, they use the roles themselves. On another server, they use the users of
    GAMESTATS_POSTGRES_SERVING_URL and GAMESTATS_POSTGRES_WRITER_URL, or by default the user of GAMESTATS_POSTGRES_URL
    in the roles. If both are set, the owner's connection, which would otherwise grant missing privileges, is not used.

    Raises:
        PostgresError: if the user may not take a role; the message contains advice.
    """
    configured = (settings.postgres_serving_url, settings.postgres_writer_url)
    if configured[0] is not None and configured[1] is not None:
        return configured[0], configured[1]
    owner = postgres_url(settings)
    urls: list[SecretStr] = []
    with connect(owner) as conn, explained("The roles of what serves"):
        refused = grant_duties(conn)
        for url, role in zip(configured, (SERVING_ROLE, WRITER_ROLE), strict=True):
            if url is not None:
                urls.append(url)
            elif settings.postgres_url is None:
                _let_log_in(conn, role)
                urls.append(url_of({**parameters(owner), "user": role}))
            else:
                _require_role(conn, role, refused)
                urls.append(url_of(with_options(parameters(owner), f"-crole={role}")))
    return urls[0], urls[1]


def _require_role(conn: psycopg.Connection, role: str, refused: Sequence[str]) -> None:
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
    """Grants the servers' roles everything that they need of the existing tables.

    Returns:
        Advice for each role that is missing and that this user may not create, one sentence each.
    """
    with conn.transaction():
        lock_definitions(conn)
        refused = [refusal for role in (SERVING_ROLE, WRITER_ROLE) if (refusal := _create_role(conn, role))]
        if refused:
            return tuple(refused)
        games = conn.execute(
            "SELECT nspname FROM pg_namespace n JOIN pg_roles r ON rolname = %s AND nspname !~ '^pg_' "
            "AND nspname <> ALL (%s) AND has_schema_privilege(r.oid, n.oid, 'USAGE')",
            [READER_ROLE, [ENTERED_SCHEMA, ACCOUNTS_SCHEMA, "public", "information_schema"]],
        ).fetchall()
        # For roles that an administrator created after the tables.
        grant_reader(conn, [schema for (schema,) in games])
        if conn.execute("SELECT pg_has_role(%s, %s, 'USAGE')", [WRITER_ROLE, SERVING_ROLE]).fetchone() != (True,):
            conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(SERVING_ROLE), sql.Identifier(WRITER_ROLE)))
        _grant_writer(conn)
        return ()


def _grant_writer(conn: psycopg.Connection) -> None:
    tables = conn.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY (%s)", [[ENTERED_SCHEMA, ACCOUNTS_SCHEMA]]
    ).fetchall()
    for schema in sorted({schema for schema, _ in tables}):
        conn.execute(_GRANTS[0].format(sql.Identifier(schema), sql.Identifier(WRITER_ROLE)))
    for schema, table in tables:
        rights = ""
        if table in _APPEND_ONLY:
            rights = "SELECT, INSERT"
        elif schema == ACCOUNTS_SCHEMA or table in _ENTERED:
            rights = "SELECT, INSERT, UPDATE, DELETE"
        elif table in _READ_ONLY:
            rights = "SELECT"
        target, writer = sql.Identifier(schema, table), sql.Identifier(WRITER_ROLE)
        if rights:
            conn.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), target, writer))
        else:
            conn.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(target, writer))
