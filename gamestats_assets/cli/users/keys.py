"""`gamestats keys`: the keys that encrypt e-mail addresses, account ids and keys of access tokens."""

from __future__ import annotations

import typer

from gamestats_assets.cli.terminal import CarefulGroup, counted, err, say, status

keys_app = typer.Typer(cls=CarefulGroup, help="Keys that encrypt secret columns in PostgreSQL.")


@keys_app.callback()
def keys() -> None:
    """Keys that encrypt secret columns in PostgreSQL."""


@keys_app.command("rotate")
def rotate_keys() -> None:
    """Encrypt with a new key what is encrypted, while everything goes on running.

    E-mail addresses, people's ids at the providers by which they sign in, and the keys that sign access tokens. The
    new key comes first in the file encryption.key of the state folder. The one before stays, to read what was written
    meanwhile, and backups; rotating again drops it.

    Where GAMESTATS_ENCRYPTION_KEY is set, put a new key behind the old one there (OLD,NEW) and start what runs again;
    then put it first (NEW,OLD), start again and give this command; then leave the old one out.

    Example:

        gamestats keys rotate
    """
    from gamestats_assets.lakehouse.entries.encryption import Keys, rotate
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    migrate(stores.postgres_url)
    with status("Encrypting"):
        sealed, kept = rotate(stores.postgres_url, Keys.of(stores.settings))
    say(f"encrypted {counted(sealed, 'value')} with the newest of {counted(kept, 'key')}", "green")
    if kept > 1:
        say("The key before stays for what was written meanwhile, and backups; rotating again drops it.", console=err())
