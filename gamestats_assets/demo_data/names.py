"""Values for properties that no rule explains, from what their names say: people, places, things and texts.

A property's name is split into words (`billing_city`, `billingCity`), and what it ends in tells what it is, the
longest ending first: `email` is an address, `email_subject` a title, and `campaign_name` no person. A few names mean
something only on their own, such as `state`, which is part of an address, while `login_state` is not.

Values are true to a locale as far as anybody has written them down: people, places, companies and jobs are Faker's, and
English where Faker lacks the locale; words of which Faker has none in Korean or Japanese stand in `words.csv`, English
ones for all other languages; numbers of telephones, networks and time zones are those of the country (`locales`).
Mail addresses and web sites are under the domains that are reserved for examples.

A pool of values depends on the pattern and the locale alone: not on the clock, the order of calls or the process. What
comes from Faker's own lists may differ in another version of Faker; everything else does not, formats included.
"""

from __future__ import annotations

import csv
import difflib
import functools
import hashlib
import importlib.util
import random
import re
import string
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from gamestats_assets.demo_data.locales import Country, Shares, country_of_locale, devices, ip_addresses
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.settings import shipped

Value = str | int | float | bool

DEFAULT_LOCALE = "en_US"
"""Where a locale's own words are missing, or the locale is one that Faker does not know."""


class UnknownPatternError(GamestatsError):
    """No pattern has this name."""


class _Source:
    """Where the values of one pool come from."""

    def __init__(self, pattern: str, locale: str) -> None:
        from faker.config import AVAILABLE_LOCALES

        self.locale = locale if locale in AVAILABLE_LOCALES else DEFAULT_LOCALE
        self.country: Country = country_of_locale(self.locale)
        self.language = self.locale.split("_")[0]
        self._seed = int.from_bytes(hashlib.sha256(f"{pattern} {locale}".encode()).digest()[:8], "little")
        self.random = random.Random(self._seed)
        self._fakers: dict[str, Any] = {}

    def faker(self, provider: str) -> Any:
        """Faker of the locale, or the English one if one of its providers, such as `address`, lacks the locale."""
        locale = self.locale if has_provider(self.locale, provider) else DEFAULT_LOCALE
        if locale not in self._fakers:
            self._fakers[locale] = _faker(locale)
            self._fakers[locale].seed_instance(self._seed)
        return self._fakers[locale]

    def word(self, name: str) -> str:
        """A word of a list of `words.csv`."""
        words = _words()
        return self.pick(words.get((name, self.language)) or words[name, "en"])

    def words(self, *names: str) -> str:
        """A word of each list, written as the language writes them."""
        return ("" if self.language == "ja" else " ").join(self.word(name) for name in names)

    def pick(self, values: Iterable[str] | str) -> str:
        """One of some values; a text is a list of them, separated by spaces."""
        return self.random.choice(values.split() if isinstance(values, str) else list(values))

    def weighted(self, shares: Shares) -> str:
        """One of some names, as often as their shares say."""
        return self.random.choices([name for name, _ in shares], [share for _, share in shares])[0]

    def written(self, form: str) -> str:
        """A text with `#` replaced by any digit, `%` by any but 0 and `?` by a capital letter."""
        choices = {"#": string.digits, "%": string.digits[1:], "?": string.ascii_uppercase}
        return "".join(self.random.choice(choices.get(character, character)) for character in form)

    def hexadecimal(self, digits: int) -> str:
        """So many hexadecimal digits."""
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def day(self, first: date, last: date) -> date:
        """A day between two, both included."""
        return first + timedelta(days=self.random.randint(0, (last - first).days))


@functools.cache
def has_provider(locale: str, provider: str) -> bool:
    """Whether Faker has words of its own for a locale, of one kind such as `person` or `address`."""
    return importlib.util.find_spec(f"faker.providers.{provider}.{locale}") is not None


@functools.cache
def _faker(locale: str) -> Any:
    from faker import Factory

    return Factory.create(locale)


@functools.cache
def _words() -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    with shipped("data", "reference", "demo_data", "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["list"], row["language"]), []).append(row["word"])
    return {key: tuple(words) for key, words in found.items()}


# --------------------------------------------------------------------------- values that take more than a line

_BIRTHS = (date(1955, 1, 1), date(2010, 12, 31))
_DATES = (date(2024, 1, 1), date(2025, 12, 31))


def _address(source: _Source) -> str:
    return source.faker("address").address().replace("\n", ", ").strip()


def _first(source: _Source, *methods: str) -> str:
    """The first of some methods that Faker has for the locale's addresses."""
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
    return f"{name}_{source.written('####')}.{source.pick(_EXTENSIONS)}"


def _uuid(source: _Source) -> str:
    return str(uuid.UUID(int=source.random.getrandbits(128), version=4))


def _colon_separated(source: _Source, groups: int, digits: int) -> str:
    return ":".join(source.hexadecimal(digits) for _ in range(groups))


_EXTENSIONS = "pdf jpg png xlsx docx pptx mp4 zip csv txt"
_MIME_TYPES = (
    "text/html text/plain text/csv application/json application/pdf application/zip "
    "image/jpeg image/png image/webp video/mp4 audio/mpeg"
)
_ERRORS = (
    "Connection timed out",
    "Permission denied",
    "Invalid parameter",
    "Resource not found",
    "Internal server error",
    "Session expired",
    "Not enough storage",
    "Network unreachable",
    "Too many requests",
    "Payment declined",
)


# --------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class _Pattern:
    """What some names of properties mean.

    Attributes:
        endings: words in which such a name ends, separated by commas.
        make: one value.
        alone: names that mean it only when there is nothing before them.
        type: of the property; texts stand for the elements of lists, too.
    """

    endings: str
    make: Callable[[_Source], Value]
    alone: str = ""
    type: PropertyType = PropertyType.STRING


_PEOPLE = {
    "name": _Pattern(
        "user name, player name, customer name, member name, buyer name, seller name, sender name, receiver name, "
        "recipient name, author name, owner name, contact name, full name, real name, legal name, person name, "
        "employee name, manager name, patient name, doctor name, teacher name, student name, guest name, friend name, "
        "driver name, card holder name, account holder, account holder name, cardholder, "
        "adjuster name, engineer name, inspector name, nurse name, trainer name, coach name, tutor name, mentor name, "
        "technician name, consultant name, stylist name, guide name, operator name, reviewer name, speaker name, "
        "signed by, approved by, confirmed by, received by, delivered by, created by, updated by, handled by, "
        "reviewed by, requested by, assigned to, consignee, consignee name, host name, instructor name, agent name",
        lambda s: s.faker("person").name(),
        alone="name, author, recipient, assignee, manager",
    ),
    "first_name": _Pattern("first name, given name, forename", lambda s: s.faker("person").first_name()),
    "last_name": _Pattern("last name, family name, surname", lambda s: s.faker("person").last_name()),
    "username": _Pattern(
        "username, login id, login name, user login", lambda s: s.faker("person").user_name(), "account"
    ),
    "nickname": _Pattern(
        "nick name, display name, character name, char name, role name, avatar name, gamer tag", _nickname, alone="nick"
    ),
    "gender": _Pattern("gender, sex", lambda s: s.word("gender")),
    "age": _Pattern("age", lambda s: int(s.random.triangular(14, 70, 28)), type=PropertyType.NUMBER),
    "age_group": _Pattern(
        "age group, age range, age band", lambda s: s.pick("13-17 18-24 25-34 35-44 45-54 55-64 65+"), alone="age"
    ),
    "birth_date": _Pattern("birth date, date of birth, birthday, dob", lambda s: s.day(*_BIRTHS).isoformat()),
    "birth_time": _Pattern(
        "birth date, date of birth, birthday, dob, birth time",
        lambda s: f"{s.day(*_BIRTHS)} 00:00:00.000",
        type=PropertyType.TIME,
    ),
    "birth_year": _Pattern("birth year, year of birth", lambda s: s.day(*_BIRTHS).year, type=PropertyType.NUMBER),
    "blood_type": _Pattern(
        "blood type, blood group", lambda s: s.weighted((("A", 34), ("O", 28), ("B", 27), ("AB", 11)))
    ),
    "job": _Pattern("job, job title, occupation, profession", lambda s: s.faker("job").job()),
    "company": _Pattern(
        "company, company name, organization, organization name, organisation, employer, corporation, vendor, "
        "vendor name, supplier, supplier name, merchant, merchant name, partner name, client name, "
        "stock name, issuer, issuer name, listed company",
        lambda s: s.faker("company").company(),
        alone="org",
    ),
    "department": _Pattern("department, department name, dept, division", lambda s: s.word("department")),
    "school": _Pattern("school, school name, university, university name, college", _school),
}

_PLACES = {
    "email": _Pattern(
        "email, email address, e mail", lambda s: f"{s.faker('person').user_name()}@example.{s.pick('com net org')}"
    ),
    "phone": _Pattern(
        "phone, phone number, phone no, mobile number, mobile no, mobile phone, telephone, telephone number, "
        "cell phone, contact number",
        lambda s: s.written(s.pick(s.country.mobile_numbers)),
        alone="mobile, tel",
    ),
    "address": _Pattern("address, full address, postal address", _address),
    "street": _Pattern(
        "street, street name, street address, road, road name, address line",
        lambda s: _first(s, "road_name", "town", "street_name"),
    ),
    "city": _Pattern("city, city name, town, hometown", lambda s: _first(s, "city")),
    "state": _Pattern(
        "state name, address state, billing state, shipping state, home state, province, province name, prefecture, "
        "region name",
        lambda s: _first(s, "administrative_unit", "prefecture", "province", "state", "region", "city"),
        alone="state, region",
    ),
    "zip_code": _Pattern(
        "zip code, postal code, post code, postcode, zip", lambda s: str(s.faker("address").postcode()).strip()
    ),
    "country": _Pattern("country, country name, nation, nationality", lambda s: s.faker("address").country()),
    "country_code": _Pattern("country code, country iso", lambda s: s.faker("address").country_code()),
    "latitude": _Pattern("latitude, lat", _latitude, type=PropertyType.NUMBER),
    "longitude": _Pattern(
        "longitude, lng, lon", lambda s: round(s.random.uniform(-180, 180), 6), type=PropertyType.NUMBER
    ),
    "time_zone": _Pattern("time zone, tz", lambda s: s.weighted(s.country.time_zones)),
    "language": _Pattern("language, language code, lang", _language),
    "locale": _Pattern("locale", lambda s: s.locale),
    "currency": _Pattern("currency, currency code, currency type", lambda s: s.country.currency),
}

_NETWORK = {
    "url": _Pattern(
        "url, uri, link, website, web site, homepage, home page, landing page, referrer, referer, web page", _url
    ),
    "domain": _Pattern("domain, domain name, hostname, host name", _domain, alone="host"),
    "path": _Pattern(
        "path, page path, screen path, api path, entry page, exit page, landing path, start page",
        lambda s: f"/{s.pick('home products cart search help events')}/{s.written('%##')}",
    ),
    "image_url": _Pattern(
        "image url, img url, avatar, avatar url, profile image, profile photo, profile picture, thumbnail, photo url, "
        "icon url, picture",
        lambda s: f"https://img.{_domain(s)}/{s.hexadecimal(12)}.{s.pick('jpg png webp')}",
    ),
    "ip": _Pattern("ip, ip address, ip addr, ipv4", _ip),
    "ipv6": _Pattern("ipv6, ipv6 address", lambda s: "2001:db8:" + _colon_separated(s, 6, 4)),
    "mac_address": _Pattern("mac address", lambda s: "02:" + _colon_separated(s, 5, 2), alone="mac"),
    "user_agent": _Pattern("user agent", _user_agent, alone="ua"),
    "browser": _Pattern(
        "browser, browser name",
        lambda s: s.weighted((("Chrome", 64), ("Safari", 20), ("Edge", 6), ("Samsung Internet", 6), ("Firefox", 4))),
    ),
    "os": _Pattern(
        "os name, operating system",
        lambda s: s.weighted((("Android", 48), ("iOS", 26), ("Windows", 20), ("macOS", 6))),
        alone="os",
    ),
    "platform": _Pattern("platform name", lambda s: s.pick("iOS Android Web"), alone="platform"),
    "device_model": _Pattern("device model, device name, phone model, mobile model", _device),
    "carrier": _Pattern("carrier, carrier name, mobile carrier, telecom", lambda s: s.weighted(s.country.carriers)),
    "network_type": _Pattern(
        "network type, connection type", lambda s: s.weighted((("WIFI", 60), ("5G", 24), ("4G", 16)))
    ),
    "traffic_source": _Pattern(
        "traffic source, utm source, media source, acquisition source, acquisition channel, install source",
        _traffic_source,
    ),
    "traffic_medium": _Pattern("utm medium, traffic medium", lambda s: s.pick("cpc organic social email display push")),
    "campaign": _Pattern("campaign, campaign name, utm campaign", _campaign),
}

_TEXTS = {
    "sentence": _Pattern(
        "sentence, content, contents, message, msg, comment, description, memo, note, review, feedback, bio, caption, "
        "introduction, self introduction, chat text, review text, message text, message body, comment text, opinion",
        _sentence,
        alone="text, body, question, answer",
    ),
    "title": _Pattern("title, subject, headline", lambda s: s.word("title")),
    "keyword": _Pattern(
        "keyword, search term, search query, search word, search text", lambda s: s.word("keyword"), "query, tag"
    ),
    "hashtag": _Pattern("hash tag", lambda s: "#" + s.word("keyword").replace(" ", "")),
    "page": _Pattern(
        "page name, screen name, page title, screen title, menu name", lambda s: s.word("page"), "page, screen"
    ),
    "weekday": _Pattern("weekday, day of week, week day", lambda s: s.word("weekday")),
    "date": _Pattern("date", lambda s: s.day(*_DATES).isoformat()),
    "error_message": _Pattern("error message, error msg, error text, exception message", lambda s: s.pick(_ERRORS)),
}

_COMMERCE = {
    "product_name": _Pattern(
        "product name, goods name, merchandise name, payment name, purchase name, sku name",
        lambda s: s.words("product_first", "product_last"),
        alone="product, goods",
    ),
    "item_name": _Pattern(
        "item name, equipment name, weapon name, gear name", lambda s: s.words("item_first", "item_last")
    ),
    "brand": _Pattern("brand, brand name", lambda s: s.word("brand")),
    "category": _Pattern("product category, item category, category name, category", lambda s: s.word("category")),
    "color": _Pattern("color, colour, color name", lambda s: s.word("color")),
    "hex_color": _Pattern("hex color, color code, color hex, colour code", lambda s: "#" + s.hexadecimal(6)),
    "payment_method": _Pattern(
        "payment method, payment type, pay method, pay type, payment channel", lambda s: s.word("payment_method")
    ),
    "credit_card_brand": _Pattern(
        "card brand, credit card brand, credit card type, credit card provider, card network, card company, "
        "card issuer",
        lambda s: s.weighted((("Visa", 45), ("Mastercard", 35), ("American Express", 10), ("JCB", 6), ("UnionPay", 4))),
    ),
    "credit_card_number": _Pattern(
        "card number, credit card number, card no", lambda s: s.written(f"{s.pick('4 5')}###-****-****-####")
    ),
    "bank": _Pattern("bank, bank name", lambda s: s.word("bank")),
    "iban": _Pattern("iban", lambda s: s.faker("bank").iban()),
    "bank_account": _Pattern(
        "bank account, account number, account no, bank account number", lambda s: s.written("%##-######-##-###")
    ),
    "coupon_code": _Pattern(
        "coupon, coupon code, promo code, promotion code, voucher, voucher code, gift code, redeem code, "
        "discount code, exchange code, invite code, referral code",
        lambda s: s.pick("WELCOME SPRING SUMMER THANKS VIP SALE HELLO") + s.written("-?##?"),
    ),
    "order_number": _Pattern(
        "order number, order no, invoice number, invoice no, receipt number, tracking number, reservation number",
        lambda s: f"{s.day(*_DATES):%Y%m%d}-{s.written('#######')}",
    ),
    "sku": _Pattern("sku, product code, item code, goods code", lambda s: s.written("???-####")),
    "barcode": _Pattern("barcode, ean, gtin, upc", lambda s: s.faker("barcode").ean13()),
    "isbn": _Pattern("isbn", lambda s: s.faker("isbn").isbn13()),
    "license_plate": _Pattern(
        "license plate, licence plate, plate number, car number, vehicle number",
        lambda s: s.faker("automotive").license_plate(),
    ),
    "guild_name": _Pattern(
        "guild name, clan name, team name, party name, alliance name, guild, clan, crew name",
        lambda s: s.words("guild_first", "guild_last"),
    ),
}

_FILES = {
    "uuid": _Pattern("uuid, guid, idfa, idfv, gaid", _uuid),
    "hash": _Pattern("hash, password, passwd, checksum, signature", lambda s: s.hexadecimal(64)),
    "token": _Pattern(
        "access token, auth token, refresh token, session token, push token, device token, api key, secret key",
        lambda s: s.hexadecimal(40),
    ),
    "version": _Pattern(
        "version, ver, app version, version name, build version",
        lambda s: f"{s.random.randint(1, 9)}.{s.random.randint(0, 20)}.{s.random.randint(0, 9)}",
    ),
    "build": _Pattern(
        "build, build number, build no, app build",
        lambda s: f"{s.random.randint(1, 9)}.{s.random.randint(0, 20)}.{s.random.randint(0, 9)}.{s.written('%###')}",
    ),
    "file_name": _Pattern("file name, attachment, attachment name, document name", _file_name),
    "file_extension": _Pattern(
        "file extension, file type, file format", lambda s: s.pick(_EXTENSIONS), alone="extension"
    ),
    "mime_type": _Pattern("mime type, content type, media type", lambda s: s.pick(_MIME_TYPES)),
}

_INVENTED = {
    "work_title": _Pattern(
        "title name, work name, webtoon name, webtoon title, comic title, novel name, novel title, book name, "
        "book title, movie name, movie title, film title, series name, series title, show name, show title, "
        "drama title, song name, song title, track name, track title, album name, album title, video title, "
        "content name, content title, story title, podcast name, podcast title, playlist name, game name, game title",
        lambda s: s.words("work_first", "work_last"),
    ),
    "course_title": _Pattern(
        "course name, course title, lesson name, lesson title, class name, class title, lecture name, lecture title, "
        "quiz name, quiz title, curriculum name, workshop title, webinar title",
        lambda s: s.words("course_first", "course_last"),
    ),
    "boss_name": _Pattern(
        "boss name, monster name, enemy name, raid name", lambda s: s.words("boss_first", "boss_last")
    ),
    "area_name": _Pattern(
        "dungeon name, map name, area name, zone name, field name, chapter name, quest name, mission name, arena name",
        lambda s: s.words("guild_first", "area_last"),
    ),
    "banner_name": _Pattern(
        "banner name, gacha name, summon name, pickup name, event banner name, gacha title, banner title",
        lambda s: s.words("banner_first", "banner_last"),
    ),
    "hero_name": _Pattern(
        "hero name, chara name, champion name, unit name, pet name, companion name", lambda s: s.word("hero")
    ),
    "pack_name": _Pattern(
        "pack name, package name, bundle name, pass name, offer name", lambda s: s.word("pack"), "pack, package, bundle"
    ),
    "restaurant_name": _Pattern(
        "restaurant name, cafe name, diner name, kitchen name, bar name",
        lambda s: s.words("venue_first", "restaurant_last"),
    ),
    "hotel_name": _Pattern(
        "hotel name, accommodation name, lodging name, property name", lambda s: s.words("venue_first", "hotel_last")
    ),
    "store_name": _Pattern(
        "store name, shop name, branch name, outlet name, venue name, place name, clinic name",
        lambda s: s.words("venue_first", "store_last"),
    ),
    "dish_name": _Pattern(
        "dish name, menu item name, food name, recipe name, recipe title, meal name",
        lambda s: s.words("dish_first", "dish_last"),
    ),
}

_PATTERNS: dict[str, _Pattern] = {**_PEOPLE, **_PLACES, **_NETWORK, **_TEXTS, **_COMMERCE, **_FILES, **_INVENTED}

INVENTED = frozenset({*_INVENTED, "product_name", "item_name", "guild_name", "brand", "title"})
"""Patterns of names that a product gives to its own things, which are the same for all of its users."""

_NO_PATTERN = "virtual currency, game currency, soft currency, hard currency, premium currency, in game currency"
"""Endings that say something else than their last word."""


# --------------------------------------------------------------------------- what others call


def patterns() -> tuple[str, ...]:
    """Names of all patterns."""
    return tuple(_PATTERNS)


def pattern_of(property_name: str, type: PropertyType) -> str | None:
    """The pattern that a property's name and type speak of; None if they speak of none.

    Args:
        property_name: as it is sent, dotted or not.
        type: numbers, texts, times and lists of texts have patterns; a list's name is read as that of one element.
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
    """Values of a pattern, true to a locale such as `ko_KR`; always the same ones. They may repeat.

    Texts, but of `age` and `birth_year` whole numbers, of `latitude` and `longitude` degrees.

    Raises:
        UnknownPatternError: when there is no such pattern.
    """
    if pattern not in _PATTERNS:
        near = difflib.get_close_matches(pattern, _PATTERNS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_PATTERNS)}"
        raise UnknownPatternError(f"there is no pattern {pattern!r} for values; {advice}")
    source = _Source(pattern, locale)
    make = _PATTERNS[pattern].make
    return tuple(make(source) for _ in range(size))


_WORD = re.compile(r"[iI][pP][vV][46]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _name_words(name: str) -> list[str]:
    """Words of a name in small letters, without numbers at its end."""
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
    """Patterns of a type by ending, and by name that stands alone."""
    endings: dict[str, str | None] = dict.fromkeys(_NO_PATTERN.split(", "))
    alone: dict[str, str] = {}
    for name, pattern in _PATTERNS.items():
        if pattern.type is type:
            endings.update(dict.fromkeys(pattern.endings.split(", "), name))
            alone.update(dict.fromkeys(filter(None, pattern.alone.split(", ")), name))
    # Two words are often written as one (`nickname`), where that is not a word of its own (`username`).
    for ending in list(endings):
        endings.setdefault(ending.replace(" ", ""), endings[ending])
    return endings, alone
