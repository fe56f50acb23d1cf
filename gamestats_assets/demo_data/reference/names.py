"""Values for properties without a rule, from their names: people, places, things and texts.

A property's name is split into words (`billing_city`, `billingCity`), and its longest known ending decides: `email` is
an address, `email_subject` a title, and `campaign_name` not a person. A few names have a meaning only when they stand
alone, such as `state`, which is part of an address, while `login_state` is not. The patterns are in `names.toml`.

Values fit the locale as far as words exist: people, places, companies and jobs are Faker's, in English if Faker lacks
the locale. Words that Faker lacks in Korean or Japanese are in `words.csv`; other languages get the English ones.
Telephone numbers, networks and time zones are the country's (`locales`). Mail addresses and web sites use the domains
reserved for examples.

A pool of values depends on the pattern and the locale alone: not on the clock, the order of calls or the process.
Values from Faker's own lists may differ in another version of Faker; everything else stays the same, formats included.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.util
import random
import re
import string
import uuid
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np

from gamestats_assets.demo_data.reference import facts, rows
from gamestats_assets.demo_data.reference.locales import Country, Shares, country_of_locale, devices, ip_addresses
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.lakehouse.errors import GamestatsError

Value = str | int | float | bool

DEFAULT_LOCALE = "en_US"
"""Locale for missing words, and for locales that Faker does not know."""


class UnknownPatternError(GamestatsError):
    """No pattern has this name."""


class _Source:
    """Source of the values of one pool."""

    def __init__(self, pattern: str, locale: str) -> None:
        from faker.config import AVAILABLE_LOCALES

        self.locale = locale if locale in AVAILABLE_LOCALES else DEFAULT_LOCALE
        self.country: Country = country_of_locale(self.locale)
        self.language = self.locale.split("_")[0]
        self._seed = int.from_bytes(hashlib.sha256(f"{pattern} {locale}".encode()).digest()[:8], "little")
        self.random = random.Random(self._seed)
        self._fakers: dict[str, Any] = {}

    def faker(self, provider: str) -> Any:
        """Returns Faker of the locale, or of English if the provider, such as `address`, lacks the locale."""
        locale = self.locale if has_provider(self.locale, provider) else DEFAULT_LOCALE
        if locale not in self._fakers:
            self._fakers[locale] = _faker(locale)
            self._fakers[locale].seed_instance(self._seed)
        return self._fakers[locale]

    def word(self, name: str) -> str:
        """Returns a word of a list in `words.csv`."""
        words = _words()
        return self.pick(words.get((name, self.language)) or words[name, "en"])

    def words(self, *names: str) -> str:
        """Returns a word of each list, joined as the language does."""
        return ("" if self.language == "ja" else " ").join(self.word(name) for name in names)

    def pick(self, values: Iterable[str] | str) -> str:
        """Returns one of these values; a text is a list of them, separated by spaces."""
        return self.random.choice(values.split() if isinstance(values, str) else list(values))

    def weighted(self, shares: Shares) -> str:
        """Returns one of these names, as often as their shares say."""
        return self.random.choices([name for name, _ in shares], [share for _, share in shares])[0]

    def written(self, form: str) -> str:
        """Returns a text with `#` replaced by any digit, `%` by any but 0 and `?` by a capital letter."""
        choices = {"#": string.digits, "%": string.digits[1:], "?": string.ascii_uppercase}
        return "".join(self.random.choice(choices.get(character, character)) for character in form)

    def hexadecimal(self, digits: int) -> str:
        """Returns so many hexadecimal digits."""
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def day(self, first: date, last: date) -> date:
        """Returns a day between two, both included."""
        return first + timedelta(days=self.random.randint(0, (last - first).days))


@functools.cache
def has_provider(locale: str, provider: str) -> bool:
    """Whether Faker has its own words for a locale, of a kind such as `person` or `address`."""
    return importlib.util.find_spec(f"faker.providers.{provider}.{locale}") is not None


@functools.cache
def _faker(locale: str) -> Any:
    from faker import Factory

    return Factory.create(locale)


@functools.cache
def _words() -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows("words"):
        found.setdefault((row["list"], row["language"]), []).append(row["word"])
    return {key: tuple(words) for key, words in found.items()}


# --------------------------------------------------------------------------- values that need code

_BIRTHS = (date(1955, 1, 1), date(2010, 12, 31))
_DATES = (date(2024, 1, 1), date(2025, 12, 31))


def _address(source: _Source) -> str:
    return source.faker("address").address().replace("\n", ", ").strip()


def _first(source: _Source, *methods: str) -> str:
    """Returns the result of the first method that Faker has for the locale's addresses."""
    faker = source.faker("address")
    return next(getattr(faker, method) for method in methods if hasattr(faker, method))().strip()


def _latitude(source: _Source) -> float:
    return round(source.random.uniform(-60, 70), 6)


def _domain(source: _Source) -> str:
    return f"{source.random.choice(_words()['brand', 'en']).lower()}.example.{source.pick('com net org')}"


def _url(source: _Source) -> str:
    page = source.pick("products articles users events search help")
    return f"https://www.{_domain(source)}/{source.language}/{page}/{source.written('%###')}"


def _ip(source: _Source) -> str:
    return ip_addresses(source.country.code, np.array([source.random.random()]))[0]


def _device(source: _Source) -> str:
    region = source.country.region
    return source.weighted(tuple((device.model, device.popularity[region]) for device in devices("mobile")))


def _user_agent(source: _Source) -> str:
    chrome = f"{source.random.randint(120, 142)}.0.0.0"
    safari = f"{source.random.randint(16, 18)}.{source.random.randint(0, 6)}"
    android = f"Linux; Android {source.random.randint(12, 16)}; K"
    iphone = f"iPhone; CPU iPhone OS {safari.replace('.', '_')} like Mac OS X"
    webkit, gecko = "AppleWebKit/537.36", "(KHTML, like Gecko)"
    return "Mozilla/5.0 " + source.pick(
        (
            f"(Windows NT 10.0; Win64; x64) {webkit} {gecko} Chrome/{chrome} Safari/537.36",
            f"(Macintosh; Intel Mac OS X 10_15_7) {webkit} {gecko} Chrome/{chrome} Safari/537.36",
            f"({android}) {webkit} {gecko} Chrome/{chrome} Mobile Safari/537.36",
            f"({iphone}) AppleWebKit/605.1.15 {gecko} Version/{safari} Mobile/15E148 Safari/604.1",
        )
    )


def _nickname(source: _Source) -> str:
    name = source.words("nickname_first", "nickname_last").replace(" ", "")
    return name + (source.written("%#") if source.random.random() < 0.5 else "")


def _sentence(source: _Source) -> str:
    if source.language not in ("ko", "ja", "en") and has_provider(source.locale, "lorem"):
        return source.faker("lorem").sentence(nb_words=8)
    return source.word("sentence")


def _school(source: _Source) -> str:
    city = re.sub(r"(?<=.[시군구市区郡町村]).+", "", _first(source, "city"))
    return source.word("school").replace("{city}", city)


def _language(source: _Source) -> str:
    own = source.language if source.random.random() < 0.8 else ""
    return own or source.pick("en ko ja zh de fr es pt")


def _campaign(source: _Source) -> str:
    goal = source.pick("install retention purchase returning brand")
    quarter = f"{source.pick('2024 2025')}Q{source.random.randint(1, 4)}"
    return f"{source.country.code}_{_traffic_source(source)}_{goal}_{quarter}"


def _traffic_source(source: _Source) -> str:
    local = {"ko": "naver kakao", "ja": "yahoo line"}.get(source.language, "bing reddit")
    return source.pick(f"google facebook instagram tiktok youtube organic direct {local}")


def _file_name(source: _Source) -> str:
    name = source.pick("report invoice photo backup slides contract screenshot minutes")
    return f"{name}_{source.written('####')}.{source.pick('pdf jpg png xlsx docx pptx mp4 zip csv txt')}"


def _uuid(source: _Source) -> str:
    return str(uuid.UUID(int=source.random.getrandbits(128), version=4))


def _colon_separated(source: _Source, groups: int, digits: int) -> str:
    return ":".join(source.hexadecimal(digits) for _ in range(groups))


_MADE: dict[str, Callable[[_Source], Value]] = {
    "nickname": _nickname,
    "age": lambda s: int(s.random.triangular(14, 70, 28)),
    "birth_date": lambda s: s.day(*_BIRTHS).isoformat(),
    "birth_time": lambda s: f"{s.day(*_BIRTHS)} 00:00:00.000",
    "birth_year": lambda s: s.day(*_BIRTHS).year,
    "school": _school,
    "email": lambda s: f"{s.faker('person').user_name()}@example.{s.pick('com net org')}",
    "phone": lambda s: s.written(s.pick(s.country.mobile_numbers)),
    "address": _address,
    "street": lambda s: _first(s, "road_name", "town", "street_name"),
    "city": lambda s: _first(s, "city"),
    "state": lambda s: _first(s, "administrative_unit", "prefecture", "province", "state", "region", "city"),
    "zip_code": lambda s: str(s.faker("address").postcode()).strip(),
    "latitude": _latitude,
    "longitude": lambda s: round(s.random.uniform(-180, 180), 6),
    "time_zone": lambda s: s.weighted(s.country.time_zones),
    "language": _language,
    "locale": lambda s: s.locale,
    "currency": lambda s: s.country.currency,
    "url": _url,
    "domain": _domain,
    "path": lambda s: f"/{s.pick('home products cart search help events')}/{s.written('%##')}",
    "image_url": lambda s: f"https://img.{_domain(s)}/{s.hexadecimal(12)}.{s.pick('jpg png webp')}",
    "ip": _ip,
    "ipv6": lambda s: "2001:db8:" + _colon_separated(s, 6, 4),
    "mac_address": lambda s: "02:" + _colon_separated(s, 5, 2),
    "user_agent": _user_agent,
    "device_model": _device,
    "carrier": lambda s: s.weighted(s.country.carriers),
    "traffic_source": _traffic_source,
    "campaign": _campaign,
    "sentence": _sentence,
    "hashtag": lambda s: "#" + s.word("keyword").replace(" ", ""),
    "date": lambda s: s.day(*_DATES).isoformat(),
    "hex_color": lambda s: "#" + s.hexadecimal(6),
    "coupon_code": lambda s: s.pick("WELCOME SPRING SUMMER THANKS VIP SALE HELLO") + s.written("-?##?"),
    "order_number": lambda s: f"{s.day(*_DATES):%Y%m%d}-{s.written('#######')}",
    "uuid": _uuid,
    "version": lambda s: f"{s.random.randint(1, 9)}.{s.random.randint(0, 20)}.{s.random.randint(0, 9)}",
    "build": lambda s: (
        f"{s.random.randint(1, 9)}.{s.random.randint(0, 20)}.{s.random.randint(0, 9)}.{s.written('%###')}"
    ),
    "file_name": _file_name,
}
"""Makers of one value, for patterns that need more than a line of `names.toml`."""


# --------------------------------------------------------------------------- the patterns


class _Pattern(msgspec.Struct, forbid_unknown_fields=True):
    """The meaning of names of properties; `names.toml` explains each field."""

    endings: tuple[str, ...]
    alone: tuple[str, ...] = ()
    type: PropertyType = PropertyType.STRING
    invented: bool = False
    faker: str = ""
    words: tuple[str, ...] = ()
    pick: tuple[str, ...] = ()
    shares: dict[str, float] = {}
    form: str | list[str] = ""
    hexadecimal: int = 0

    def make(self, source: _Source) -> Value:
        """Returns one value of the pattern."""
        if self.faker:
            provider, method = self.faker.split(".")
            return getattr(source.faker(provider), method)()
        if self.words:
            return source.words(*self.words)
        if self.pick:
            return source.pick(self.pick)
        if self.shares:
            return source.weighted(tuple(self.shares.items()))
        if self.hexadecimal:
            return source.hexadecimal(self.hexadecimal)
        return source.written(self.form if isinstance(self.form, str) else source.pick(self.form))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    no_pattern: tuple[str, ...]
    patterns: dict[str, _Pattern]


_FILE = msgspec.convert(facts("names"), _File)
_PATTERNS = _FILE.patterns

INVENTED = frozenset(name for name, pattern in _PATTERNS.items() if pattern.invented)
"""Patterns of names that a product gives to its own things, which are the same for all of its users."""


# --------------------------------------------------------------------------- public functions


def patterns() -> tuple[str, ...]:
    """Returns the names of all patterns."""
    return tuple(_PATTERNS)


def pattern_of(property_name: str, type: PropertyType) -> str | None:
    """Returns the pattern that fits a property's name and type; None if there is none.

    Args:
        property_name: name as it is sent, dotted or not.
        type: numbers, texts, times and lists of texts have patterns; a list's name is read as that of an element.
    """
    words = _name_words(property_name)
    if type is PropertyType.LIST:
        words = words[:-1] if words[-1:] == ["list"] else words
        words = [*words[:-1], *map(_singular, words[-1:])]
        type = PropertyType.STRING
    endings, alone = _meanings(type)
    if " ".join(words) in alone:
        return alone[" ".join(words)]
    found = (endings[ending] for start in range(len(words)) if (ending := " ".join(words[start:])) in endings)
    return next(found, None)


@functools.lru_cache(maxsize=4096)
def pool(pattern: str, locale: str, size: int = 512) -> tuple[Value, ...]:
    """Returns values of a pattern in a locale such as `ko_KR`; always the same ones, which may repeat.

    Values are texts, except whole numbers for `age` and `birth_year`, and degrees for `latitude` and `longitude`.

    Raises:
        UnknownPatternError: when there is no such pattern.
    """
    if pattern not in _PATTERNS:
        near = difflib.get_close_matches(pattern, _PATTERNS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_PATTERNS)}"
        raise UnknownPatternError(f"there is no pattern {pattern!r} for values; {advice}")
    source = _Source(pattern, locale)
    make = _MADE.get(pattern, _PATTERNS[pattern].make)
    return tuple(make(source) for _ in range(size))


_WORD = re.compile(r"[iI][pP][vV][46]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _name_words(name: str) -> list[str]:
    """Returns the words of a name in small letters, without numbers at its end."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    return words


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


@functools.cache
def _meanings(type: PropertyType) -> tuple[dict[str, str | None], dict[str, str]]:
    """Returns the patterns of a type by ending, and by name that stands alone."""
    endings: dict[str, str | None] = dict.fromkeys(_FILE.no_pattern)
    alone: dict[str, str] = {}
    for name, pattern in _PATTERNS.items():
        if pattern.type is type:
            endings.update(dict.fromkeys(pattern.endings, name))
            alone.update(dict.fromkeys(pattern.alone, name))
    # Two words are often written as one (`nickname`), unless that is a word of its own (`username`).
    for ending in list(endings):
        endings.setdefault(ending.replace(" ", ""), endings[ending])
    return endings, alone
