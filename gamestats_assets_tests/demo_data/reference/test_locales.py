"""Countries and devices: that the facts are whole, and consistent with what others know."""

from __future__ import annotations

import ipaddress
import zoneinfo
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from faker.config import AVAILABLE_LOCALES

from gamestats_assets.demo_data.reference.locales import (
    Platform,
    UnknownCountryError,
    browsers,
    countries,
    country,
    country_of_locale,
    devices,
    ip_addresses,
)

CODES = tuple(countries())
PLATFORMS: tuple[Platform, ...] = get_args(Platform)
REGIONS = {each.region for each in countries().values()}


def test_an_unknown_country_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UnknownCountryError, match=r"'XX' is not a country .* KR, JP"):
        country("XX")
    with pytest.raises(UnknownCountryError):
        ip_addresses("XX", np.array([0.5]))


@pytest.mark.parametrize("code", CODES)
def test_facts_of_a_country(code: str) -> None:
    found = country(code)
    assert set(dict(found.time_zones)) <= zoneinfo.available_timezones()
    assert sum(share for _, share in found.time_zones) == pytest.approx(1, abs=0.001)
    assert sum(share for _, share in found.carriers) == pytest.approx(1, abs=0.02)
    assert min(share for _, share in (*found.time_zones, *found.carriers)) > 0
    assert found.faker_locale in AVAILABLE_LOCALES
    assert len(found.currency) == 3
    assert len(found.language) == 2
    assert found.mobile_numbers
    assert all(set(numbers) <= set("0123456789#%-() ") for numbers in found.mobile_numbers)
    assert found.region in devices("mobile")[0].popularity


@pytest.mark.parametrize("code", CODES)
def test_addresses_are_of_the_country_and_neither_private_nor_reserved(code: str) -> None:
    found = country(code)
    for block in found.ip_blocks:
        assert 8 <= block.prefixlen <= 16
        assert block.is_global
        assert not any(block.overlaps(other) for other in found.ip_blocks if other != block)
    drawn = [ipaddress.IPv4Address(text) for text in ip_addresses(code, np.linspace(0, 1, 500, endpoint=False))]
    assert all(any(address in block for block in found.ip_blocks) for address in drawn)
    assert all(address.is_global and not address.is_multicast for address in drawn)
    assert all(int(address) % 256 not in (0, 255) for address in drawn)


def test_no_address_belongs_to_two_countries() -> None:
    blocks = sorted((block, code) for code in CODES for block in country(code).ip_blocks)
    for (block, code), (after, other) in pairwise(blocks):
        assert not block.overlaps(after), (code, other)


def test_the_first_and_the_last_address_of_a_country() -> None:
    blocks = country("NZ").ip_blocks
    [first, last] = ip_addresses("NZ", np.array([0.0, 1 - 2.0**-53]))
    assert ipaddress.IPv4Address(first) == blocks[0].network_address + 1
    assert ipaddress.IPv4Address(last) == blocks[-1].broadcast_address - 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_devices_of_a_platform(platform: Platform) -> None:
    found = devices(platform)
    assert len({(each.model, each.os, each.screen_width, each.screen_height) for each in found}) == len(found)
    for each in found:
        assert each.platform == platform
        assert each.name
        assert each.model
        assert sum(share for _, share in each.os_versions) == pytest.approx(1)
        assert 320 <= each.screen_width <= 5000
        assert 480 <= each.screen_height <= 4000
        assert set(each.popularity) == REGIONS
        assert min(each.popularity.values()) >= 0
    for region in REGIONS:
        assert sum(each.popularity[region] for each in found) == pytest.approx(1, abs=0.01)


def test_devices_have_the_versions_that_were_made_for_them() -> None:
    by_name = {each.name: each for each in devices("mobile")}
    majors = {
        name: {int(version.split(".")[0]) for version, _ in by_name[name].os_versions}
        for name in ("iPhone 17", "iPhone XR", "Galaxy A12")
    }
    assert majors["iPhone 17"] == {26}
    assert max(majors["iPhone XR"]) == 18
    assert majors["Galaxy A12"] <= {10, 11, 12}
    assert by_name["iPhone XR"].manufacturer == "Apple"
    assert by_name["Galaxy S24"].model == "SM-S921B"


def test_browsers_of_all_systems_that_a_browser_runs_on() -> None:
    for os in {each.os for each in devices("web")}:
        assert sum(each.share for each in browsers(os)) == pytest.approx(1)
    assert browsers("Nintendo Switch") == ()


def test_the_country_of_a_locale() -> None:
    assert [country_of_locale(locale).code for locale in ("ko_KR", "en_US", "zh_TW", "en_MS", "is_IS")] == [
        *("KR", "US", "TW", "MY", "US")
    ]
