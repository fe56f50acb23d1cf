"""Types for integers in documents that fit into columns; msgspec refuses others while decoding."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

LAST_MILLIS = 9_214_646_400_000
"""The end of the year 2261 in unix milliseconds, the last time that every component can store in microseconds."""
LAST_YEAR = 2261
"""The same limit for times that are not written as numbers."""

Int16: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**15), le=2**15 - 1)]
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LAST_MILLIS)]
"""Unix milliseconds."""
