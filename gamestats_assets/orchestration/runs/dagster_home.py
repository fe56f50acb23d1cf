"""Where Dagster's files are. It does not import Dagster, so that a process that only starts others stays small."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.lakehouse.files.local import write_whole
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import shipped


def dagster_environment(stores: Stores) -> dict[str, str]:
    """The environment variables of Dagster's processes. Creates the folder that `DAGSTER_HOME` names.

    `dagster.yaml` is copied into that folder each time, so the shipped file is the one that counts.
    """
    home = stores.settings.state_folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    wanted = shipped("dagster.yaml").read_bytes()
    copy = home / "dagster.yaml"
    if not copy.exists() or copy.read_bytes() != wanted:
        write_whole(copy, wanted)
    return {
        "DAGSTER_HOME": str(home),
        "GAMESTATS_DATA": stores.settings.data
        if stores.settings.data_is_remote
        else str(Path(stores.settings.data).resolve()),
    }
