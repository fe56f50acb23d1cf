"""What people enter of Rocket League players, in a real PostgreSQL: consent, retention, addresses, ranks, training."""

from __future__ import annotations

import csv
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import Entered, UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError, entered_rows, entering
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.rocket_league.players.entered import PLAYER, RANK, TRAINING_SESSION, Custody
from gamestats_assets.rocket_league.tables.ops import SNAPSHOTS, RlPlayers, RlRanks, TrainingSessions
from gamestats_assets.settings import shipped

NOW = datetime(2026, 3, 12, 20, tzinfo=UTC)
DAYS = timedelta(days=1)
ANN, BOB = "steam_76561198000000001", "epic_b0b"
ADDRESS = "ann.private@example.org"
KEY = SecretStr("b2ZmaWNpYWwta2V5LW9mLXRoaXMtdGVzdC1hbG9uZSE=")
KEYS = Keys(KEY)
UNKNOWN_PACK = "0000-0000-0000-0000"
with shipped("data", "reference", "rocket_league", "training_packs.csv").open(encoding="utf-8", newline="") as packs:
    CATEGORY_OF = {line["code"]: line["category"] for line in csv.DictReader(packs)}


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    return SecretStr(ops_database)


@pytest.fixture
def conn(url: SecretStr) -> Iterator[psycopg.Connection]:
    with entering(url, "ada") as connection:
        yield connection


Track = Callable[..., Entered]


@pytest.fixture
def track(conn: psycopg.Connection) -> Track:
    def enter(player: str = ANN, *, now: datetime = NOW, key: SecretStr | None = None, **more: Any) -> Entered:
        return PLAYER.take(conn, player, context=Custody(Keys(key), now=now), **more)

    return enter


def row(conn: psycopg.Connection, player: str = ANN) -> dict[str, Any]:
    (found,) = ops.select(conn, "rl_players", {"player_id": player})
    return found


# ---------------------------------------------------------------- players


def test_a_player_is_tracked_under_one_id_with_a_month_of_history(conn: psycopg.Connection, track: Track) -> None:
    done = track(" Steam:76561198000000001 ")
    assert done.line() == f"created   player {ANN}"
    found = row(conn)
    assert (found["username"], found["is_active"], found["created_by"]) == (ANN, True, "ada")
    assert found["wanted_since"] == NOW - 30 * DAYS
    assert track(ANN).outcome == "unchanged"
    assert len(ops.select(conn, "rl_players", {})) == 1


def test_what_is_not_given_stays(conn: psycopg.Connection, track: Track) -> None:
    track(username=" Ann ", days=10, retention_days=90, consents=True, email=ADDRESS, key=KEY)
    before = row(conn)
    assert track(now=NOW + DAYS).outcome == "unchanged"
    assert row(conn) == before
    done = track(username="Anna")
    assert (done.outcome, done.changes) == ("changed", ("username Ann -> Anna",))
    changed = {"username": "Anna", "updated_at": row(conn)["updated_at"]}
    assert row(conn) == {**before, **changed}


def test_more_history_can_be_wanted_and_never_less(conn: psycopg.Connection, track: Track) -> None:
    track(days=10)
    assert track(days=5).outcome == "unchanged"
    assert row(conn)["wanted_since"] == NOW - 10 * DAYS
    assert track(days=300, now=NOW + DAYS).outcome == "changed"
    assert row(conn)["wanted_since"] == NOW - 299 * DAYS
    track(BOB, days=0)
    assert row(conn, BOB)["wanted_since"] == NOW, "from now on"


def test_nothing_is_agreed_to_until_the_player_agrees(conn: psycopg.Connection, track: Track) -> None:
    (note,) = track().notes
    assert f"track {ANN} --consent" in note
    assert row(conn)["consented_at"] is None
    track(consents=True, now=NOW + DAYS)
    assert row(conn)["consented_at"] == NOW + DAYS
    assert track(consents=True, now=NOW + 2 * DAYS).outcome == "unchanged"
    assert row(conn)["consented_at"] == NOW + DAYS, "agreed to once"
    track(consents=False, now=NOW + 3 * DAYS)
    assert row(conn)["consented_at"] is None
    track(consents=True, now=NOW + 4 * DAYS)
    assert row(conn)["consented_at"] == NOW + 4 * DAYS
    assert track(BOB, consents=True).notes == ()
    assert row(conn, BOB)["consented_at"] == NOW


PURPOSES = ("consented_at", "cohorts_at", "models_at", "comparison_at")


def allowed(conn: psycopg.Connection) -> tuple[bool, ...]:
    found = row(conn)
    return tuple(found[name] is not None for name in PURPOSES)


def test_consent_is_given_and_taken_back_for_all_purposes_or_for_one(conn: psycopg.Connection, track: Track) -> None:
    track(consents=True, models=False)
    assert allowed(conn) == (True, True, False, True), "the word on one counts more"
    track(models=True, now=NOW + DAYS)
    assert (row(conn)["models_at"], row(conn)["cohorts_at"]) == (NOW + DAYS, NOW)
    track(analysis=False)
    assert allowed(conn) == (False, True, True, True)
    assert track(consents=False).outcome == "changed"
    assert allowed(conn) == (False, False, False, False)


def test_every_consent_is_kept_with_the_text_that_was_agreed_to(conn: psycopg.Connection, track: Track) -> None:
    track(analysis=True, cohorts=True, consent_text=1)
    track(cohorts=False, share_at_ballchasing="unlisted")
    track(models=True, consent_text=2)
    kept = ops.rows(conn, "SELECT purpose, is_given, text_version, by FROM ops.rl_consents ORDER BY consent_id")
    assert [(each["purpose"], each["is_given"], each["text_version"]) for each in kept] == [
        ("analysis", True, 1), ("cohorts", True, 1), ("cohorts", False, 1), ("ballchasing", True, 1),
        # Who agrees to another text agrees again to what stands.
        ("analysis", True, 2), ("models", True, 2), ("ballchasing", True, 2),
    ]  # fmt: skip
    assert {each["by"] for each in kept} == {"ada"}


def test_matches_of_a_new_player_are_kept_as_long_as_is_set(conn: psycopg.Connection) -> None:
    PLAYER.take(conn, ANN, context=Custody(now=NOW, retention_days=90))
    PLAYER.take(conn, ANN, context=Custody(now=NOW, retention_days=60), username="Ann")
    PLAYER.take(conn, BOB, context=Custody(now=NOW, retention_days=60), retention_days=365)
    kept = ops.rows(conn, "SELECT retention_days FROM ops.rl_players ORDER BY player_id DESC")
    assert [each["retention_days"] for each in kept] == [90, 365]


@pytest.mark.parametrize(
    ("given", "is_active"),
    [
        ({}, True),
        ({"consents": True}, True),
        ({"days": 10}, True),
        ({"consents": False}, False),
        ({"retention_days": 10}, False),
        ({"username": "Anna"}, False),
        ({"consents": False, "retention_days": 10}, False),
    ],
)
def test_tracking_alone_looks_for_an_untracked_player_again(
    conn: psycopg.Connection, track: Track, given: dict[str, Any], is_active: bool
) -> None:
    track(consents=True)
    PLAYER.remove(conn, ANN)
    track(**given)
    assert row(conn)["is_active"] is is_active


def test_a_player_is_called_by_id_or_by_a_name_that_is_the_player_s_alone(
    conn: psycopg.Connection, track: Track
) -> None:
    track(ANN, username="Ann")
    track(BOB, username="Bob")
    track("ps4_bob", username="bob")
    track("xbox_1", username=ANN)
    for called in (ANN, "STEAM:76561198000000001", " ann "):
        assert PLAYER.find(conn, called)["player_id"] == ANN, "an id is no name"
    with pytest.raises(UnknownNameError, match=f"Several tracked players are called BOB: {BOB}, ps4_bob"):
        PLAYER.find(conn, "BOB")
    for unknown in ("Cleo", "steam_1", "", "%"):
        with pytest.raises(
            UnknownNameError, match=r"is no tracked player\. To list them: gamestats rocket-league players"
        ):
            PLAYER.find(conn, unknown)


def test_the_list_of_players_has_when_they_were_looked_for(conn: psycopg.Connection, track: Track) -> None:
    assert PLAYER.list(conn).schema["listed_at"] == pl.Datetime("us", "UTC")
    track(ANN, username="Ann", email=ADDRESS, key=KEY)
    track(BOB, consents=True)
    ops.insert(conn, "rl_looks", {"player_id": ANN, "asked_at": NOW, "listed_at": NOW, "last_error": "no answer"})
    first, second = PLAYER.list(conn).sort("player_id", descending=True).rows(named=True)
    assert first == {
        "player_id": ANN, "username": "Ann", "is_active": True, "consented_at": None, "retention_days": 730,
        "wanted_since": NOW - 30 * DAYS, "listed_at": NOW, "last_error": "no answer",
    }  # fmt: skip
    assert (second["player_id"], second["consented_at"], second["listed_at"]) == (BOB, NOW, None)


# ---------------------------------------------------------------- addresses


def test_an_address_is_kept_encrypted(conn: psycopg.Connection, track: Track) -> None:
    track(email=f" {ADDRESS} ", key=KEY)
    kept = row(conn)["email_encrypted"]
    assert Fernet(KEY.get_secret_value()).decrypt(kept).decode() == ADDRESS
    assert KEYS.decrypt(kept) == ADDRESS
    assert track(email=ADDRESS, key=KEY).outcome == "unchanged"
    assert row(conn)["email_encrypted"] == kept
    done = track(email="other@example.org", key=KEY)
    assert done.changes == ("email_encrypted",)
    assert KEYS.decrypt(row(conn)["email_encrypted"]) == "other@example.org"
    track(email="")
    assert row(conn)["email_encrypted"] is None
    assert track(email="").outcome == "unchanged"


def test_an_address_and_its_key_show_in_no_table_log_error_or_line(
    url: SecretStr, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []

    def enter(player: str = ANN, *, key: SecretStr | None = None, **more: Any) -> None:
        try:
            with entering(url, "ada") as conn:
                done = PLAYER.take(conn, player, context=Custody(Keys(key), now=NOW), **more)
            texts.extend([repr(done), done.line(), *done.notes])
        except (EntryError, RefusedEntryError) as error:
            texts.append("".join(traceback.format_exception(error)))

    enter(email=ADDRESS, key=KEY, username="Ann")
    enter(email=f"other.{ADDRESS}", key=KEY)
    enter(email=ADDRESS)
    enter(email=ADDRESS, key=SecretStr(KEY.get_secret_value()[:-4]))
    enter(email=f"{ADDRESS} @", key=KEY)
    enter(email=ADDRESS, key=KEY, days=-1)
    with connect(url) as conn:
        tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ops'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier("ops", table))
            texts.extend(line for (line,) in conn.execute(query).fetchall())
        frame = PLAYER.list(conn)
    texts.extend([caplog.text, str(frame.rows()), str(entered_rows(url, RlPlayers).rows())])
    assert any("Traceback" in text for text in texts)
    assert any("Ann" in text for text in texts)
    for secret in (ADDRESS, "ann.private", KEY.get_secret_value()[:20]):
        assert not [text for text in texts if secret in text]


# ---------------------------------------------------------------- ranks


def test_a_rank_is_entered_per_playlist(conn: psycopg.Connection, track: Track) -> None:
    track(username="Ann")
    done = RANK.take(conn, "Ann", "ranked-doubles", rank="champion-2", division=3)
    assert done.line() == f"created   rank of {ANN} in ranked-doubles: Champion II"
    RANK.take(conn, ANN, "ranked-duels", rank="Supersonic Legend")
    found = {each["playlist"]: (each["tier"], each["division"]) for each in ops.select(conn, "rl_ranks", {})}
    assert found == {"ranked-doubles": (17, 3), "ranked-duels": (22, None)}
    changed = RANK.take(conn, "Ann", "ranked-doubles", rank="champion-3", division=1)
    assert changed.changes == ("tier 17 -> 18", "division 3 -> 1")
    # The same rank once more is known to hold still.
    [before] = ops.select(conn, "rl_ranks", {"playlist": "ranked-duels"})
    assert RANK.take(conn, ANN, "ranked-duels", rank="supersonic-legend").outcome == "unchanged"
    [after] = ops.select(conn, "rl_ranks", {"playlist": "ranked-duels"})
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "updated_at": after["updated_at"]}


# ---------------------------------------------------------------- training


def test_a_pack_of_the_catalogue_says_what_was_trained_and_else_the_player(
    conn: psycopg.Connection, track: Track
) -> None:
    track(username="Ann")
    code, category = min(CATEGORY_OF.items())
    assert UNKNOWN_PACK not in CATEGORY_OF
    counts = {"attempts": 20, "successes": 19}
    done = TRAINING_SESSION.add(conn, "Ann", completed_at=NOW, duration_s=600, code=f" {code.lower()} ", **counts)
    assert done.line().endswith(f"of {ANN}: {category}")
    TRAINING_SESSION.add(conn, ANN, completed_at=NOW + DAYS, duration_s=60, code=UNKNOWN_PACK, skill="saves")
    TRAINING_SESSION.add(conn, ANN, completed_at=NOW + 2 * DAYS, duration_s=60, skill="rotation")
    listed = TRAINING_SESSION.list(conn, "Ann")
    assert listed.select("code", "skill", "duration_s", "attempts", "successes").rows() == [
        (None, "rotation", 60, None, None), (UNKNOWN_PACK, "saves", 60, None, None), (code, category, 600, 20, 19),
    ], "the last first"  # fmt: skip


# ---------------------------------------------------------------- what is refused

RANKED, TRAINED = {"playlist": "ranked-doubles", "rank": "gold-1"}, {"completed_at": NOW, "duration_s": 60}


@pytest.mark.parametrize(
    ("entry", "given", "column", "message"),
    [
        *(
            (PLAYER, {"player": each}, "player", "")
            for each in ("Ann", "pc:1", "steam:12", "steam:7656119800000000", "steam:86561198000000001", "steam:ann")
        ),
        (PLAYER, {"username": "  "}, "username", ""),
        *((PLAYER, {"days": each}, "days", "") for each in (-1, 10**9)),
        *((PLAYER, {"retention_days": each}, "retention_days", "") for each in (0, 36_501)),
        *((PLAYER, {"email": each, "key": KEY}, "email", "") for each in ("ann", "ann@example.org, bob@example.org")),
        *((PLAYER, {"email": ADDRESS, "key": each}, "email", "") for each in (None, SecretStr("short"))),
        (RANK, {"player": "Cleo"}, "player", "is no tracked player"),
        (RANK, {"playlist": "casual"}, "playlist", "'casual' has no ranks; these do: .*ranked-doubles"),
        (RANK, {"rank": "champion"}, "rank", "champion-1, champion-2, champion-3"),
        (RANK, {"rank": "unranked"}, "rank", "'unranked' is no rank"),
        (RANK, {"division": 5}, "division", "5 is no division from 1 to 4"),
        (TRAINING_SESSION, {"player": "Cleo", "skill": "saves"}, "player", "is no tracked player"),
        (TRAINING_SESSION, {"skill": "bragging"}, "skill", ""),
        (TRAINING_SESSION, {}, "skill", "give the trained skill, one of aerials, saves, "),
        (TRAINING_SESSION, {"code": UNKNOWN_PACK}, "skill", "give the trained skill, one of aerials, saves, "),
        (TRAINING_SESSION, {"code": next(iter(CATEGORY_OF)), "skill": "no"}, "skill", ""),
        (TRAINING_SESSION, {"code": "1234"}, "code", ""),
        (TRAINING_SESSION, {"code": "GGGG-0000-0000-0000", "skill": "saves"}, "code", ""),
        *((TRAINING_SESSION, {"skill": "saves", "duration_s": each}, "duration_s", "") for each in (0, 86_401)),
        (TRAINING_SESSION, {"skill": "saves", "attempts": -1}, "attempts", ""),
        (TRAINING_SESSION, {"skill": "saves", "successes": 3}, "attempts", ""),
        (TRAINING_SESSION, {"skill": "saves", "attempts": 2, "successes": 3}, "successes", ""),
        (
            TRAINING_SESSION,
            {"skill": "saves", "completed_at": datetime.now(UTC) + timedelta(minutes=30)},
            "completed_at",
            "UTC is in the future",
        ),
    ],
)
def test_what_cannot_stand_is_refused_and_nothing_entered(
    conn: psycopg.Connection, track: Track, entry: Any, given: dict[str, Any], column: str, message: str
) -> None:
    given = {"player": ANN, **given}
    if entry is not PLAYER:
        track()
    enter = {
        PLAYER: lambda: track(**given),
        RANK: lambda: RANK.take(conn, **{**RANKED, **given}),
        TRAINING_SESSION: lambda: TRAINING_SESSION.add(conn, **{**TRAINED, **given}),
    }[entry]
    with pytest.raises(EntryError, match=message) as refused:
        enter()
    assert refused.value.column == column
    table = {PLAYER: "rl_players", RANK: "rl_ranks", TRAINING_SESSION: "training_sessions"}[entry]
    assert ops.select(conn, table, {}) == []


# ---------------------------------------------------------------- what the tables take from it


def test_what_is_entered_passes_the_rules_of_its_snapshot(url: SecretStr) -> None:
    with entering(url, "ada") as conn:
        PLAYER.take(conn, ANN, context=Custody(KEYS, now=NOW), consents=True, email=ADDRESS)
        RANK.take(conn, ANN, "ranked-doubles", rank="bronze-1")
        TRAINING_SESSION.add(conn, ANN, completed_at=NOW, duration_s=60, skill="saves", attempts=0, successes=0)
    assert set(SNAPSHOTS) == {RlPlayers, RlRanks, TrainingSessions}
    for table in SNAPSHOTS:
        assert table.validate(entered_rows(url, table)).height == 1
    assert {name: ops.versions(url)[name] for name in ("rl_players", "rl_ranks", "training_sessions")} == {
        "rl_players": 1, "rl_ranks": 1, "training_sessions": 1,
    }  # fmt: skip
