"""What is a person's own is answered to that person and to whom it lets see it, and to nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import dataframely as dy
import httpx
import polars as pl
import psycopg
import pytest
from pydantic import BaseModel

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.people.own import OfPlayer, OwnRouter, Scope, show_matches
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import AUTH, browser_of, user_named
from gamestats_assets_tests.support.postgres_fixture import database

ANN, ANNS_OTHER, BOB, NOBODY = "steam_1", "epic_1", "steam_2", "steam_9"
SCORES = "/api/v1/chess/scores"
MADE: list[str | None] = []
"""Whom answers were about that were made anew."""


class Games(Table, key="chess/games", layer="gold", partitioned_by="player_id", published=True,
            guarded_by=("player_id", "match_id")):  # fmt: skip
    """Games of players."""

    player_id = dy.String(primary_key=True, description="Player.")
    match_id = dy.String(primary_key=True, description="Game.")
    score = dy.Int32(description="Score.")
    is_simulated = dy.Bool(description="Whether it was simulated.")


class Answer(BaseModel):
    """Scores."""

    scores: list[int]


async def read(conn: Connection) -> list[dict[str, Any]]:
    # Whose rows these are is asked of PostgreSQL alone.
    return await (await conn.execute("SELECT player_id, score FROM chess.games ORDER BY 1, score")).fetchall()


router = OwnRouter("chess", "/chess")


@router.asks("/entered", "Entered", Answer, (Games,), "never", needs_player=False)
@router.asks("/scores", "Scores", Answer, (Games,), "player")
async def scores(conn: Connection, asked: OfPlayer, scope: Scope) -> dict[str, Any]:
    """All scores that can be read."""
    MADE.append(scope.player)
    return {"data": {"player": scope.player, "rows": await read(conn), "is_own": scope.is_own}}


@router.asks("/matches", "Scores of a match", Answer, (Games,), "tables")
async def match_scores(conn: Connection, asked: OfPlayer, scope: Scope) -> dict[str, Any]:
    """Those of all players in one match of the player."""
    await show_matches(conn, ["m1"])
    return {"data": {"rows": await read(conn)}}


def written(url: str, player: str, **scored: int) -> None:
    rows = [{"player_id": player, "match_id": match, "score": score, "is_simulated": player == BOB}
            for match, score in scored.items()]  # fmt: skip
    frame = pl.DataFrame(rows, schema=Games.schema())
    publish(url, Games, [player], frame, content_hash={player: f"{scored}"})


def linked(url: str, name: str, *players: str) -> int:
    user_id = user_named(url, name)["user_id"]
    with psycopg.connect(url) as conn:
        for player in players:
            conn.execute(
                "INSERT INTO accounts.players (user_id, game, player_id, state, told_by) "
                "VALUES (%s, 'chess', %s, 'linked', 'admin')",
                [user_id, player],
            )
    return user_id


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        written(found, ANN, m1=10, m2=11, m3=12)
        written(found, ANNS_OTHER, m4=20)
        written(found, BOB, m1=30)
        written(found, NOBODY, m1=40, m2=41)
        yield found


@pytest.fixture(scope="module")
def site(url: str) -> Iterator[httpx.Client]:
    game = Game("chess", "Chess", Path(__file__).parent, [router],
                matches=(Games, "is_simulated"))  # fmt: skip
    linked(url, "ann", ANNS_OTHER, ANN)
    linked(url, "bob", BOB)
    with served(url, games=[game]) as client:
        yield client


def rows(answer: httpx.Response) -> list[tuple[str, int]]:
    assert answer.status_code == 200, answer.text
    return [(row["player_id"], row["score"]) for row in answer.json()["data"]["rows"]]


def test_a_person_sees_only_own_rows(site: httpx.Client, url: str) -> None:
    assert site.get(SCORES).status_code == 401
    with closing(browser_of(site, url, "bob")) as bob:
        answer = bob.get(SCORES)
        assert rows(answer) == [(BOB, 30)]
        about = answer.json()["metadata"]
        assert (about["player"], about["is_simulated"]) == (BOB, True)
        assert bob.get(SCORES, params={"player": ANN}).status_code == 404
        assert bob.get(SCORES, params={"player": NOBODY}).status_code == 404
        token = bob.post(f"{AUTH}/token").json()["access_token"]
    # A program is answered as its person is.
    assert rows(site.get(SCORES, headers={"Authorization": f"Bearer {token}"})) == [(BOB, 30)]
    assert site.get(SCORES).status_code == 401


def test_of_several_accounts_it_is_about_the_one_with_the_most_matches(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "ann")) as ann:
        answer = ann.get(SCORES)
        assert answer.json()["data"]["player"] == ANN
        assert rows(answer) == [(ANNS_OTHER, 20), (ANN, 10), (ANN, 11), (ANN, 12)]
        assert ann.get(SCORES, params={"player": ANNS_OTHER}).json()["data"]["player"] == ANNS_OTHER


def test_without_an_account_a_person_is_asked_to_link_one(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "eve")) as eve:
        answer = eve.get(SCORES)
        assert (answer.status_code, "Link one" in answer.text) == (404, True)
        assert rows(eve.get("/api/v1/chess/entered")) == []


def test_rows_of_others_in_a_match_are_shown_where_a_route_allows(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "bob")) as bob:
        assert rows(bob.get("/api/v1/chess/matches")) == [(ANN, 10), (BOB, 30), (NOBODY, 40)]
        # In the next transaction of the connection nothing of that is left.
        assert rows(bob.get("/api/v1/chess/entered")) == [(BOB, 30)]


def test_a_guest_sees_rows_until_the_invitation_ends(site: httpx.Client, url: str) -> None:
    coach_id, ann_id = linked(url, "coach"), user_named(url, "ann")["user_id"]
    with psycopg.connect(url, autocommit=True) as conn, closing(browser_of(site, url, "coach")) as coach:
        assert coach.get(SCORES, params={"player": ANN}).status_code == 404
        conn.execute(
            "INSERT INTO accounts.invitations (user_id, game, token_hash, guest_id, accepted_at, expires_at) "
            "VALUES (%s, 'chess', 'x', %s, now(), now())",
            [ann_id, coach_id],
        )
        answer = coach.get(SCORES, params={"player": ANN})
        assert {player for player, _ in rows(answer)} == {ANN, ANNS_OTHER}
        assert answer.json()["data"]["is_own"] is False
        conn.execute("DELETE FROM accounts.invitations")
        assert coach.get(SCORES, params={"player": ANN}).status_code == 404


def test_an_own_answer_holds_until_the_player_changes(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "bob")) as bob, closing(browser_of(site, url, "ann")) as ann:
        first = bob.get(SCORES)
        assert (first.headers["cache-control"], first.headers["etag"][0]) == ("private, no-cache", '"')
        unchanged: Mapping[str, str] = {"If-None-Match": first.headers["etag"]}
        assert bob.get(SCORES, headers=unchanged).status_code == 304
        assert ann.get(SCORES, headers=unchanged).status_code == 200
        MADE.clear()
        written(url, ANN, m1=10, m2=11, m3=13)
        _until(lambda: (ANN, 13) in rows(ann.get(SCORES)))
        # Of what somebody else played nothing of it is made anew.
        assert bob.get(SCORES, headers=unchanged).status_code == 304
        assert MADE == [ANN]
        written(url, BOB, m1=31)
        _until(lambda: rows(bob.get(SCORES)) == [(BOB, 31)])


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < deadline


def test_changes_during_a_lost_connection_are_not_missed(site: httpx.Client, url: str) -> None:
    """The connection on which it is told is lost, and something is published meanwhile."""
    with closing(browser_of(site, url, "bob")) as bob, psycopg.connect(url, autocommit=True) as conn:
        bob.get(SCORES)
        # Nobody is told of what is written so, as of what is published while a connection is lost.
        conn.execute("UPDATE chess.games SET score = 77 WHERE player_id = %s", [BOB])
        conn.execute("UPDATE chess.published_versions SET version = version + 1")
        conn.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND application_name = 'gamestats serve'"
        )
        # It listens again by then, and nobody asked meanwhile.
        time.sleep(1)
        assert site.get("/readyz").status_code == 200
        assert rows(bob.get(SCORES)) == [(BOB, 77)]
