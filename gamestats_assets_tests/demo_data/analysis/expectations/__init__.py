"""What a careful person names from a taxonomy's sheet alone, by taxonomy.

Each module is named after a taxonomy and reads as a specification: `PRODUCT`, as one would introduce it, and
`EXPECTED`, in the words of `language`.
"""

from __future__ import annotations

from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.analysis.expectations import (
    auction,
    banking,
    card_game,
    casual_game,
    clinic,
    dating,
    ecommerce,
    education,
    food_delivery,
    gacha,
    game,
    health,
    insurance,
    l2m,
    logistics,
    moba,
    ride_hailing,
    saas,
    smart_home,
    travel,
    video_streaming,
    webtoon,
)
from gamestats_assets_tests.demo_data.analysis.expectations.language import Expectation

_MODULES = (
    *(game, ecommerce, saas, health, video_streaming, food_delivery, banking, education, travel),
    *(dating, webtoon, gacha, logistics, ride_hailing, casual_game, card_game),
    *(clinic, moba, auction, insurance, smart_home, l2m),
)
_BY_NAME = {module.__name__.rpartition(".")[2]: module for module in _MODULES}

PRODUCTS: dict[str, ProductInfo] = {name: module.PRODUCT for name, module in _BY_NAME.items()}
EXPECTED: dict[str, tuple[Expectation, ...]] = {name: module.EXPECTED for name, module in _BY_NAME.items()}
NOT_YET: dict[str, tuple[Expectation, ...]] = {name: getattr(m, "NOT_YET", ()) for name, m in _BY_NAME.items()}
"""What a person says and the analyst does not yet."""

REAL = ("casual_game", "card_game")
"""Tracking plans that are in use; the others are ours."""
