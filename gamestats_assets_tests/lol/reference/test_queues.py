"""Queues: which are listed."""

import gzip
import json
from pathlib import Path

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets_tests.lol.scenario import kept


def test_every_queue_the_client_knows_is_listed_once(realdata: Path) -> None:
    listed = kept(t.Queues, queues()).get_column("queue_id").to_list()
    document = json.loads(gzip.decompress((realdata / "lol" / "datadragon" / "queues.json.gz").read_bytes()))
    assert {each["id"] for each in document} - set(listed) == set()
    against_bots = {each["id"] for each in document if each["category"] == "VersusAi"}
    counted = queues().filter("in_statistics").collect().get_column("queue_id")
    assert against_bots.isdisjoint(counted)
