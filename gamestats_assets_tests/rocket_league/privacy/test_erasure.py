"""Forgetting players: masked in the matches of others, in no file, table, log or history, and not brought back."""

from __future__ import annotations

import functools
import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.declared import UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import Rejection, quarantine_frame, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players import entered
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME, PlayerIdError, parse_player_id
from gamestats_assets.rocket_league.privacy import erasure, masking
from gamestats_assets.rocket_league.privacy.erasure import Forgotten, enforce_retention, forget, traces
from gamestats_assets.rocket_league.privacy.export import export_player
from gamestats_assets.rocket_league.privacy.naming import accounts_in_ballchasing
from gamestats_assets.rocket_league.privacy.tombstones import TOMBSTONE
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.source import GAME, ingest
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.rocket_league.seasons import Season, simulate_season, write_season
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.building import make, rows

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
FIRST, MATCHES = date(2026, 1, 5), 9
PAIR = real_files.PAIRS[0]
PLAYER, NAME = "epic_14d2c197a569431cbd227f56203b852e", "Quantavious1234"
"""A player of the pair, whose game recorded it."""
MASKED = ("title", "replay_id", "ballchasing_id")
"""Columns of the match itself that tell of a player."""
Held = Mapping[type[Table], pl.DataFrame]


@functools.cache
def season() -> Season:
    """Eight players and some matches on three days."""
    return simulate_season(
        seed=5, players=8, matches=MATCHES, first_day=FIRST, days=3, playlists=("ranked-doubles",), tiers=(13, 15)
    )


@functools.cache
def documents() -> list[dict[str, Any]]:
    """The season's matches as ballchasing tells them."""
    return [*season().matches]


def stores_in(folder: Path, url: str, **settings: Any) -> Stores:
    return Stores(Settings(data=str(folder), state=folder, postgres_url=SecretStr(url), workers=1, **settings))


@pytest.fixture
def stores(tmp_path: Path, ops_database: str) -> Stores:
    """Stores that hold nothing."""
    return stores_in(tmp_path / "data", ops_database, GAMESTATS_ENCRYPTION_KEY=Fernet.generate_key().decode())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The season's files, and a data folder where they are landed and read; for copies alone."""
    folder = tmp_path_factory.mktemp("made")
    stores = stores_in(folder / "data", "postgresql://nowhere")
    write_season(folder / "season", season())
    assert ingest([folder / "season"], stores.landing).taken == MATCHES
    remake(stores, stores.landing.days(GAME))
    return folder


@pytest.fixture
def played(made: Path, stores: Stores, tmp_path: Path) -> Stores:
    """Stores with the season, landed and read."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return stores


def remake(stores: Stores, days: Sequence[str]) -> None:
    """Read days of the landing zone into bronze, and what tells who played."""
    for day in days:
        frames = read(stores.landing, day)
        frames[t.MatchFacts] = make(real_files.BY_MATCH[0], frames)
        frames[t.Participants] = make(real_files.BY_MATCH[1], frames)
        for table, frame in frames.items():
            # Of matches without a replay most tables have no rows.
            if frame.height:
                stores.lake.replace(table, frame, partitions=[day])


def read(landing: Landing, day: str) -> dict[Any, pl.DataFrame]:
    """The bronze rows of a day's files."""
    found: dict[Any, pl.DataFrame] = {}
    for decoder in (RAW_DECODER, EVENTS_DECODER):
        with closing(decode_batches(decoder, landing, [landing.files(GAME, day)], workers=1, part=1000)) as batches:
            frames = next(batches).frames
            found |= {table: frames[table].collect().select(table.column_names()) for table in decoder.tables}
    return found


def held(stores: Stores, tables: Sequence[type[Table]] = tuple(t.ALL)) -> Held:
    """All rows of tables, by their keys."""
    return {table: stores.lake.scan(table).collect().sort(table.primary_key()) for table in tables}


def in_season(player_id: str) -> list[tuple[str, str]]:
    """Matches of the season that a player is in, by the files' own word, and what each calls the player."""
    return [
        (str(match["match_guid"]).upper(), player["name"])
        for match in documents()
        for side in ("blue", "orange")
        for player in match[side]["players"]
        if parse_player_id(f"{player['id']['platform']}:{player['id']['id']}") == player_id
    ]


def ids_of(player_id: str) -> set[str]:
    """Matches of a player."""
    return {match_id for match_id, _ in in_season(player_id)}


def names_of(player_id: str) -> set[str]:
    """What the files call a player."""
    return {name for _, name in in_season(player_id)}


def somebody(place: int = 0) -> str:
    """A player of the season who is in some matches and not in others."""
    ids = sorted({each for match in documents() for each in accounts_in_ballchasing(json.dumps(match).encode())})
    return [each for each in ids if 3 <= len(ids_of(each)) <= MATCHES - 3][place]


def forgotten(stores: Stores, player_id: str, **given: Any) -> Forgotten:
    """Forget a player where no Dagster runs."""
    steps: dict[str, Any] = {"remake": functools.partial(remake, stores), "forget_runs": lambda texts, partitions: None}
    return forget(stores, player_id, today=TODAY, **{**steps, **given})


def without(frames: Held, player_id: str) -> Held:
    """Frames without the rows that name a player, or somebody forgotten."""
    found: dict[type[Table], pl.DataFrame] = {}
    for table, frame in frames.items():
        names = erasure.player_columns(table)
        hidden = [(pl.col(name) == player_id) | pl.col(name).str.starts_with(FORGOTTEN) for name in names]
        found[table] = frame.filter(~pl.any_horizontal(pl.lit(False), *(each.fill_null(False) for each in hidden)))
    return found


# ---------------------------------------------------------------- forgetting


def quarantined(stores: Stores, player_id: str) -> None:
    """Enter a rejected row of a player, and one of somebody else."""
    found = [Rejection(f"{number:032X}", "row", "a_rule", "why", 1, f'{{"player": "{who}"}}')
            for number, who in enumerate((player_id, "steam_1"))]  # fmt: skip
    rows = quarantine_frame(t.RawPlayerStats, "2026-02-01", found)
    stores.lake.replace(quarantine_of(GAME), rows, partitions=["raw_player_stats@2026-02-01"])


def unreadable(stores: Stores, folder: Path, player_id: str) -> None:
    """Land files that nobody can read: one names a player by its content, one by its name, and one does not."""
    account = player_id.partition("_")[2]
    folder.mkdir()
    (folder / "cut.json").write_text(f'{{"id": "{account}')
    (folder / f"{account}.txt").write_text("nothing")
    (folder / "other.json").write_text('{"id": "somebody else')
    assert ingest([folder], stores.landing).quarantined == 3


def asked_by_others(stores: Stores, name: str) -> None:
    """Enter what others asked for: an archive and two uploads, one of each of which names a player."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("replays/a.replay", name)
    stores.objects.put("exports/1/a.zip", archive.getvalue())
    stores.objects.put("exports/2/b.zip", b"nobody")
    with entering(stores.postgres_url, "ann") as conn:
        for who in (name, "Nobody"):
            conn.execute(
                "INSERT INTO ops.jobs (kind, game, state, result) VALUES ('replay', %s, 'done', %s)",
                [GAME, Jsonb({"match_id": "A", "players": [{"name": who, "team": "blue"}]})],
            )


def test_nothing_is_left_of_a_forgotten_player_and_files_bring_nothing_back(played: Stores, tmp_path: Path) -> None:
    player_id, other = somebody(0), somebody(1)
    (name,) = names_of(player_id)
    with entering(played.postgres_url, "ann") as conn:
        for who in (player_id, other):
            entered.PLAYER.take(conn, who, context=entered.Custody(now=NOW), consents=True)
        entered.RANK.take(conn, player_id, "ranked-doubles", rank="champion-1")
        for number, match_id in enumerate(sorted(ids_of(player_id) | ids_of(other))):
            conn.execute(
                "INSERT INTO ops.rl_replays_found (ballchasing_id, match_id) VALUES (%s, %s)", [str(number), match_id]
            )
    quarantined(played, player_id)
    unreadable(played, tmp_path / "unreadable", player_id)
    asked_by_others(played, name)
    texts = [player_id, player_id.partition("_")[2], name]
    played.lake.replace(t.PlayerComparison, t.PlayerComparison.create_empty(), partitions=[player_id])
    places = traces(played, texts)
    for expected in ("landing: rocket_league/2026-", "landing: rocket_league/unreadable/",
                     "landing: rocket_league/unreadable_reason/", "lake: rocket_league/raw_player_stats/match_date=",
                     "lake: rocket_league/player_comparison/_delta_log/", "lake: rocket_league/quarantine/",
                     "PostgreSQL: ops.rl_players", "PostgreSQL: ops.rl_ranks",
                     "PostgreSQL: ops.jobs", "objects: exports/1/a.zip"):  # fmt: skip
        assert any(place.startswith(expected) for place in places), expected
    before = held(played)
    done = forgotten(played, player_id)
    assert (done.matches, done.left, done.files_removed) == (len(ids_of(player_id)), (), 2)
    assert traces(played, texts) == []
    # Looked for by other means, too.
    for path in (tmp_path / "data").rglob("*"):
        assert player_id not in path.name
        if path.suffix == ".parquet":
            assert player_id not in str(pl.read_parquet(path).to_dicts())
        elif path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            assert not any(text.encode() in content for text in texts)
    after = held(played)
    was = without(before, player_id)
    for table, frame in without(after, player_id).items():
        assert frame.drop(MASKED, strict=False).equals(was[table].drop(MASKED, strict=False))
    public = after[t.RawReplays].filter(pl.col("replay_id").is_not_null())
    assert {*public["match_id"]} == {*after[t.RawReplays]["match_id"]} - ids_of(player_id)
    hidden = after[t.RawPlayerStats].filter(pl.col("player_id").str.starts_with(FORGOTTEN))
    assert {*hidden["match_id"]} == ids_of(player_id)
    # Nobody can tell that they are one.
    assert hidden["player_id"].n_unique() == len(ids_of(player_id))
    with psycopg.connect(played.postgres_url.get_secret_value()) as conn:
        assert conn.execute("SELECT player_id FROM ops.rl_players").fetchall() == [(other,)]
        linked = conn.execute("SELECT match_id FROM ops.rl_replays_found WHERE match_id IS NOT NULL").fetchall()
        assert {match_id for (match_id,) in linked} == ids_of(other) - ids_of(player_id)
        found = conn.execute("SELECT result -> 'players' -> 0 ->> 'name' FROM ops.jobs ORDER BY job_number").fetchall()
        assert found == [(None,), ("Nobody",)]
    assert [*played.objects.list("exports")] == ["exports/2/b.zip"]
    assert len(played.landing.files(GAME, "unreadable")) == 2
    assert {*played.lake.scan(quarantine_of(GAME)).collect()["unit_id"]} == {f"{1:032X}"}

    landed = {path: path.stat().st_mtime_ns for path in (tmp_path / "data" / "landing").rglob("*")}
    report = ingest([tmp_path / "season"], played.landing)
    masked = len(ids_of(player_id))
    assert report.totals == {("masked", "known"): masked, ("ballchasing", "known"): MATCHES - masked}
    assert not any(player_id in outcome.reason for outcome in report.outcomes)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data" / "landing").rglob("*")} == landed
    (stone,) = played.landing.files(GAME, TOMBSTONE)
    found = json.loads(played.landing.read(stone))
    assert (sorted(found), found["day"]) == (["day", "digest", "salt"], "2026-11-23")


def test_of_a_match_that_nobody_can_read_nothing_stays(stores: Stores) -> None:
    content = b'{"players": [{"id": {"platform": "steam", "id": "76561198000000001"}}]}'
    stores.landing.put(GAME, FIRST, "A" * 32, "ballchasing", content, content)
    done = forgotten(stores, "steam:76561198000000001")
    assert (done.matches, done.left) == (1, ())
    assert stores.landing.files(GAME, FIRST.isoformat()) == []


def test_who_only_uploaded_a_match_is_forgotten_too(stores: Stores, tmp_path: Path) -> None:
    match = {**documents()[0], "uploader": {"steam_id": "76561198000000001", "name": "Uploader Nobody"}}
    (tmp_path / "match.json").write_text(json.dumps(match))
    ingest([tmp_path / "match.json"], stores.landing)
    (day,) = stores.landing.days(GAME)
    before = read(stores.landing, day)
    assert forgotten(stores, "steam:76561198000000001").left == ()
    assert [file.kind for file in stores.landing.files(GAME, day)] == ["masked"]
    after = read(stores.landing, day)
    assert all(after[table].equals(before[table]) for table in before)
    assert traces(stores, ["Uploader Nobody"]) == []
    assert ingest([tmp_path / "match.json"], stores.landing).totals == {("masked", "known"): 1}


class KilledError(Exception):
    """Stands for the end of the process."""


def test_forgetting_again_finishes_what_was_broken_off(played: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    player_id = somebody()
    texts = [player_id, *names_of(player_id)]
    before = without(held(played), player_id)
    landed: list[None] = []

    def land_masked(*arguments: Any, **keywords: Any) -> Any:
        landed.append(None)
        if len(landed) == 2:
            raise KilledError
        return masking.land_masked(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "land_masked", land_masked)
        with pytest.raises(KilledError):
            forgotten(played, player_id)
    assert traces(played, texts) != []
    assert forgotten(played, player_id).left == ()
    assert traces(played, texts) == []
    for table, frame in without(held(played), player_id).items():
        assert frame.drop(MASKED, strict=False).equals(before[table].drop(MASKED, strict=False))
    assert played.lake.scan(t.RawPlayerStats).collect().height == 4 * MATCHES
    # And once more, which finds nothing to do.
    assert (forgotten(played, player_id).matches, len(played.landing.files(GAME, TOMBSTONE))) == (0, 1)


def test_of_somebody_unknown_nothing_is_held(played: Stores, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    with pytest.raises(UnknownNameError, match="Nothing is held on steam_1"):
        forgotten(played, "steam:1")
    with pytest.raises(PlayerIdError):
        forgotten(played, "nobody")
    with pytest.raises(UnknownNameError, match="Nothing is held on steam_1"):
        export_player(played, "steam:1", tmp_path / "x.zip")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before


def test_a_name_that_others_carry_or_that_is_short_or_a_common_word_proves_nothing(
    stores: Stores, tmp_path: Path
) -> None:
    match = json.loads(json.dumps(documents()[0])) | {"title": "A match"}
    players = [*match["blue"]["players"], *match["orange"]["players"]]
    for player, name in zip(players, ("Gemini", "Boost", "GEMINI", "Bo"), strict=True):
        player["name"] = name
    (tmp_path / "match.json").write_text(json.dumps(match))
    ingest([tmp_path / "match.json"], stores.landing)
    (day,) = stores.landing.days(GAME)
    remake(stores, [day])
    before = stores.lake.scan(t.RawPlayerStats).collect()
    called = ["Gemini", "Boost", "GEMINI", "Bo"]
    for player in (players[0], players[1], players[3]):
        done = forgotten(stores, f"{player['id']['platform']}:{player['id']['id']}")
        assert (done.left, done.not_looked_for) == ((), (player["name"],))
        called[called.index(player["name"])] = FORGOTTEN_NAME
        assert sorted(stores.lake.scan(t.RawPlayerStats).collect()["player_name"]) == sorted(called)
    # The match was masked for one player after another, and whoever is left stays as before.
    assert len(stores.landing.files(GAME, TOMBSTONE)) == 3
    (file,) = stores.landing.files(GAME, day)
    assert (file.kind, file.unit_id) == ("masked", before["match_id"][0])
    after = stores.lake.scan(t.RawPlayerStats).collect()
    is_gone = pl.col("player_id").str.starts_with(FORGOTTEN)
    assert (after.height, after.filter(is_gone)["player_id"].n_unique()) == (4, 3)
    assert after.remove(is_gone).equals(before.filter(player_name="GEMINI"))


# ---------------------------------------------------------------- export


def test_an_export_holds_the_player_s_rows_and_no_others(played: Stores, tmp_path: Path) -> None:
    player_id = somebody()
    key = played.settings.encryption_key
    with entering(played.postgres_url, "ann") as conn:
        entered.PLAYER.take(
            conn, player_id, context=entered.Custody(Keys(key), now=NOW), email="ann@example.org", consents=True
        )
        entered.RANK.take(conn, player_id, "ranked-doubles", rank="champion-1")
        entered.TRAINING_SESSION.add(conn, player_id, completed_at=NOW, duration_s=600, skill="saves")
    counted = export_player(played, player_id, tmp_path / "all.zip")
    wanted = held(played, [t.RawPlayerStats, t.Participants])
    own = {table: frame.filter(pl.col("player_id") == player_id) for table, frame in wanted.items()}
    tables = ("raw_player_stats", "participants", "raw_replays", "match_facts")
    assert counted == dict.fromkeys(tables, len(ids_of(player_id)))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        for table, frame in own.items():
            stored = pl.read_parquet(archive.read(f"tables/{table.spec.name}.parquet"))
            assert stored.equals(frame)
            assert archive.read(f"tables/{table.spec.name}.csv").count(b"\n") == frame.height + 1
        entry = json.loads(archive.read("entry.json"))
        files = json.loads(archive.read("files.json"))
        assert "left out" in archive.read("README.txt").decode()
        assert not any(name.startswith("files/") for name in archive.namelist())
        others = {*wanted[t.Participants]["player_name"]} - {*own[t.Participants]["player_name"]}
        text = archive.read("tables/participants.csv").decode()
        assert not any(f",{name}," in text for name in others)
    assert (entry["email"], entry["email_note"]) == ("ann@example.org", "")
    assert [rank["tier"] for rank in entry["ranks"]] == [16]
    assert [session["skill"] for session in entry["training_sessions"]] == ["saves"]
    assert {file["match_id"] for file in files} == ids_of(player_id)


def test_an_export_names_who_saved_a_match_only_where_it_is_the_player(
    realdata: Path, stores: Stores, tmp_path: Path
) -> None:
    ingest(real_files.paths(realdata, PAIR), stores.landing)
    remake(stores, stores.landing.days(GAME))
    (title,) = {*stores.lake.scan(t.RawReplays).collect()["title"]}
    # Another player of the match, whose game did not save it.
    other = stores.lake.scan(t.RawPlayerStats).filter(pl.col("player_name") != NAME).collect()["player_id"][0]
    for player_id, found in ((PLAYER, {title}), (other, {None})):
        export_player(stores, player_id, tmp_path / "all.zip")
        with zipfile.ZipFile(tmp_path / "all.zip") as archive:
            replays = pl.read_parquet(archive.read("tables/raw_replays.parquet"))
            assert ({*replays["title"]}, replays.height) == (found, 2)
            assert player_id == PLAYER or not any(
                NAME.encode() in archive.read(name) for name in archive.namelist() if name.endswith(".csv")
            )


def test_an_export_tells_nothing_of_others(stores: Stores, tmp_path: Path) -> None:
    ann, bob = "steam_76561198000000001", "steam_76561198000000002"
    day = {"match_id": "A" * 32, "match_date": TODAY}
    stores.lake.replace(
        t.Challenges,
        rows(
            t.Challenges,
            {**day, "challenge_number": 1, "blue_player_id": ann, "orange_player_id": bob, "winner": "blue"},
            {**day, "challenge_number": 2, "blue_player_id": bob, "orange_player_id": None, "winner": "blue"},
        ),
        partitions=[TODAY],
    )
    nearest = {"playlist": "ranked-doubles", "is_simulated": False, "of_next_rank": False, "place": 1}
    for player_id, other in ((ann, bob), (bob, ann)):
        stores.lake.replace(
            t.PlayerComparison,
            rows(t.PlayerComparison, {**nearest, "player_id": player_id, "other_player_id": other}),
            partitions=[player_id],
        )
    export_player(stores, ann, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        fought = pl.read_parquet(archive.read("tables/challenges.parquet"))
        compared = pl.read_parquet(archive.read("tables/player_comparison.parquet"))
        assert not any(bob.encode() in archive.read(name) for name in archive.namelist())
    assert fought.select("challenge_number", "blue_player_id", "orange_player_id").rows() == [(1, ann, "somebody")]
    assert compared.select("player_id", "other_player_id").rows() == [(ann, "somebody")]


# ---------------------------------------------------------------- retention


def days_of(stores: Stores, player_id: str) -> list[date]:
    """Days of the matches that the lake's bronze has a player in, by match."""
    found = stores.lake.scan(t.RawPlayerStats).filter(pl.col("player_id") == player_id).collect()
    return sorted(found["match_date"].to_list())


def test_players_are_masked_in_matches_that_are_older_than_they_are_kept(played: Stores, tmp_path: Path) -> None:
    long, short, never = somebody(0), somebody(1), somebody(2)
    days = {who: days_of(played, who) for who in (long, short, never)}
    today = date(2026, 1, 8)
    with entering(played.postgres_url, "ann") as conn:
        entered.PLAYER.take(conn, long, context=entered.Custody(now=NOW), retention_days=2)
        entered.PLAYER.take(conn, short, context=entered.Custody(now=NOW), retention_days=1)
    for again in (False, True):
        found = enforce_retention(played, today)
        assert [(who, first) for who, first, _ in found] == sorted(
            [(long, date(2026, 1, 6)), (short, date(2026, 1, 7))]
        )
        old = {who: sum(day < first for day in days[who]) for who, first, _ in found}
        assert {who: masked for who, _, masked in found} == ({who: 0 for who in old} if again else old)
        assert all(old.values())
    remake(played, played.landing.days(GAME))
    assert days_of(played, long) == [day for day in days[long] if day >= date(2026, 1, 6)]
    assert days_of(played, short) == [day for day in days[short] if day >= date(2026, 1, 7)]
    assert days_of(played, never) == days[never]
    assert played.lake.scan(t.RawPlayerStats).collect().height == 4 * MATCHES
    # What lands again is taken, counts for nothing, and is masked again.
    assert ingest([tmp_path / "season"], played.landing).count("refused") == 0
    remake(played, played.landing.days(GAME))
    assert played.lake.scan(t.RawPlayerStats).collect().height == 4 * MATCHES
    assert days_of(played, long) == [day for day in days[long] if day >= date(2026, 1, 6)]
    assert {who: masked for who, _, masked in enforce_retention(played, today)} == old
    named = erasure.files_naming(played, long)
    assert {file.day for file in named} == {day.isoformat() for day in days_of(played, long)}
