"""The sheets of our taxonomies say nothing that they do not declare."""

from __future__ import annotations

import re

import pytest

from gamestats_assets_tests.demo_data.sheets import FOLDERS, rows_of

WIRE_NAME = re.compile(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}")
TYPES = {"number", "string", "boolean", "time", "list", "object", "object_group"}
FROM_EVENT = re.compile(r"(\w+)\|([\w#.]+)\|(first|last|sum|cnt|daycnt|equal)")
SLOPPY = ("auction",)
"""Taxonomies that leave cells empty, as many do."""
FEW_EVENTS = ("l2m",)
"""Taxonomies of a game's raw logs alone."""
TWO_SHEETS = tuple(name for name, folder in FOLDERS.items() if (folder / "events.csv").is_file())


def _split(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",") if name.strip()]


@pytest.mark.parametrize("name", TWO_SHEETS)
class TestSheets:
    """The files of two sheets say nothing that they do not declare."""

    def test_names_can_be_sent_and_are_told_apart(self, name: str) -> None:
        events = [row["event_name"] for row in rows_of(FOLDERS[name] / "events.csv")]
        properties = [row["name"] for row in rows_of(FOLDERS[name] / "properties.csv")]

        assert [n for n in events if not WIRE_NAME.fullmatch(n)] == []
        assert [n for n in properties if not all(WIRE_NAME.fullmatch(part) for part in n.split("."))] == []
        assert len({n.lower() for n in events}) == len(events)
        assert len({n.lower() for n in properties}) == len(properties)

    def test_every_property_of_an_event_is_declared_for_events(self, name: str) -> None:
        scopes = {row["name"]: row["scope"].split("+") for row in rows_of(FOLDERS[name] / "properties.csv")}
        listed = [p for row in rows_of(FOLDERS[name] / "events.csv") for p in _split(row["properties"])]

        assert [p for p in listed if "event" not in scopes.get(p, [])] == []
        assert {p for p, scope in scopes.items() if "event" in scope and "." not in p} == set(listed), "none unused"

    def test_an_event_does_not_list_a_property_twice(self, name: str) -> None:
        cells = [_split(row["properties"]) for row in rows_of(FOLDERS[name] / "events.csv")]

        assert [cell for cell in cells if len(set(cell)) != len(cell)] == []

    def test_types_scopes_and_updates_are_known(self, name: str) -> None:
        for row in rows_of(FOLDERS[name] / "properties.csv"):
            scope = set(row["scope"].split("+"))

            assert row["type"] in TYPES, row
            assert scope, row
            assert scope <= {"event", "common", "user"}, row
            assert ("user" in scope) == (row["update"] in {"user_set", "user_setOnce", "user_add"}), row
            assert row["update"] in {"", "user_set", "user_setOnce"} or row["type"] == "number", row

    def test_nested_properties_stand_under_an_object(self, name: str) -> None:
        types = {row["name"]: row["type"] for row in rows_of(FOLDERS[name] / "properties.csv")}
        parents = {p.rpartition(".")[0] for p in types if "." in p}

        assert {p for p, kind in types.items() if kind in {"object", "object_group"}} == parents

    def test_a_taxonomy_is_large_enough_to_show(self, name: str) -> None:
        rows = rows_of(FOLDERS[name] / "events.csv")

        assert 15 <= len(rows) <= 40 or name in FEW_EVENTS
        sloppy = name in SLOPPY
        assert sloppy != all(row["description"].strip() and row["event_tag"].strip() for row in rows)


@pytest.mark.parametrize("name", TWO_SHEETS)
def test_rules_that_name_an_event_name_one_that_has_the_property(name: str) -> None:
    has = {r["event_name"]: {"#time", *_split(r["properties"])} for r in rows_of(FOLDERS[name] / "events.csv")}

    assert [(event, prop) for event, prop in _named_in_rules(name) if prop not in has.get(event, set())] == []


def test_sheets_have_rules_that_name_an_event() -> None:
    assert len([name for name in TWO_SHEETS if _named_in_rules(name)]) >= 8


def _named_in_rules(name: str) -> list[tuple[str, str]]:
    rows = rows_of(FOLDERS[name] / "properties.csv")
    found = [FROM_EVENT.fullmatch(cell) for row in rows for cell in (row["constraint"], row["description"])]
    return [(match[1], match[2]) for match in found if match]


def test_the_tracking_plan_declares_what_its_rules_name() -> None:
    rows = rows_of(FOLDERS["education"] / "#이벤트 데이터.csv")
    has: dict[str, set[str]] = {}
    event = ""
    for row in rows:
        event = row["이벤트 이름 (필수)"] or event
        has.setdefault(event, {"#time"}).add(row["속성 이름 (필수)"])
    state = [row["속성 설명"] for row in rows_of(FOLDERS["education"] / "#유저 데이터.csv")]
    shared = [row["속성 설명"] for row in rows_of(FOLDERS["education"] / "#공통 이벤트 속성.csv")]
    named = [found.groups()[:2] for found in map(FROM_EVENT.fullmatch, [*state, *shared]) if found]

    assert len(named) == 10
    assert [(e, p) for e, p in named if p not in has.get(e, set())] == []
    assert len([row for row in rows if row["이벤트 이름 (필수)"]]) == len(has), "no event stands twice"
