"""Jobs after a player is linked to a user, and after a user removes a match."""

from __future__ import annotations

from collections.abc import Sequence

from gamestats_assets.lakehouse.entries.jobs import JobContext, Task
from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.rocket_league.privacy.erasure import mask_matches
from gamestats_assets.rocket_league.privacy.people_objects import upload_object
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.uploads.uploading import ANALYSIS_FAILED, needed


def take_up_matches(context: JobContext, tasks: Sequence[Task]) -> None:
    """Build the tables of newly linked players from matches that have landed already."""
    players = sorted({task.job.payload["player_id"] for task in tasks})
    for task in tasks:
        task.say("looking through existing matches")
    if context.follow(GAME, names=players, only=needed(context.stores)):
        for task in tasks:
            task.fail(ANALYSIS_FAILED)
        return
    with explained("ops.jobs"), connect(context.stores.postgres_url) as conn:
        conn.execute(_PLAYED_AFTER_ALL, [GAME, players])


# Corrects the results of uploads whose sender was linked to one of their players only now.
_PLAYED_AFTER_ALL = """
    UPDATE ops.jobs SET said = 'done', result = result || jsonb_build_object('own_players', own.players)
    FROM (
        SELECT u.job_id, jsonb_agg(DISTINCT p.player_id) AS players
        FROM ops.rl_uploads u
        JOIN accounts.players p ON p.user_id = u.user_id AND p.game = %s AND p.state = 'linked'
        JOIN rocket_league.participants m ON m.match_id = u.match_id AND m.player_id = p.player_id
        WHERE p.player_id = ANY(%s) GROUP BY u.job_id
    ) AS own
    WHERE jobs.job_id = own.job_id AND state = 'done'
"""


def forget_match(context: JobContext, tasks: Sequence[Task]) -> None:
    """Mask a user's players in matches, and delete the user's uploads of them.

    A match belongs to all who played it: it stays, with a masked player in the user's place.
    """
    stores = context.stores
    for task in tasks:
        match_id, players = task.job.payload["match_id"], [*task.job.payload["player_ids"]]
        task.say("masking you in the match")
        day = stores.landing.day_of(GAME, match_id)
        if day is not None and players:
            mask_matches(stores, {(day, match_id): players})
        with explained("ops.rl_uploads"), connect(stores.postgres_url) as conn, conn.transaction():
            gone = conn.execute(
                "DELETE FROM ops.rl_uploads WHERE user_id = %s AND match_id = %s RETURNING upload_id",
                [task.job.user_id, match_id],
            ).fetchall()
            conn.execute(
                "DELETE FROM accounts.shares WHERE user_id = %s AND game = %s AND match_id = %s",
                [task.job.user_id, GAME, match_id],
            )
        for (upload_id,) in gone:
            stores.objects.delete(upload_object(upload_id))
        task.say("rebuilding the tables without you")
        days = [day] if day is not None else []
        if context.follow(GAME, days=days, names=players, only=needed(stores)):
            task.fail(ANALYSIS_FAILED)
        else:
            task.done({"match_id": match_id})
