"""Names: which pattern a property's name speaks of, and that values are true to their locale."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
import tomllib
import uuid
import zoneinfo
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.demo_data.reference.locales import countries, country
from gamestats_assets.demo_data.reference.names import UnknownPatternError, has_provider, pattern_of, patterns, pool
from gamestats_assets.demo_data.taxonomies.model import PropertyType

LOCALES = {"ko_KR": "KR", "ja_JP": "JP", "en_US": "US"}
SOME = 64

CASES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
EVERYWHERE, LOCAL, TEXTS = CASES["everywhere"], CASES["local"], CASES["texts"]
NUMBERS = {"age": (14, 70), "birth_year": (1955, 2010), "latitude": (-60, 70), "longitude": (-180, 180)}


# --------------------------------------------------------------------------- values


def test_there_are_more_than_40_patterns_and_all_are_tested() -> None:
    assert len(patterns()) > 40
    assert sorted(patterns()) == sorted([*EVERYWHERE, *LOCAL, *NUMBERS])


@pytest.mark.parametrize("locale", LOCALES)
def test_texts_are_true_to_the_locale(locale: str) -> None:
    for pattern in (*EVERYWHERE, *LOCAL):
        expected = EVERYWHERE.get(pattern) or LOCAL[pattern][list(LOCALES).index(locale)]
        for name, letters in CASES["letters"].items():
            expected = expected.replace(f"{{{name}}}", letters)
        for value in pool(pattern, locale, SOME):
            assert isinstance(value, str)
            assert re.fullmatch(expected, value), (pattern, value)
            assert value == value.strip()
            assert len(value.encode()) < 256


@pytest.mark.parametrize("locale", LOCALES)
def test_numbers_lie_where_they_should(locale: str) -> None:
    for pattern, (low, high) in NUMBERS.items():
        found = pool(pattern, locale, SOME)
        assert all(isinstance(value, int | float) and low <= value <= high for value in found), pattern
        assert all(isinstance(value, int) for value in found) == (pattern in ("age", "birth_year"))


@pytest.mark.parametrize(("locale", "code"), LOCALES.items())
def test_values_of_networks_and_places_are_those_of_the_country(locale: str, code: str) -> None:
    blocks = country(code).ip_blocks
    assert all(any(ipaddress.IPv4Address(ip) in block for block in blocks) for ip in pool("ip", locale, SOME))
    assert set(pool("time_zone", locale, SOME)) <= zoneinfo.available_timezones()
    assert pool("language", locale, SOME).count(locale[:2]) > SOME / 2


def test_dates_ids_and_check_digits_are_valid() -> None:
    for text in pool("birth_date", "ko_KR", SOME) + pool("date", "ja_JP", SOME):
        date.fromisoformat(str(text))
    assert all(uuid.UUID(str(text)).version == 4 for text in pool("uuid", "en_US", SOME))
    for text in pool("barcode", "en_US", SOME):
        digits = [int(digit) for digit in str(text)]
        assert sum(digits[::2] + [3 * digit for digit in digits[1::2]]) % 10 == 0
    for text in pool("iban", "de_DE", SOME):
        assert str(text).startswith("DE")
        assert int("".join(str(int(digit, 36)) for digit in f"{text}"[4:] + f"{text}"[:4])) % 97 == 1


@pytest.mark.parametrize("locale", sorted({each.faker_locale for each in countries().values()}))
def test_every_pattern_has_values_in_every_country(locale: str) -> None:
    for pattern in patterns():
        for value in pool(pattern, locale, 3):
            assert isinstance(value, int | float) or (value.strip() and "\n" not in value)


@pytest.mark.parametrize(
    ("locale", "letters"),
    [
        pytest.param("zh_TW", r"[一-鿿]{2,4}", id="Chinese"),
        pytest.param("ru_RU", r"[А-Яа-яЁё. -]+", id="Russian"),
        pytest.param("th_TH", r"[฀-๿. ]+", id="Thai"),
        pytest.param("xx_XX", r"[A-Za-z'. -]+", id="a locale that nobody knows"),
    ],
)
def test_names_of_other_countries(locale: str, letters: str) -> None:
    assert all(re.fullmatch(letters, str(name)) for name in pool("name", locale, SOME))


def test_a_locale_without_words_of_a_kind_has_english_ones_throughout() -> None:
    assert has_provider("tr_TR", "person")
    assert not has_provider("tr_TR", "address")
    # Not a Turkish surname with an English ending.
    assert all(str(city).isascii() for city in pool("city", "tr_TR", SOME))


# --------------------------------------------------------------------------- always the same

_FRESH = """
import datetime, hashlib, sys

class Later(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=4000)

    @classmethod
    def today(cls):
        return cls.now()

class LaterDay(datetime.date):
    @classmethod
    def today(cls):
        return Later.now().date()

datetime.datetime, datetime.date = Later, LaterDay
from gamestats_assets.demo_data.reference.names import patterns, pool

for locale in reversed(sys.argv[1:]):
    for pattern in reversed(patterns()):
        print(locale, pattern, hashlib.sha256(repr(pool(pattern, locale, 20)).encode()).hexdigest())
"""


def test_pools_are_the_same_in_another_process_in_another_order_and_eleven_years_later() -> None:
    import hashlib

    here = {
        f"{locale} {pattern} {hashlib.sha256(repr(pool(pattern, locale, 20)).encode()).hexdigest()}"
        for locale in LOCALES
        for pattern in patterns()
    }
    there = subprocess.run(
        [sys.executable, "-c", _FRESH, *LOCALES],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PYTHONHASHSEED": "12345", "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))},
    ).stdout.splitlines()
    assert sorted(there) == sorted(here)


def test_an_unknown_pattern() -> None:
    with pytest.raises(UnknownPatternError, match="no pattern 'first_nam' for values; did you mean first_name"):
        pool("first_nam", "ko_KR")
    with pytest.raises(UnknownPatternError, match="there are name, first_name"):
        pool("zzzzzz", "ko_KR")


# --------------------------------------------------------------------------- patterns by name


@pytest.mark.parametrize(("pattern", "names"), TEXTS.items())
def test_what_the_name_of_a_text_speaks_of(pattern: str, names: str) -> None:
    assert {name: pattern_of(name, PropertyType.STRING) for name in names.split()} == dict.fromkeys(
        names.split(), pattern
    )


def test_names_that_speak_of_nothing_known() -> None:
    names = (
        *("item_id", "shop_id", "order_id", "server_id", "address_id", "message_id", "ad_name", "stage_name"),
        *("account_name", "app_name", "hero_info.name", "login_state", "game_state", "email_count", "url_count"),
        *("capacity", "virtual_currency", "city_level", "country_rank", "level", "result", "reason", "namespace"),
        *("rename", "filenames_seen", "vip", "card_type", "", "이름", "__"),
    )
    assert {name: pattern_of(name, PropertyType.STRING) for name in names} == dict.fromkeys(names)


@pytest.mark.parametrize(
    ("name", "type", "pattern"),
    [
        ("age", PropertyType.NUMBER, "age"),
        ("user_age", PropertyType.NUMBER, "age"),
        ("stage", PropertyType.NUMBER, None),
        ("lat", PropertyType.NUMBER, "latitude"),
        ("store_longitude", PropertyType.NUMBER, "longitude"),
        ("birth_year", PropertyType.NUMBER, "birth_year"),
        ("phone_number", PropertyType.NUMBER, None),
        ("birthday", PropertyType.TIME, "birth_time"),
        ("register_time", PropertyType.TIME, None),
        ("is_email", PropertyType.BOOLEAN, None),
        ("email", PropertyType.BOOLEAN, None),
        ("name", PropertyType.OBJECT, None),
        ("names", PropertyType.OBJECT_GROUP, None),
        ("hashtags", PropertyType.LIST, "hashtag"),
        ("tags", PropertyType.LIST, "keyword"),
        ("favorite_colors", PropertyType.LIST, "color"),
        ("color_list", PropertyType.LIST, "color"),
        ("visited_cities", PropertyType.LIST, "city"),
        ("shipping_addresses", PropertyType.LIST, "address"),
        ("skill_list", PropertyType.LIST, None),
        ("list", PropertyType.LIST, None),
    ],
)
def test_the_type_of_a_property_counts(name: str, type: PropertyType, pattern: str | None) -> None:
    assert pattern_of(name, type) == pattern


@given(st.text(max_size=30), st.sampled_from(PropertyType))
def test_any_name_has_a_pattern_or_none(name: str, type: PropertyType) -> None:
    found = pattern_of(name, type)
    assert found is None or found in patterns()
