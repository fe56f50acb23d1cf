"""Whether a product is used at work, so that nobody is there at weekends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gamestats_assets.demo_data.analysis.event_words import pieces
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.taxonomies.model import Taxonomy, flattened

_OF_COMPANIES = re.compile(r"\bb2b\b|\benterprise\b|\bbusiness software\b|기업용|業務用|法人向け", re.IGNORECASE)
_SIGNS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        r"\bcompan(?:y|ies)\b|\bbusiness(?:es)?\b|\borgani[sz]ations?\b|회사|기업|사업자|법인|会社|企業|法人",
        r"\bteam ?mates?\b|\bcolleagues?\b|\bco-?workers?\b|\bemployees?\b|동료|직원|同僚|社員|従業員",
        r"\bper seat\b|\bseats? (?:count|limit|added|removed)\b|\bseats in use\b|좌석 수|シート数",
        r"\bvat\b|\btax (?:id|number)\b|\binvoices?\b|세금계산서|請求書|インボイス",
        r"\bapi keys?\b|\bwebhooks?\b|\bsso\b|\bconsole\b|관리자 콘솔|管理画面",
        r"\bworkspaces?\b|워크스페이스|ワークスペース",
    )
)
"""What the sheets of products for companies speak of; one of these alone is found in any sheet."""
_ENOUGH = 3


def used_at_work(taxonomy: Taxonomy, product: ProductInfo) -> bool:
    """Whether the industry says so, or the sheet speaks of companies, colleagues, seats, invoices and the like."""
    text = " ; ".join(_texts(taxonomy))
    return bool(_OF_COMPANIES.search(product.industry)) or sum(bool(s.search(text)) for s in _SIGNS) >= _ENOUGH


def _texts(taxonomy: Taxonomy) -> Iterator[str]:
    for event in taxonomy.events:
        yield from (" ".join(pieces(event.name)), event.alias, event.description)
        for name, prop in flattened(event.properties):
            yield from (" ".join(pieces(name)), prop.alias)
    for prop in (*taxonomy.common_properties, *taxonomy.user_properties):
        yield from (" ".join(pieces(prop.name)), prop.alias)
