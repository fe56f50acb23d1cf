"""Made-up people of the trainer, any number of them, as published tables would hold them: written by PostgreSQL itself.

Person number n is user n, has one account of the game (`player_id(n)`), between `fewest` and `most` matches (as many
people with 50 to 100 as with 250 to 500), and a browser's session whose cookie is `cookie(n)`. What is random is the
same each time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.postgres.server import connect, has_table
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.published.tables import ensure_table
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import FEATURES, SKILL
from gamestats_assets.rocket_league.tables.gold import SKILLS

PLAYLISTS = ("ranked-doubles", "ranked-standard")
TIER = 13
_DAYS = 360
_LATER = 12
"""Matches of a person, the last ones, of which everything is there: who played, what happened."""


def player_id(number: int) -> str:
    """The account of a person."""
    return f"steam_7656119{number:010d}"


def cookie(number: int) -> str:
    """The token of a person's session."""
    return f"made-up-{number}"


@dataclass(slots=True)
class People:
    """So many people, with so many matches each, and so many features of each match."""

    people: int = 10_000
    fewest: int = 50
    most: int = 500
    features: int = len(FEATURES)
    filled: dict[str, float] = field(default_factory=dict)

    def publish(self, url: str) -> None:
        """Fill all tables that are empty, and note in `filled` how many rows each has, and the seconds that took."""
        began = time.monotonic()
        with connect(url) as conn:
            if has_table(conn, t.Users.spec.game, t.Users.spec.name):
                return
        # So that PostgreSQL has a part of the table for each month.
        ago = [datetime.now(UTC) - timedelta(days=days) for days in range(0, _DAYS + 31, 7)]
        row = {"player_id": "steam_0", "match_id": "0", "playlist": PLAYLISTS[0], "stat_type": "", "value": 0.0}
        frame = pl.DataFrame([{**row, "time": at, "is_simulated": True} for at in ago], schema=t.PlayerStats.schema())
        publish(url, t.PlayerStats, ["steam_0"], frame)
        with connect(url) as conn:
            self.filled |= self._fill(conn)
        self.filled["seconds"] = round(time.monotonic() - began, 1)

    def _fill(self, conn: psycopg.Connection) -> dict[str, int]:
        with conn.transaction():
            conn.execute("SELECT setseed(0.5)")
            self._people(conn)
            self._matches(conn)
            rows = {name: conn.execute(query).rowcount for name, query in self._tables(conn).items()}
        # As PostgreSQL does by itself in the minutes after so much is written.
        conn.execute("VACUUM ANALYZE")
        return rows

    def _statistics(self) -> list[str]:
        return [*(f"{SKILL}{skill}" for skill in SKILLS), *FEATURES[: self.features]]

    def _people(self, conn: psycopg.Connection) -> None:
        """Users with their sessions and their one player, who agreed to everything."""
        conn.execute(
            "INSERT INTO accounts.users (user_id, name, name_key) OVERRIDING SYSTEM VALUE "
            "SELECT n, 'person ' || n, 'person ' || n FROM generate_series(1, %s) AS n",
            [self.people],
        )
        conn.execute(
            "INSERT INTO accounts.sessions (user_id, token_hash, device, expires_at) SELECT user_id, "
            "sha256(('made-up-' || user_id)::bytea), 'Firefox on Linux', now() + interval '30 days' FROM accounts.users"
        )
        conn.execute(
            "INSERT INTO accounts.players (user_id, game, player_id, state, told_by) SELECT user_id, 'rocket_league', "
            "'steam_7656119' || lpad(user_id::text, 10, '0'), 'linked', 'sign_in' FROM accounts.users"
        )
        conn.execute(
            "INSERT INTO ops.rl_players (player_id, username, wanted_since, consented_at, cohorts_at, models_at, "
            "comparison_at, consent_text) "
            "SELECT player_id, name, now() - interval '1 year', now(), now(), now(), now(), 1 "
            "FROM accounts.players JOIN accounts.users USING (user_id)"
        )

    def _matches(self, conn: psycopg.Connection) -> None:
        """What everything is made of: each person's matches, numbered from the newest."""
        conn.execute(
            """
            CREATE TEMPORARY TABLE played AS
            SELECT player_id, k, upper(md5(n || '-' || k)) AS match_id, at, at::date AS day,
                (%(playlists)s::text[])[1 + n %% 2] AS playlist, won, random() AS x
            FROM generate_series(1, %(people)s) AS n,
                LATERAL (SELECT 'steam_7656119' || lpad(n::text, 10, '0') AS player_id,
                    floor(%(fewest)s * power(%(most)s::float / %(fewest)s, random()) + n * 0)::int AS count) AS person,
                LATERAL generate_series(1, count) AS k,
                LATERAL (SELECT date_trunc('day', now()) - make_interval(mins => (k * %(days)s * 1440 / count)::int
                    + n %% 1440) AS at, random() < 0.5 AS won) AS time
            """,
            {"people": self.people, "fewest": self.fewest, "most": self.most, "days": _DAYS}
            | {"playlists": [*PLAYLISTS]},
        )
        conn.execute("CREATE INDEX ON played (player_id, k)")
        conn.execute("ANALYZE played")

    def _tables(self, conn: psycopg.Connection) -> Mapping[str, sql.Composed]:
        """A statement that fills each table."""
        stats = sql.SQL("unnest({}::text[]) AS stat_type").format(sql.Literal(self._statistics()))
        skills = sql.SQL("unnest({}::text[]) AS skill").format(sql.Literal([*SKILLS]))
        one = "(SELECT DISTINCT ON (player_id) player_id, playlist, day, x FROM played ORDER BY player_id, k) AS own"
        features = {name: "random()" for name in FEATURES}
        return {
            "users": _filled(
                conn, t.Users, f"{one}", username="'person'", current_rank="'diamond-1'", current_rank_tier=TIER,
                is_simulated="true", created_at="now()", updated_at="now()",
            ),
            "matches": _filled(
                conn, t.Matches, "played", duration_s="330", score_team_0="(2 + won::int)", score_team_1="2",
                result="CASE WHEN won THEN 'win' ELSE 'loss' END", is_simulated="true", processed_at="at",
                created_at="at", replay_data=sql.SQL("{}::jsonb").format(sql.Literal(_replay_data())),
            ),
            "player_stats": _filled(
                conn, t.PlayerStats, sql.SQL("played, ") + stats, time="at", stat_type="stat_type", value="random()",
                rank_percentile="100 * random()", is_simulated="true",
            ),
            "player_match_features": _filled(
                conn, t.PlayerMatchFeatures, "played", match_date="day", is_simulated="true", started_at="at",
                stats_source="'replay'", team_size="2", played_s="300", rank_tier=TIER, won="won", **features,
            ),
            "weaknesses": _filled(
                conn, t.Weaknesses, sql.SQL(f"{one}, ") + skills, is_simulated="true", skill="skill",
                state="'measured'", rank_tier=TIER, cohort_players="400", matches="60", score="x - 0.5",
                percentile="100 * x", percentile_low="90 * x", percentile_high="100", confidence="0.8",
                is_weakness="x < 0.2", improvement_potential="x", evidence="'Time goal-side of the ball is low.'",
            ),
            "rank_predictions": _filled(
                conn, t.RankPredictions, one, is_simulated="true", state="'measured'", model_version="1", matches="60",
                known_tier=TIER, predicted_tier="13.2", predicted_tier_low="12", predicted_tier_high="14.5",
                drivers="ARRAY['supersonic share']", horizon_days="30", expected_change_tiers="0.2",
                expected_change_low="-0.3", expected_change_high="0.7", form_change_tiers="0.2",
                change_note="'Recent form.'",
            ),
            "training_recommendations": _filled(
                conn, t.TrainingRecommendations, f"{one}, generate_series(1, 10) AS rank", is_simulated="true",
                rank="rank", code="upper(lpad(rank::text, 4, '0')) || '-0000-0000-0000'", pack_name="'Pack ' || rank",
                skill="'saves'", difficulty="5", reason="'A weakness: saves.'", times_trained="0",
            ),
            "player_comparison": _filled(
                conn, t.PlayerComparison,
                f"{one}, generate_series(1, 5) AS place, (VALUES (true), (false)) AS n (of_next_rank)",
                is_simulated="true", place="place", of_next_rank="of_next_rank", other_player_id="'steam_1'",
                other_rank_tier=TIER, other_matches="80", distance="x", differences="ARRAY['faster']",
            ),
            "rank_cohorts": _filled(
                conn, t.RankCohorts,
                sql.SQL("unnest({}::text[]) AS playlist, unnest({}::text[]) AS feature").format(
                    sql.Literal([*PLAYLISTS]), sql.Literal([*FEATURES, *(f"skill_{skill}" for skill in SKILLS)])
                ),
                is_simulated="true", rank_tier=TIER, feature="feature", from_tier=TIER, to_tier=TIER, players="400",
                matches="20000", mean="0.5", mean_standard_error="0.01", match_spread="0.3", within_spread="0.25",
                between_spread="0.1", match_quantiles="ARRAY(SELECT q / 20.0 FROM generate_series(0, 20) AS q)",
                p05="0.1", p25="0.3", p50="0.5", p75="0.7", p95="0.9",
            ),
        }  # fmt: skip


def _replay_data() -> str:
    features = ", ".join(f'"{name}": 0.4321' for name in FEATURES)
    return f'{{{features}, "player_name": "person", "team": "blue", "score": 412, "goals": 1, "saves": 2, "shots": 3}}'


def _filled(
    conn: psycopg.Connection, table: type[Table], source: str | sql.Composable, **given: object
) -> sql.Composed:
    """The statement that fills a table from a source; columns that are not given are the source's, or null."""
    ensure_table(conn, table)
    found = source if isinstance(source, sql.Composable) else sql.SQL(source)  # pyright: ignore[reportArgumentType]
    known = {"player_id", "match_id", "playlist"}
    columns = {
        name: given.get(name, name if name in known else None)
        for name in table.column_names()
        if name in given or (name in known and name in _columns_of(table))
    }
    values = [
        value if isinstance(value, sql.Composable) else sql.SQL(str(value))  # pyright: ignore[reportArgumentType]
        for value in columns.values()
    ]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        sql.Identifier(table.spec.game, table.spec.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(values),
        found,
    )


def _columns_of(table: type[Table]) -> set[str]:
    return {*table.column_names()}
