"""`gamestats user`: who may sign in, and what they may do there."""

from __future__ import annotations

import re

import psycopg

from gamestats_assets_tests.cli.runner import Admin


def test_users_are_added_once_under_names_that_can_be_seen(admin: Admin) -> None:
    assert "user alice with the role admin" in admin.does("user", "add", "alice", "--role", "admin")
    assert "gamestats user link kim" in admin.does("user", "add", " kim ")
    assert "There is a user 'alice' already." in admin.fails("user", "add", "ALICE")
    # The same letters in another form of Unicode.
    assert "There is a user 'kim' already." in admin.fails("user", "add", "ｋｉｍ")
    for name in ("", " ", "a\tb", "a\u202eb", "x" * 65):
        assert "1 to 64 visible characters" in admin.fails("user", "add", name)
    assert "none of premium, tournament_admin, admin" in admin.fails("user", "add", "lee", "--role", "boss")
    # What fails leaves nothing.
    assert [(row["name"], row["roles"]) for row in admin.lists("user", "list")] == [("alice", ["admin"]), ("kim", [])]


def test_a_name_that_nobody_has_is_told_with_the_nearest(admin: Admin) -> None:
    for command in (("link", "alice"), ("role", "alice", "admin"), ("remove", "alice")):
        assert "There is no user 'alice'; there is none yet." in admin.fails("user", *command)
    admin.does("user", "add", "alice")
    for command in (("link", "alcie"), ("role", "alcie", "admin"), ("remove", "alcie")):
        assert "There is no user 'alcie'; did you mean alice?" in admin.fails("user", *command)
    assert "/sign-in/link?token=" in admin.does("user", "link", "ALICE")


def test_a_link_is_one_address_on_its_own_line_for_where_it_is_served(admin: Admin) -> None:
    admin.does("user", "add", "alice")
    for settings, asked, start in (
        ({}, (), "http://127.0.0.1:8000"),
        ({"GAMESTATS_PUBLIC_URL": "https://stats.example.org"}, (), "https://stats.example.org"),
        ({}, ("--at", "http://127.0.0.1:8080/"), "http://127.0.0.1:8080"),
    ):
        output = admin("user", "link", "alice", *asked, **settings)
        assert re.fullmatch(rf"{start}/sign-in/link\?token=[\w-]{{43}}\n", output.stdout)
        assert "once, within 15 minutes" in output.stderr


def test_roles_are_given_for_all_or_for_a_place_and_taken(admin: Admin) -> None:
    admin.does("user", "add", "kim")
    admin.does("tournament", "season", "add", "fall", "--name", "Fall 2026", "--time-zone", "Europe/Berlin")
    admin.does("tournament", "division", "add", "fall", "Division 1")
    role = ("user", "role", "kim", "tournament_admin")
    place = ("--season", "fall", "--division", "Division 1")
    assert "created" in admin.does(*role, *place)
    assert "unchanged" in admin.does(*role, *place)
    output = admin.does(*role, "--season", "fall")
    assert "now: tournament_admin of Division 1, fall, tournament_admin of fall" in output
    assert "removed" in admin.does(*role, *place, "--take")
    assert "unchanged" in admin.does(*role, *place, "--take")
    assert "There is no season 'fal'; did you mean fall?" in admin.fails(*role, "--season", "fal")
    assert "did you mean Division 1?" in admin.fails(*role, "--season", "fall", "--division", "Divison 1")
    assert "--season" in admin.fails(*role, "--division", "Division 1", code=2)
    assert "cannot be limited to a season" in admin.fails("user", "role", "kim", "admin", "--season", "fall")
    assert "neither given nor taken" in admin.fails("user", "role", "kim", "user")
    assert [row["roles"] for row in admin.lists("user", "list")] == [["tournament_admin of fall"]]


def test_the_last_admin_goes_only_on_purpose(admin: Admin) -> None:
    admin.does("user", "add", "alice", "--role", "admin")
    admin.does("user", "add", "kim")
    for command in (("role", "alice", "admin", "--take"), ("remove", "alice")):
        output = admin.fails("user", *command)
        assert "alice is the last admin" in output
        assert "--even-the-last" in output
    admin.does("user", "role", "kim", "admin")
    assert "removed" in admin.does("user", "role", "alice", "admin", "--take")
    assert "user kim; 0 sessions ended" in admin.does("user", "remove", "kim", "--even-the-last")
    assert [row["name"] for row in admin.lists("user", "list")] == ["alice"]
    # The name is free again, and stands nowhere any more; what was done is still known.
    admin.does("user", "add", "kim")
    with psycopg.connect(admin.url) as conn:
        log = conn.execute("SELECT act, login IS NOT NULL, before FROM accounts.audit_log ORDER BY audit_id").fetchall()
    acts = ["user.add", "role.give", "user.add", "role.give", "role.take", "user.remove", "user.add"]
    assert [act for act, _, _ in log] == acts
    assert all(by_login for _, by_login, _ in log)
    assert log[5][2] == {"roles": ["admin"]}
    assert "kim" not in str(log)


def test_a_player_is_linked_to_one_user_and_taken_back(admin: Admin) -> None:
    admin.does("user", "add", "alice")
    admin.does("user", "add", "kim")
    assert "/sign-in/link?token=" in admin.does("user", "link", "alice", "--player", "steam:76561190000000001")
    assert "unchanged" in admin.does("user", "player", "alice", "steam:76561190000000001")
    assert "linked to another user already" in admin.fails("user", "player", "kim", "steam_76561190000000001")
    assert "no platform" in admin.fails("user", "player", "kim", "gamecube:1")
    [player] = admin.lists("rocket-league", "players")
    assert (player["player_id"], player["username"], player["consented_at"]) == (
        "steam_76561190000000001",
        "alice",
        None,
    )
    assert [row["players"] for row in admin.lists("user", "list")] == [["steam_76561190000000001"], []]
    assert "removed" in admin.does("user", "player", "alice", "steam:76561190000000001", "--take")
    assert "created" in admin.does("user", "player", "kim", "steam:76561190000000001")


def test_doctor_tells_that_what_people_asked_for_waits_for_a_worker(admin: Admin) -> None:
    admin.does("user", "add", "kim")
    assert "0 wait" in admin("doctor").output
    with psycopg.connect(admin.url) as conn:
        conn.execute(
            "INSERT INTO ops.jobs (kind, game, user_id, state, payload, created_at) "
            "SELECT 'export', 'rocket_league', user_id, 'queued', '{}', now() - interval '2 minutes' "
            "FROM accounts.users"
        )
    output = " ".join(admin("doctor").output.split())
    assert "missing jobs 1 wait" in output
    assert "no worker runs: gamestats up, or gamestats work" in output
