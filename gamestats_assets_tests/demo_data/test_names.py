"""Names: which pattern a property's name speaks of, and that values are true to their locale."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
import uuid
import zoneinfo
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.demo_data.locales import countries, country
from gamestats_assets.demo_data.names import UnknownPatternError, has_provider, pattern_of, patterns, pool
from gamestats_assets.demo_data.taxonomies.model import PropertyType

LOCALES = {"ko_KR": "KR", "ja_JP": "JP", "en_US": "US"}
SOME = 64

KO = r"[가-힣]+"
JA = r"[぀-ヿ一-鿿々〆ー]+"
EN = r"[A-Za-z][A-Za-z'. -]*"
KO_TEXT = r"[가-힣0-9A-Za-z ,.?!()/·&-]*[가-힣][가-힣0-9A-Za-z ,.?!()/·&-]*"
JA_TEXT = (
    r"[぀-ヿ一-鿿々〆ー0-9A-Za-z 、。！？（）・()/／･·-]*[぀-ヿ一-鿿][぀-ヿ一-鿿々〆ー0-9A-Za-z 、。！？（）・()/／･·-]*"
)
EN_TEXT = r"[A-Za-z0-9][A-Za-z0-9 ,.'?!()/&-]*"
PROVINCES = "경기|강원|충청|전라|전북|경상|제주|서울|부산|대구|인천|광주|대전|울산|세종"
HOST = r"[a-z]+\.example\.(com|net|org)"

EVERYWHERE = {
    "username": r"[a-z0-9][a-z0-9._-]+",
    "age_group": r"\d\d-\d\d|65\+",
    "birth_date": r"(19[5-9]\d|20[01]\d)-\d\d-\d\d",
    "birth_time": r"(19[5-9]\d|20[01]\d)-\d\d-\d\d 00:00:00\.000",
    "blood_type": "A|B|AB|O",
    "email": r"[a-z0-9._-]+@example\.(com|net|org)",
    "country_code": r"[A-Z]{2}",
    "time_zone": r"[A-Z]\w+/\w+",
    "language": r"[a-z]{2}",
    "url": rf"https://www\.{HOST}/[a-z]{{2}}/[a-z]+/\d{{4}}",
    "domain": HOST,
    "path": r"/[a-z]+/\d{3}",
    "image_url": rf"https://img\.{HOST}/[0-9a-f]{{12}}\.(jpg|png|webp)",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "ipv6": r"2001:db8(:[0-9a-f]{4}){6}",
    "mac_address": r"02(:[0-9a-f]{2}){5}",
    "user_agent": r"Mozilla/5\.0 \(.+\) AppleWebKit/.+",
    "browser": r"Chrome|Safari|Edge|Samsung Internet|Firefox",
    "os": r"Android|iOS|Windows|macOS",
    "platform": r"iOS|Android|Web",
    "device_model": r"(iPhone|iPad|SM-|Pixel|moto|[A-Z0-9]).*",
    "network_type": r"WIFI|4G|5G",
    "traffic_source": r"[a-z]+",
    "traffic_medium": r"[a-z]+",
    "date": r"202[45]-\d\d-\d\d",
    "error_message": EN_TEXT,
    "hex_color": r"#[0-9a-f]{6}",
    "credit_card_brand": r"Visa|Mastercard|American Express|JCB|UnionPay",
    "credit_card_number": r"[45]\d{3}-\*{4}-\*{4}-\d{4}",
    "iban": r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}",
    "bank_account": r"[1-9]\d\d-\d{6}-\d\d-\d{3}",
    "coupon_code": r"[A-Z]+-[A-Z]\d\d[A-Z]",
    "order_number": r"202[45]\d{4}-\d{7}",
    "sku": r"[A-Z]{3}-\d{4}",
    "barcode": r"\d{13}",
    "isbn": r"97[89]-[\d-]+\d",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "hash": r"[0-9a-f]{64}",
    "token": r"[0-9a-f]{40}",
    "build": r"\d\.\d{1,2}\.\d\.\d{4}",
    "version": r"\d\.\d{1,2}\.\d",
    "file_name": r"[a-z]+_\d{4}\.[a-z0-9]{3,4}",
    "file_extension": r"[a-z0-9]{3,4}",
    "mime_type": r"[a-z]+/[a-z0-9]+",
}
"""What a value looks like in any locale."""

LOCAL = {
    "work_title": (KO_TEXT, JA_TEXT, EN_TEXT),
    "course_title": (KO_TEXT, JA_TEXT, EN_TEXT),
    "boss_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "area_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "banner_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "hero_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "pack_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "restaurant_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "hotel_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "store_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "dish_name": (KO_TEXT, JA_TEXT, EN_TEXT),
    "name": (KO, rf"{JA} {JA}", rf"{EN} {EN}"),
    "first_name": (KO, JA, EN),
    "last_name": (KO, JA, EN),
    "nickname": (rf"{KO}\d*", rf"{JA}\d*", r"[A-Za-z]+\d*"),
    "gender": ("남성|여성", "男性|女性", "male|female"),
    "job": (KO_TEXT, JA_TEXT + "|YouTuber|[A-Z]{2,}", EN_TEXT),
    "company": (KO_TEXT, JA_TEXT, EN_TEXT),
    "department": (r"[가-힣]+팀", JA + "(?<=部)", EN_TEXT),
    "school": (r"[가-힣 ]+학교", JA + "(?<=学|校)", ".*(University|High School).*"),
    "phone": (r"010-[1-9]\d{3}-\d{4}", r"0[789]0-[1-9]\d{3}-\d{4}", r"\([2-9]\d\d\) 555-01\d\d"),
    "address": (rf"({PROVINCES}).* [가-힣]+[시군구] .*\d.*", r".{2,3}[都道府県].+\d.*", r".+, .+[A-Z]{2} \d{5}"),
    "street": (r"[가-힣0-9]+", r"[぀-ヿ一-鿿々〆ーＡ-Ｚ]+", EN_TEXT),
    "city": (r"[가-힣 ]+[시군구]", JA + "(?<=[市区町村])", EN_TEXT),
    "state": (rf"({PROVINCES})[가-힣]*", r".{2,3}[都道府県]", EN),
    "zip_code": (r"\d{5}", r"\d{3}-\d{4}", r"\d{5}"),
    "country": (KO_TEXT, JA_TEXT, r"[A-Z].+"),
    "locale": ("ko_KR", "ja_JP", "en_US"),
    "currency": ("KRW", "JPY", "USD"),
    "carrier": (r"SKT|KT|LG U\+", "NTT DOCOMO|au|SoftBank|Rakuten Mobile", "T-Mobile|Verizon|AT&T"),
    "campaign": (
        r"KR_[a-z]+_[a-z]+_202[45]Q[1-4]",
        r"JP_[a-z]+_[a-z]+_202[45]Q[1-4]",
        r"US_[a-z]+_[a-z]+_202[45]Q[1-4]",
    ),
    "sentence": (KO_TEXT, JA_TEXT, EN_TEXT),
    "title": (KO_TEXT, JA_TEXT, EN_TEXT),
    "keyword": (KO_TEXT, JA_TEXT, r"[a-z ]+"),
    "hashtag": (rf"#{KO}", rf"#{JA}", r"#[a-z]+"),
    "page": (KO_TEXT, JA_TEXT, EN),
    "weekday": ("[월화수목금토일]요일", "[月火水木金土日]曜日", "(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"),
    "product_name": (rf"{KO} {KO}", JA, rf"{EN} {EN}"),
    "item_name": (rf"{KO} {KO}", JA, rf"{EN} {EN}"),
    "brand": (KO, JA, EN),
    "category": (KO, JA, EN),
    "color": (KO, JA, r"[a-z ]+"),
    "payment_method": (KO_TEXT, r"PayPay|d払い|" + JA, EN),
    "bank": (
        r"(KB|NH|IBK)?[가-힣]+",
        r"[A-Za-z]*" + JA + r"|三菱UFJ銀行|住信SBIネット銀行",
        r"[A-Za-z.]+( [A-Za-z.]+)*",
    ),
    "license_plate": (r"\d{2,3}[가-힣] ?\d{4}", r"[぀-ヿ一-鿿]+ \d+ [ぁ-ん] .+", r"[A-Z0-9][A-Z0-9 •-]{3,9}"),
    "guild_name": (rf"{KO} {KO}", JA, rf"{EN} {EN}"),
}
"""What a value looks like in Korea, Japan and the United States."""

NUMBERS = {"age": (14, 70), "birth_year": (1955, 2010), "latitude": (-60, 70), "longitude": (-180, 180)}


# --------------------------------------------------------------------------- values


def test_there_are_more_than_40_patterns_and_all_are_tested() -> None:
    assert len(patterns()) > 40
    assert sorted(patterns()) == sorted([*EVERYWHERE, *LOCAL, *NUMBERS])


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("pattern", [*EVERYWHERE, *LOCAL])
def test_texts_are_true_to_the_locale(pattern: str, locale: str) -> None:
    expected = EVERYWHERE.get(pattern) or LOCAL[pattern][list(LOCALES).index(locale)]
    for value in pool(pattern, locale, SOME):
        assert isinstance(value, str)
        assert re.fullmatch(expected, value), value
        assert value == value.strip()
        assert len(value.encode()) < 256


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("pattern", NUMBERS)
def test_numbers_lie_where_they_should(pattern: str, locale: str) -> None:
    low, high = NUMBERS[pattern]
    found = pool(pattern, locale, SOME)
    assert all(isinstance(value, int | float) and low <= value <= high for value in found)
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


def test_pools_vary() -> None:
    for pattern in ("name", "email", "address", "nickname", "phone"):
        for locale in LOCALES:
            assert len(set(pool(pattern, locale, 100))) > 60


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
from gamestats_assets.demo_data.names import patterns, pool

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


def test_a_small_pool_is_the_beginning_of_a_large_one() -> None:
    assert pool("name", "ko_KR", 200)[:50] == pool("name", "ko_KR", 50)
    assert len(pool("color", "ko_KR")) == 512


def test_an_unknown_pattern() -> None:
    with pytest.raises(UnknownPatternError, match="no pattern 'first_nam' for values; did you mean first_name"):
        pool("first_nam", "ko_KR")
    with pytest.raises(UnknownPatternError, match="there are name, first_name"):
        pool("zzzzzz", "ko_KR")


# --------------------------------------------------------------------------- patterns by name


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("name", "name user_name userName UserName customer_name player_name fullName user.name"),
        ("first_name", "first_name firstName FIRST_NAME user_first_name given_name firstname"),
        ("last_name", "last_name surname familyName"),
        ("username", "username user_username loginId account"),
        ("nickname", "nickname nick_name nickName user_nickname character_name tmp_role_name"),
        ("gender", "gender sex user_gender"),
        ("birth_date", "birth_date birthDate birthday date_of_birth user_birthday DOB"),
        ("email", "email user_email emailAddress contact_email e_mail Email"),
        ("phone", "phone phone_number phoneNumber mobile tel mobile_no phoneNo contact_number"),
        ("address", "address billing_address shippingAddress address1 address_2"),
        ("street", "street street_name home_street street_address"),
        ("city", "city ship_city cityName"),
        ("state", "state province prefecture billing_state"),
        ("zip_code", "zip zip_code zipcode postal_code postcode"),
        ("country", "country user_country nation country_name"),
        ("country_code", "country_code countryCode"),
        ("company", "company company_name organization employer merchant_name"),
        ("job", "job occupation job_title user_job"),
        ("department", "department dept department_name"),
        ("url", "url page_url pageURL website landing_page referrer link"),
        ("image_url", "image_url avatar profile_image thumbnail"),
        ("domain", "domain hostname host_name email_domain"),
        ("ip", "ip #ip client_ip ipAddress IPAddress user_ip_address"),
        ("ipv6", "ipv6 client_ipv6 IPv6Address"),
        ("mac_address", "mac_address macAddress"),
        ("user_agent", "user_agent userAgent useragent"),
        ("uuid", "uuid request_uuid guid idfa"),
        ("version", "version app_version appVersion sdk_ver"),
        ("language", "language user_language lang language_code"),
        ("currency", "currency currency_code currency_type order_currency"),
        ("time_zone", "time_zone timezone userTimeZone"),
        ("color", "color colour hair_color carColor"),
        ("hex_color", "hex_color color_code"),
        ("product_name", "product_name productName goods_name payment_name"),
        ("item_name", "item_name weapon_name"),
        ("brand", "brand product_brand brand_name"),
        ("category", "category product_category"),
        ("file_name", "file_name filename uploadFileName"),
        ("file_extension", "file_extension file_type"),
        ("mime_type", "mime_type content_type contentType"),
        ("sentence", "content message comment chat_content review_text description mail_content memo"),
        ("title", "title page_subject email_subject post_title mailTitle"),
        ("keyword", "keyword search_keyword search_term searchQuery"),
        ("hashtag", "hashtag hash_tag post_hashtag"),
        ("credit_card_brand", "card_brand creditCardBrand credit_card_type"),
        ("credit_card_number", "card_number credit_card_number"),
        ("bank", "bank bank_name"),
        ("iban", "iban"),
        ("bank_account", "account_number bank_account"),
        ("coupon_code", "coupon coupon_code couponCode promo_code exchange_code"),
        ("payment_method", "payment_method payment_type payMethod"),
        ("license_plate", "license_plate carNumber"),
        ("isbn", "isbn book_isbn"),
        ("barcode", "barcode ean"),
        ("hash", "password password_hash file_hash"),
        ("token", "access_token push_token"),
        ("campaign", "campaign campaign_name utm_campaign"),
        ("traffic_source", "utm_source media_source"),
        ("guild_name", "guild_name tmp_guild clan_name"),
        ("carrier", "carrier mobile_carrier"),
        ("error_message", "error_message errorMsg"),
        ("school", "school university_name"),
        ("age_group", "age_group age"),
    ],
)
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
