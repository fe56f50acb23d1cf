"""Facts about the product of a taxonomy."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ProductInfo(BaseModel):
    """Facts about the product, which shape the rules.

    Attributes:
        industry: `game`, `ecommerce`, `saas`, `health`, or any other word; for an unknown one the events decide.
        platform: `mobile`, `web`, `pc` or `console`.
        name: for people.
        description: in a sentence or two, for a language model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    industry: str = "other"
    platform: Literal["mobile", "web", "pc", "console"] = "mobile"
    name: str = "Demo"
    description: str = ""
