"""A replay whose reading ends the process; apart, for processes that read import nothing else of the tests."""

import os

from gamestats_assets.rocket_league.uploads.uploading import Found, read_upload

HOSTILE = b"TAGame.Replay_Soccar_TA hostile"


def die_of_the_hostile(content: bytes) -> Found:
    """Read a replay as uploads are read, but for one."""
    if content == HOSTILE:
        os.abort()
    return read_upload(content)
