"""Examples of what players of Rocket League ask: one of each operation, by Ann of `trainer`, in this order."""

from __future__ import annotations

from gamestats_assets_tests.rocket_league.serving.trainer import DOUBLES, FIRST, LAST, PACK
from gamestats_assets_tests.serving.admin_examples import Act

_SESSION = {"code": PACK, "duration_s": 1200, "attempts": 60, "successes": 36, "completed_at": FIRST.isoformat()}
ACTS: tuple[Act, ...] = (
    Act("GET", "/replays/recent", query={"limit": 1}),
    Act("GET", "/replays/clips", query={"kind": "conceded"}),
    Act("GET", "/replays/{id}", LAST),
    Act("GET", "/replays/{id}/moments", LAST, query={"kind": "goal"}),
    Act("POST", "/training/sessions", body=_SESSION),
    Act("PATCH", "/training/sessions/{training_session_id}", 1, {"successes": 40}),
    Act("GET", "/training/sessions"),
    Act("GET", "/training/progress"),
    Act("GET", "/training/recommendations"),
    Act("GET", "/training/suggested", query={"minutes": 45}),
    Act("GET", "/training/packs", query={"category": "saves", "difficulty_from": 8, "limit": 2}),
    Act("PUT", "/users/ranks", body={"playlist": DOUBLES, "rank": "champion-2", "division": 3}),
    Act("GET", "/users/profile"),
    Act("GET", "/users/stats", query={"stat": "save_share"}),
    Act("GET", "/analytics/weaknesses"),
    Act("GET", "/analytics/progress", query={"stat": "save_share", "playlist": DOUBLES}),
    Act("GET", "/analytics/rank-prediction"),
    Act("GET", "/analytics/comparison"),
    Act("PUT", "/users/consents", body={"models": False}),
    Act("GET", "/users/consents"),
)
