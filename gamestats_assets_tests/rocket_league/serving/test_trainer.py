"""What a player of Rocket League is answered: skills, progress, rank, comparison, training, matches."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import httpx
import psycopg
import pytest

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.rocket_league import tables as t
from gamestats_assets_tests.rocket_league.serving.trainer import (
    ANN,
    ANNS_OTHER,
    BOB,
    DOUBLES,
    DUELS,
    EVE,
    FIRST,
    LAST,
    MATCHES,
    OF_MATCH,
    PACK,
    TRACK,
    began,
    frames,
    link,
    saves,
    train,
    trained_by,
)
from gamestats_assets_tests.rocket_league.serving.trainer_examples import ACTS
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.serving.admin_examples import acts_done
from gamestats_assets_tests.serving.examples import TRAINED
from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.support.postgres_fixture import database

ROOT = "/api/v1"
Z = NormalDist().inv_cdf(0.95)


def data(browser: httpx.Client, path: str, **asked: Any) -> dict[str, Any]:
    answer = browser.get(f"{ROOT}{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_examples_are_what_is_answered(postgres_url: str, ops_template: str, tmp_path: Path) -> None:
    """To write them anew: python -m gamestats_assets_tests.serving.examples"""
    with (
        database(postgres_url, ops_template) as own,
        served(own, data=str(tmp_path)) as client,
        closing(trained_by(client, own, Objects(tmp_path / "objects"))) as ann,
    ):
        done, written = acts_done(ann, ACTS), json.loads(TRAINED.read_bytes())
    assert done == {of: written.get(of) for of in done}


# --------------------------------------------------------------------------- analytics


def test_skills_have_their_place_in_the_cohort(ann: httpx.Client) -> None:
    found = data(ann, "/analytics/weaknesses")
    of = found["of"]
    assert (of["player_id"], of["playlist"], of["matches"], of["rank"]) == (ANN, DOUBLES, MATCHES, "Champion I")
    assert [(each["playlist"], each["matches"]) for each in of["playlists"]] == [(DOUBLES, MATCHES), (DUELS, 3)]
    skills = {each["skill"]: each for each in found["skills"]}
    assert [*skills] == ["aerials", "saves", "positioning", "rotation", "shooting"]
    weak = skills["saves"]
    assert (weak["score"], weak["percentile"], weak["is_weakness"]) == (-1.5, 6.7, True)
    assert (weak["improvement_potential"], weak["cohort_players"], weak["evidence"]) == (0.46, 120, "Shows saves.")
    among = weak["distribution"]
    assert (among["from_tier"], among["to_tier"], among["players"]) == (15, 17, 120)
    # The cohort's 0.9 is 0.8 above its mean of 0.1, which is two of its deviations.
    assert (among["p95"], among["p50"], among["own"]) == (2.0, 0.0, -1.5)
    assert (among["own_low"], among["own_high"]) == pytest.approx((-2.0, -1.0), abs=0.01)
    refused = skills["rotation"]
    assert (refused["state"], refused["reason"], refused["score"]) == ("refused", "Nothing is known.", None)
    assert refused["distribution"] is None


def test_too_few_matches_say_how_many_it_takes(ann: httpx.Client) -> None:
    _, saves_in_duels, *_ = data(ann, "/analytics/weaknesses", playlist=DUELS)["skills"]
    assert saves_in_duels["reason"] == "Not enough matches yet: 3 of 5 with figures."
    prediction = data(ann, "/analytics/rank-prediction", playlist=DUELS)
    assert prediction["prediction"]["reason"] == "Not enough matches yet: 3 of 10 in Ranked duels."
    assert (prediction["prediction"]["predicted_tier"], prediction["model"]) == (None, None)


@pytest.mark.parametrize("path", ["weaknesses", "progress", "rank-prediction", "comparison"])
def test_answers_about_an_unknown_player_say_why_they_are_empty(new: httpx.Client, path: str) -> None:
    found = data(new, f"/analytics/{path}")
    wanted = "No match of steam_76561190000000009 has been analysed yet: agree to the analysis, and upload a replay."
    assert found["of"]["note"] == wanted
    assert not any(value for name, value in found.items() if name != "of")


def test_an_unplayed_playlist_has_a_note(ann: httpx.Client) -> None:
    of = data(ann, "/analytics/progress", playlist="ranked-hoops")["of"]
    assert (of["note"], of["matches"]) == (f"No match of {ANN} in ranked-hoops has been analysed yet.", 0)


def test_the_predicted_rank_comes_with_its_model_and_what_drives_it(ann: httpx.Client) -> None:
    found = data(ann, "/analytics/rank-prediction")
    prediction = found["prediction"]
    assert (prediction["predicted_tier"], prediction["predicted_rank"], prediction["known_rank"]) == (
        15.62,
        "Champion I",
        "Champion I",
    )
    assert (prediction["predicted_tier_low"], prediction["predicted_tier_high"]) == (14.1, 17.2)
    assert (prediction["expected_change_tiers"], prediction["horizon_days"]) == (0.31, 30)
    assert (prediction["change_note"], len(prediction["drivers"])) == ("Form: twelve matches.", 1)
    assert (found["model"]["version"], found["model"]["mean_error_tiers"]) == (3, 1.234)


def test_progress_is_the_mean_of_each_week_with_its_interval(ann: httpx.Client) -> None:
    [course] = data(ann, "/analytics/progress", stat="save_share")["stats"]
    weeks = {}
    for number in range(MATCHES):
        at = began(number)
        weeks.setdefault((at - timedelta(days=at.weekday())).date().isoformat(), []).append(saves(number))
    assert [(week["week"], week["matches"]) for week in course["weeks"]] == [(w, len(v)) for w, v in weeks.items()]
    for week in course["weeks"]:
        values = weeks[week["week"]]
        mean, reach = sum(values) / len(values), Z * 0.06 / len(values) ** 0.5
        assert (week["mean"], week["low"], week["high"]) == pytest.approx((mean, mean - reach, mean + reach), abs=1e-4)
    assert (course["unit"], course["more_is_better"], course["cohort_mean"]) == ("share", True, 0.3)
    assert course["percentile"] == pytest.approx(sum(5.0 * number for number in range(MATCHES)) / MATCHES, abs=0.05)


def test_a_trend_is_a_straight_line_through_the_matches_with_its_interval(ann: httpx.Client) -> None:
    trend = data(ann, "/analytics/progress", stat="save_share")["stats"][0]["trend"]
    days = [(began(number) - FIRST) / timedelta(days=1) for number in range(MATCHES)]
    values = [saves(number) for number in range(MATCHES)]
    middle, mean = sum(days) / MATCHES, sum(values) / MATCHES
    squares = sum((day - middle) ** 2 for day in days)
    slope = sum((day - middle) * (value - mean) for day, value in zip(days, values, strict=True)) / squares
    reach = Z * 0.06 / squares**0.5
    expected = (30 * slope, 30 * (slope - reach), 30 * (slope + reach))
    assert (trend["change"], trend["low"], trend["high"]) == pytest.approx(expected, abs=1e-4)
    assert (trend["state"], trend["days"], trend["is_beyond_chance"]) == ("measured", 30, True)
    [few] = data(ann, "/analytics/progress", stat="save_share", to="2026-09-04")["stats"]
    assert few["trend"]["reason"] == "Not enough matches yet: 4 of 10 with figures."
    assert (few["matches"], few["trend"]["change"]) == (4, None)


def test_progress_is_asked_for_by_a_skill_or_of_all_skills(ann: httpx.Client) -> None:
    assert [each["stat_type"] for each in data(ann, "/analytics/progress")["stats"]] == ["skill_saves"]
    of_saves = data(ann, "/analytics/progress", skill="saves")["stats"]
    assert [each["stat_type"] for each in of_saves] == ["skill_saves", "save_share"]
    # No cohort knows it, and the matches are all alike.
    boost = data(ann, "/analytics/progress", stat="avg_boost")["stats"][0]
    assert (boost["weeks"][0]["low"], boost["trend"]["state"], boost["cohort_mean"]) == (None, "refused", None)
    assert ann.get(f"{ROOT}/analytics/progress", params={"stat": "luck"}).status_code == 404
    both = ann.get(f"{ROOT}/analytics/progress", params={"stat": "save_share", "skill": "saves"})
    assert both.status_code == 422


def test_comparison_is_with_the_rank_with_similar_players_and_with_the_own_past(ann: httpx.Client) -> None:
    found = data(ann, "/analytics/comparison")
    stats = {each["stat_type"]: each for each in found["stats"]}
    assert [*stats] == ["skill_saves", "save_share", "avg_boost"]
    own = sum(saves(number) for number in range(MATCHES)) / MATCHES
    share = stats["save_share"]
    assert (share["own"], share["median"], share["players"], share["matches"]) == (
        pytest.approx(own),
        0.301,
        120,
        MATCHES,
    )
    assert (stats["avg_boost"]["median"], stats["avg_boost"]["percentile"]) == (None, None)
    assert [(each["of_next_rank"], each["other_rank"]) for each in found["nearest"]] == [
        (False, "Champion I"),
        (True, "Champion II"),
    ]
    assert BOB not in str(found["nearest"]), "others are not named"
    past = {each["stat_type"]: each for each in found["past"]}["save_share"]
    # Of the last 30 days are the four matches of October.
    assert (past["matches_before"], past["matches_since"], past["state"]) == (8, 4, "refused")
    assert past["reason"].startswith("Not enough matches yet: 4 of the last 30 days and 8 before")


# --------------------------------------------------------------------------- profile


def test_a_profile_has_the_accounts_with_their_ranks(ann: httpx.Client) -> None:
    entered = {"playlist": DUELS, "rank": "Diamond II", "division": 1}
    assert ann.put(f"{ROOT}/users/ranks", json=entered).status_code == 200
    found = data(ann, "/users/profile")
    assert (found["username"], found["steam_id"], found["epic_id"]) == ("ann", ANN[6:], ANNS_OTHER[5:])
    assert (found["current_rank"], found["email"]) == ("champion-1", None)
    account = found["players"][0]
    assert (account["player_id"], account["current_rank_tier"], account["is_analysed"]) == (ANN, 16, True)
    [rank] = account["ranks"]
    assert (rank["playlist"], rank["tier"], rank["rank"], rank["division"]) == (DUELS, 14, "Diamond II", 1)
    assert ann.delete(f"{ROOT}/users/ranks", params={"playlist": DUELS}).status_code == 204
    assert data(ann, "/users/profile")["players"][0]["ranks"] == []
    wrong = ann.put(f"{ROOT}/users/ranks", json={**entered, "rank": "champoin-1"})
    assert (wrong.status_code, "champion-1" in wrong.json()["detail"]) == (422, True)
    of_bob = ann.put(f"{ROOT}/users/ranks", params={"player": BOB}, json=entered)
    assert of_bob.status_code == 404


def test_statistics_are_the_newest_value_the_mean_and_the_place_in_the_rank(ann: httpx.Client) -> None:
    stats = {each["stat_type"]: each for each in data(ann, "/users/stats")["stats"]}
    share = stats["save_share"]
    mean = sum(saves(number) for number in range(MATCHES)) / MATCHES
    assert (share["newest"], share["mean"], share["matches"]) == (saves(MATCHES - 1), pytest.approx(mean), MATCHES)
    assert share["rank_percentile"] == pytest.approx(5.0 * (MATCHES - 1) / 2)
    first = data(ann, "/users/stats", stat="save_share", to="2026-09-01")["stats"][0]
    assert (first["matches"], first["newest"]) == (1, 0.2)
    assert ann.get(f"{ROOT}/auth/me").json()["players"] == [
        {"game": "rocket_league", "player_id": ANN},
        {"game": "rocket_league", "player_id": ANNS_OTHER},
    ]


# --------------------------------------------------------------------------- training


def test_recommendations_say_why_and_what_the_pack_is_or_why_there_is_none(
    ann: httpx.Client, new: httpx.Client, site: httpx.Client, url: str
) -> None:
    [advice] = data(ann, "/training/recommendations")["recommendations"]
    assert (advice["code"], advice["skill"], advice["reason"]) == (PACK, "saves", "A weakness: saves.")
    assert (advice["percentile"], advice["improvement_potential"], advice["is_weakness"]) == (6.7, 0.46, True)
    assert advice["description"]
    nothing = data(new, "/training/recommendations")
    wanted = "No match of yours has been analysed yet: agree to the analysis, and upload replays of ranked matches."
    assert nothing == {"recommendations": [], "note": wanted}
    with closing(browser_of(site, url, "bob")) as bob:
        assert data(bob, "/training/recommendations")["note"] == (
            "Recommendations need a measured skill; Ranked doubles has none. Not enough matches yet: 3 of 5 "
            "with figures."
        )


def test_a_suggested_session_fills_the_time_there_is(ann: httpx.Client) -> None:
    plan = data(ann, "/training/suggested", minutes=40)
    assert [(step["step"], step["minutes"], step["code"]) for step in plan["steps"]] == [(1, 40, PACK)]


def test_packs_are_searched_by_anybody(site: httpx.Client) -> None:
    found = data(site, "/training/packs", category="saves", difficulty_from=5, limit=3)
    assert len(found["packs"]) == 3
    assert all(each["category"] == "saves" and each["difficulty"] >= 5 for each in found["packs"])
    assert [each["code"] for each in data(site, "/training/packs", code=PACK.lower())["packs"]] == [PACK]
    wrong = site.get(f"{ROOT}/training/packs", params={"category": "save"})
    assert (wrong.status_code, "Did you mean saves?" in wrong.text) == (422, True)


def test_progress_of_training_is_by_skill_and_week(ann: httpx.Client) -> None:
    [trained] = data(ann, "/training/progress")["skills"]
    assert (trained["skill"], trained["sessions"], trained["minutes"], trained["success_share"]) == (
        "saves",
        3,
        60,
        0.6667,
    )
    # The last of three sessions less the first.
    assert trained["improvement_score"] == pytest.approx(0.9 - 0.5)
    assert [(week["week"], week["minutes"], week["success_share"]) for week in trained["weeks"]] == [
        ("2026-08-31", 20, 0.5),
        ("2026-09-07", 20, 0.6),
        ("2026-09-14", 20, 0.9),
    ]
    effect = trained["effect"]
    assert (effect["change"], effect["change_low"], effect["change_high"]) == (0.5, 0.1, 0.9)
    assert effect["has_helped"] is True


def test_a_session_is_logged_corrected_and_taken_back(ann: httpx.Client) -> None:
    given = {"code": PACK, "duration_s": 600, "attempts": 10, "successes": 10}
    logged = ann.post(f"{ROOT}/training/sessions", json=given)
    assert logged.status_code == 201, logged.text
    session = logged.json()["data"]
    assert (session["player_id"], session["skill"], session["note"]) == (
        ANN,
        "saves",
        "4 of 4 sessions of saves counted attempts and successes.",
    )
    assert session["improvement_score"] == pytest.approx(1.0 - 0.5)
    number = session["training_session_id"]
    corrected = ann.patch(f"{ROOT}/training/sessions/{number}", json={"successes": 4})
    assert corrected.json()["data"]["improvement_score"] == pytest.approx(0.4 - 0.5)
    assert data(ann, "/training/sessions")["sessions"][0]["successes"] == 4
    assert ann.delete(f"{ROOT}/training/sessions/{number}").status_code == 204
    assert ann.delete(f"{ROOT}/training/sessions/{number}").status_code == 404
    as_documented = {"training_pack_id": given["code"], "duration": 600}
    again = ann.post(f"{ROOT}/training/sessions", json=as_documented).json()["data"]
    assert (again["code"], again["duration_s"]) == (PACK, 600)
    assert ann.delete(f"{ROOT}/training/sessions/{again['training_session_id']}").status_code == 204
    too_many = ann.post(f"{ROOT}/training/sessions", json={**given, "successes": 11})
    assert (too_many.status_code, too_many.json()["errors"][0]["name"]) == (422, "successes")


def test_a_session_of_somebody_else_is_not_there(ann: httpx.Client, site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "bob")) as bob:
        [session] = data(bob, "/training/sessions")["sessions"]
    path = f"{ROOT}/training/sessions/{session['training_session_id']}"
    assert ann.delete(path).status_code == 404
    assert ann.patch(path, json={"duration_s": 5}).status_code == 404
    given = {"skill": "saves", "duration_s": 5}
    assert ann.post(f"{ROOT}/training/sessions", params={"player": BOB}, json=given).status_code == 404
    assert (
        ann.post(f"{ROOT}/training/sessions", params={"player": ANNS_OTHER}, json={"duration_s": 5}).status_code == 422
    )


# --------------------------------------------------------------------------- matches


def test_recent_replays_are_of_all_own_accounts_the_newest_first(ann: httpx.Client) -> None:
    found = data(ann, "/replays/recent", limit=100)
    assert found["next"] is None
    times = [each["created_at"] for each in found["replays"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == MATCHES + 3 + 1
    newest = found["replays"][0]
    assert (newest["match_id"], newest["result"], newest["duration_s"]) == (LAST, "win", 330.0)
    assert (newest["board"]["goals"], newest["board"]["rank"], newest["has_replay"]) == (3, "Champion I", True)
    [skill] = newest["skills"]
    assert (skill["skill"], skill["percentile"]) == ("saves", 5.0 * (MATCHES - 1))
    of_other = data(ann, "/replays/recent", player=ANNS_OTHER)["replays"]
    assert [each["player_id"] for each in of_other] == [ANNS_OTHER]
    in_duels = data(ann, "/replays/recent", playlist=DUELS)["replays"]
    assert {each["playlist"] for each in in_duels} == {DUELS}


def test_pages_of_a_list_do_not_shift_when_something_new_comes(ann: httpx.Client, url: str) -> None:
    first = data(ann, "/training/sessions", limit=2)
    train(url, ANN, {"code": PACK, "duration_s": 60})
    rest = data(ann, "/training/sessions", limit=2, before=first["next"])
    assert [each["completed_at"] for each in rest["sessions"]] == [f"{FIRST:%Y-%m-%dT%H:%M:%SZ}"]
    assert rest["next"] is None
    assert ann.get(f"{ROOT}/training/sessions", params={"before": "2026-13-01"}).status_code == 422


# --------------------------------------------------------------------------- one replay


def test_a_replay_is_the_scoreboard_the_own_analysis_and_what_happened(ann: httpx.Client) -> None:
    found = data(ann, f"/replays/{LAST}")
    assert (found["status"], found["upload_id"], found["note"]) == ("done", None, None)
    match = found["match"]
    assert (match["score_team_0"], match["score_team_1"], match["result"], match["has_track"]) == (3, 1, "win", True)
    assert [(each["place"], each["player_name"], each["is_own"]) for each in found["players"]] == [
        (0, "Eve", False),
        (1, "Ann", True),
        (2, "Bob", False),
        (3, "<i>kid", False),
    ]
    assert found["player"] == 1
    assert BOB not in str(found), "accounts of others are not told"
    moments = [(each["kind"], each["player"], each["other_player"], each["is_own"]) for each in found["moments"]]
    # Bob's own mistakes are his to know.
    assert moments == [("goal", 1, 0, True), ("boost_starved", 1, None, True), ("conceded", 1, 2, True)]
    assert (found["moments"][0]["speed_uu_s"], found["moments"][1]["end_s"]) == (2346, 64.5)


def test_the_analysis_is_against_the_own_usual_and_the_rank(ann: httpx.Client) -> None:
    features = {each["stat_type"]: each for each in data(ann, f"/replays/{LAST}")["analysis"]}
    assert [*features] == ["skill_saves", "save_share", "avg_boost"]
    share, others = features["save_share"], [saves(number) for number in range(MATCHES - 1)]
    mean = sum(others) / len(others)
    spread = (sum((value - mean) ** 2 for value in others) / (len(others) - 1)) ** 0.5
    assert (share["value"], share["usual"]) == (pytest.approx(saves(MATCHES - 1)), pytest.approx(mean))
    assert (share["usual_spread"], share["usual_matches"]) == (pytest.approx(spread, abs=1e-5), MATCHES - 1)
    # 31% is 1.8 of these deviations above the usual 25%.
    assert share["is_unusual"] is True
    assert (share["cohort_mean"], share["cohort_players"], share["percentile"]) == (0.3, 120, 55.0)
    assert (features["avg_boost"]["is_unusual"], features["avg_boost"]["percentile"]) == (None, None)


def test_who_played_a_match_shares_it_before_anything_is_analysed(site: httpx.Client, url: str) -> None:
    link(url, "eve", EVE)
    with closing(browser_of(site, url, "eve")) as eve:
        for match_id in (LAST, LAST.lower()):
            assert data(eve, f"/replays/{match_id}")["match"]["match_id"] == LAST
            shared = eve.post(f"{ROOT}/replays/{match_id}/share")
            assert (shared.status_code, shared.json()["data"]["match_id"]) == (201, LAST)
            assert eve.delete(f"{ROOT}/replays/{match_id}/share").status_code == 204


def test_a_replay_is_shown_to_who_played_it_or_sent_it_alone(
    ann: httpx.Client, new: httpx.Client, site: httpx.Client, url: str
) -> None:
    with closing(browser_of(site, url, "bob")) as bob:
        of_bob = data(bob, f"/replays/{LAST}")
    assert (of_bob["player"], [each["player"] for each in of_bob["moments"]]) == (2, [1, 2])
    for path in (LAST, f"{LAST}/moments", f"{LAST}/track", "3f0c1f6e-3a51-4e1c-9a37-6a1f7f0f7a11", "recently"):
        assert new.get(f"{ROOT}/replays/{path}").status_code == 404
    with psycopg.connect(url) as conn:
        query = """
            WITH job AS (
                INSERT INTO ops.jobs (kind, game, user_id, state, said)
                SELECT 'replay', 'rocket_league', user_id, %s, 'waiting' FROM accounts.users WHERE name = 'new'
                RETURNING job_id, user_id
            )
            INSERT INTO ops.rl_uploads (user_id, content_hash, file_name, bytes, job_id, match_id)
            SELECT user_id, %s, 'a.replay', 1, job_id, %s FROM job RETURNING upload_id
        """
        [[waiting], [read]] = [
            conn.execute(query, [state, 64 * digit, match]).fetchall()[0]
            for state, digit, match in (("queued", "a", None), ("done", "b", LAST))
        ]
    found = data(new, f"/replays/{waiting}")
    assert (found["status"], found["said"], found["match"], found["file_name"]) == (
        "queued",
        "waiting",
        None,
        "a.replay",
    )
    found = data(new, f"/replays/{read}")
    assert (found["status"], found["match"]["match_id"], found["upload_id"]) == ("done", LAST, str(read))
    # Who sent it and did not play it sees what happened.
    assert (found["player"], found["analysis"], [each["kind"] for each in found["moments"]]) == (None, [], ["goal"])
    assert data(new, f"/replays/{LAST}")["upload_id"] == str(read)
    assert ann.get(f"{ROOT}/replays/{waiting}").status_code == 404


def test_the_track_is_streamed_to_who_may_see_the_replay(ann: httpx.Client) -> None:
    first = ann.get(f"{ROOT}/replays/{LAST}/track")
    assert (first.status_code, first.content) == (200, gzip.decompress(TRACK))
    assert (first.headers["content-encoding"], first.headers["content-length"]) == ("gzip", str(len(TRACK)))
    has = {"If-None-Match": first.headers["etag"]}
    assert ann.get(f"{ROOT}/replays/{LAST}/track", headers=has).status_code == 304
    plain = ann.get(f"{ROOT}/replays/{LAST}/track", headers={"Accept-Encoding": "identity"})
    assert ("content-encoding" in plain.headers, plain.content) == (False, first.content)


def test_clips_are_the_own_moments_of_a_kind(ann: httpx.Client) -> None:
    [clip] = data(ann, "/replays/clips", kind="conceded")["clips"]
    assert (clip["match_id"], clip["player_id"], clip["player"], clip["playlist"]) == (LAST, ANN, 1, DOUBLES)
    assert (clip["time_s"], clip["from_s"], clip["to_s"]) == (90.25, 85.25, 93.25)
    [starved] = data(ann, "/replays/clips", kind="boost_starved", playlist=DOUBLES)["clips"]
    assert (starved["from_s"], starved["to_s"]) == (55.0, 67.5)
    assert data(ann, "/replays/clips", kind="save") == {"clips": [], "next": None}
    assert ann.get(f"{ROOT}/replays/clips", params={"kind": "luck"}).status_code == 422


# --------------------------------------------------------------------------- what is there first


def test_answers_have_what_is_known_before_there_are_cohorts(
    postgres_url: str, ops_template: str, folder: Path
) -> None:
    first = (t.Matches, t.PlayerStats, t.Weaknesses, t.RankPredictions)
    with database(postgres_url, ops_template) as own, served(own, data=str(folder)) as client:
        link(own, "ann", ANN)
        with closing(browser_of(client, own, "ann")) as ann:
            # Nothing is published at all.
            assert data(ann, "/analytics/weaknesses")["skills"] == []
            assert data(ann, "/replays/recent")["replays"] == []
            assert ann.get(f"{ROOT}/replays/{LAST}").status_code == 404
            for table in first:
                given = [row for row in frames()[table] if row["player_id"] == ANN]
                publish(own, table, [ANN], rows(table, *given))
            for table in (t.MatchFacts, t.Participants):
                publish(own, table, [began(MATCHES - 1).date()], rows(table, *OF_MATCH[table]))
            skills = data(ann, "/analytics/weaknesses")["skills"]
            assert [each["distribution"] for each in skills] == [None] * 5
            assert data(ann, "/analytics/progress", stat="save_share")["stats"][0]["cohort_mean"] is None
            assert data(ann, "/analytics/rank-prediction")["model"] is None
            assert data(ann, "/analytics/comparison")["stats"][0]["median"] is None
            found = data(ann, f"/replays/{LAST}")
            assert (found["moments"], found["match"]["has_track"]) == ([], False)
            assert [each["cohort_mean"] for each in found["analysis"]] == [None] * 3


# --------------------------------------------------------------------------- whatever is asked


@pytest.mark.parametrize("only", ["analytics", "training", "replays/{id}", "replays/r", "replays/clips", "users/r"])
def test_answers_are_as_described_whatever_is_asked(ann: httpx.Client, site: httpx.Client, only: str) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in ann.cookies.items())
    headers = {"Cookie": cookies, "X-CSRF-Token": ann.headers["X-CSRF-Token"]}
    statuses, _ = fuzz(str(site.base_url).rstrip("/"), 2, only=f"{ROOT}/{only}", headers=lambda: headers)
    assert statuses
    assert statuses.keys() <= {"200", "201", "204", "400", "401", "404", "409", "422"}
