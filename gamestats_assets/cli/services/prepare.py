"""Prepares PostgreSQL for `gamestats up`, which runs this as a process: Dagster's tables, and a first admin.

It prints an address that signs in the person at this machine as an admin, once.
"""

from __future__ import annotations

import itertools
import sys

import psycopg

from gamestats_assets.lakehouse.errors import GamestatsError


def prepare(where: str) -> str:
    """Create Dagster's tables, close abandoned runs, and make the address; `where` is that of the pages."""
    from gamestats_assets.cli.commands import person
    from gamestats_assets.lakehouse.entries.ops import entering, migrate
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.runs.instance import dagster_instance
    from gamestats_assets.serving.accounts.sessions import make_link
    from gamestats_assets.serving.middleware.site import link_address

    stores = Stores()
    with dagster_instance(stores):
        pass
    migrate(stores.postgres_url)
    with entering(stores.postgres_url, person()) as conn:
        return link_address(where, make_link(conn, admin_here(conn, person())))


def admin_here(conn: psycopg.Connection, login: str) -> int:
    """The admin account of the person at this machine: it has the login's name, and is made on first use.

    If a user of that name is no admin, it is another person; the next free name with a number is taken then.
    """
    from gamestats_assets.lakehouse.entries.declared import UnknownNameError
    from gamestats_assets.serving.accounts.users import add_user, find_user, give_role

    for number in itertools.count(1):
        name = login if number == 1 else f"{login}-{number}"
        try:
            row = find_user(conn, name)
        except UnknownNameError:
            row = add_user(conn, login, name)
            give_role(conn, login, row, "admin")
            return row["user_id"]
        if "admin" in row["roles"]:
            return row["user_id"]
    raise AssertionError


if __name__ == "__main__":
    try:
        sys.stdout.write(prepare(sys.argv[1]))
    except GamestatsError as error:
        sys.exit(str(error))
