"""A generated product's taxonomy, rules and users as tables, and its logs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.logs.landing import land_logs
from gamestats_assets.demo_data.rules.configuration import Configuration
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.tables import DemoRules, DemoTaxonomy, DemoUsers, Products
from gamestats_assets.demo_data.taxonomies.model import Property, Taxonomy, flattened
from gamestats_assets.lakehouse.landing.zone import Landing

_USERS_AT_ONCE = 20_000
_FACETS = (
    "country",
    "time_zone",
    "language",
    "os",
    "os_version",
    "manufacturer",
    "device_model",
    "carrier",
    "app_version",
)


@dataclass(frozen=True, slots=True)
class GeneratedProduct:
    """A product whose logs are generated here."""

    product: str
    taxonomy: Taxonomy
    rules: Rules
    configuration: Configuration

    @property
    def days(self) -> list[str]:
        """Returns the days of its run."""
        first = self.configuration.start
        return [(first + timedelta(days=number)).isoformat() for number in range(self.configuration.days)]

    def run_identity(self) -> str:
        """Identity of everything that decides the bytes of its logs."""
        from gamestats_assets.demo_data.generator.generate import run_identity

        return run_identity(self.taxonomy, self.rules, self.configuration)


def generated_products(products: pl.DataFrame) -> Iterator[GeneratedProduct]:
    """Yields the products that are active and generated."""
    for row in products.filter(pl.col("is_active") & pl.col("is_generated")).sort("product").iter_rows(named=True):
        yield GeneratedProduct(
            row["product"],
            Taxonomy.model_validate_json(row["taxonomy"]),
            Rules.model_validate_json(row["rules"]),
            Configuration.model_validate_json(row["configuration"]),
        )


# --------------------------------------------------------------------------- tables


def demo_taxonomy(products: dy.LazyFrame[Products]) -> dy.LazyFrame[DemoTaxonomy]:
    """Returns one row per event and property of every product with a known taxonomy."""
    rows: list[dict[str, Any]] = []
    known = products.select("product", "taxonomy").drop_nulls().collect()
    for product, text in known.iter_rows():
        taxonomy = Taxonomy.model_validate_json(text)
        for event in taxonomy.events:
            own = {"alias": event.alias, "description": event.description}
            rows.append(_row(product, "event", event.name, "", None, len(rows)) | own)
            rows += _rows(product, "event", event.name, event.properties, len(rows))
        rows += _rows(product, "common", "", taxonomy.common_properties, len(rows))
        rows += _rows(product, "user", "", taxonomy.user_properties, len(rows))
    frame = pl.LazyFrame(rows, schema=DemoTaxonomy.schema())
    # Positions count within a product, from 0.
    first = pl.col("position").min().over("product")
    return DemoTaxonomy.cast(frame.with_columns(position=pl.col("position") - first))


def _rows(product: str, scope: str, event: str, properties: tuple[Property, ...], first: int) -> list[dict[str, Any]]:
    return [
        _row(product, scope, event, name, given, first + place)
        for place, (name, given) in enumerate(flattened(properties))
    ]


def _row(product: str, scope: str, event: str, name: str, given: Property | None, position: int) -> dict[str, Any]:
    return {
        "product": product,
        "scope": scope,
        "event_name": event,
        "property": name,
        "property_type": given.type.value if given else None,
        "alias": given.alias if given else "",
        "description": given.description if given else "",
        "rule": given.rule.model_dump_json() if given and given.rule else None,
        "update": given.update.value if given and given.update else None,
        "position": position,
    }


def demo_rules(products: dy.LazyFrame[Products]) -> dy.LazyFrame[DemoRules]:
    """Returns one row per section of the rules and subject of a rule."""
    rows: list[dict[str, Any]] = []
    known = products.filter(pl.col("rules").is_not_null()).select("product", "rules", "rules_origin").collect()
    for product, text, origin in known.iter_rows():
        for section, about in json.loads(text).items():
            rows += [
                {
                    "product": product,
                    "section": section,
                    "name": name,
                    "rule": json.dumps(rule, ensure_ascii=False),
                    "origin": origin or "unknown",
                }
                for name, rule in about.items()
            ]
    return DemoRules.cast(pl.LazyFrame(rows, schema=DemoRules.schema()))


def demo_users(products: dy.LazyFrame[Products]) -> dy.LazyFrame[DemoUsers]:
    """Returns the users of every generated product, as they are at the start of its run or at their sign-up."""
    frames = [frame for product in generated_products(products.collect()) for frame in _users(product)]
    return DemoUsers.cast(pl.concat([pl.DataFrame(schema=DemoUsers.schema()), *frames]).lazy())


def _users(of: GeneratedProduct) -> Iterator[pl.DataFrame]:
    from gamestats_assets.demo_data.generator.behaviour import first_stages
    from gamestats_assets.demo_data.generator.blueprint import blueprint
    from gamestats_assets.demo_data.generator.properties import first_properties, person_names
    from gamestats_assets.demo_data.generator.random_streams import Streams
    from gamestats_assets.demo_data.generator.users import make_users

    plan = blueprint(of.taxonomy, of.rules, of.configuration)
    streams = Streams(of.configuration.seed)
    for first in range(0, of.configuration.users, _USERS_AT_ONCE):
        users = make_users(plan, streams, first, min(_USERS_AT_ONCE, of.configuration.users - first))
        yield pl.DataFrame(
            {
                "product": pl.repeat(of.product, len(users), eager=True),
                "user_number": pl.Series(users.number).cast(pl.Int64),
                "account_id": users.accounts,
                "distinct_id": users.distincts,
                "segment": pl.Series(list(plan.segments), dtype=pl.String).gather(users.segment),
                "lifecycle_stage": first_stages(plan, users),
                "signed_up_at": pl.Series(users.signed_up_ms * 1000).cast(pl.Datetime("us", "UTC")),
                "name": person_names(streams, users),
                **{name: getattr(users, name).at() for name in _FACETS},
                "properties": first_properties(plan, streams, users),
            },
            schema_overrides=DemoUsers.schema(),
        ).select(*DemoUsers.schema())


# --------------------------------------------------------------------------- logs


def land_generated(of: GeneratedProduct, days: Sequence[str], landing: Landing, *, processes: int) -> None:
    """Generates a product's run and lands the logs of some of its days.

    Records that arrive after the last day land with the last day. The same run lands the same files, which are then
    known already.
    """
    from gamestats_assets.demo_data.generator.generate import generate

    with tempfile.TemporaryDirectory(prefix="gamestats-demo-data-") as folder:
        made = generate(of.taxonomy, of.rules, of.configuration, Path(folder), processes=processes)
        for file in made.files:
            if min(file.day, of.days[-1]) in days and not file.name.endswith(".parquet"):
                land_logs([Path(folder, file.name)], of.product, landing)
