"""What the product is whose events a taxonomy describes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ProductInfo(BaseModel):
    """What the product is; it shapes the rules.

    Attributes:
        industry: `game`, `ecommerce`, `saas`, `health`, or any other word; one that is unheard of is taken for what the
            events speak of.
        platform: `mobile`, `web`, `pc` or `console`.
        name: for people.
        description: in a sentence or two, for a language model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    industry: str = "other"
    platform: Literal["mobile", "web", "pc", "console"] = "mobile"
    name: str = "Demo"
    description: str = ""
