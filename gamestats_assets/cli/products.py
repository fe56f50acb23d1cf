"""`gamestats product`: whose event logs are read, and which are generated here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gamestats_assets.cli.entering import Form, Output, enter, given, listed, listed_words
from gamestats_assets.cli.generate import Days, LanguageModel, RulesFile, RunFile, Seed, Start, Users
from gamestats_assets.cli.terminal import CarefulGroup, say

if TYPE_CHECKING:
    import polars as pl
    import psycopg

product_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="""Products whose ThinkingData logs are turned into tables.

    A product with a taxonomy and a run is generated: its logs are made, landed and taken up. Any other product's logs
    come with `gamestats ingest logs`.

        gamestats product add demo-shop ecommerce --users 1000 --days 7
        gamestats product add my-game --payment-event payment --amount pay_amount
        gamestats product list
        gamestats product change my-game --funnel "open_shop,buy" --funnel "start,finish"
        gamestats product remove demo-shop
    """,
)

_Product = Annotated[str, typer.Argument(metavar="PRODUCT", help="Short name, such as demo-shop.", show_default=False)]
_PaymentEvent = Annotated[
    str | None, typer.Option(metavar="EVENT", help="Event that is a payment.", show_default=False)
]
_Amount = Annotated[
    str | None, typer.Option(metavar="PROPERTY", help="Its property that is the amount.", show_default=False)
]
_CurrencyProperty = Annotated[
    str | None, typer.Option(metavar="PROPERTY", help="Its property that is the currency.", show_default=False)
]
_Currency = Annotated[
    str | None, typer.Option(metavar="CODE", help="Currency of payments that tell none.", show_default=False)
]
_Funnel = Annotated[
    list[str] | None,
    typer.Option(
        "--funnel", metavar="EVENTS", help="Events with commas; can be given several times.", show_default=False
    ),
]


@product_app.command("add")
def add(
    product: _Product,
    taxonomy: Annotated[
        str | None,
        typer.Argument(
            metavar="[TAXONOMY]",
            help="What it sends: a file, a folder, or the name of a shipped one. With it the product is generated.",
            show_default=False,
        ),
    ] = None,
    users: Users = None,
    days: Days = None,
    start: Start = None,
    seed: Seed = None,
    config: RunFile = None,
    rules: RulesFile = None,
    ai: LanguageModel = None,
    only_read: Annotated[
        bool, typer.Option("--only-read", help="Generate nothing: the taxonomy says what its own logs hold.")
    ] = False,
    payment_event: _PaymentEvent = None,
    amount: _Amount = None,
    currency_property: _CurrencyProperty = None,
    currency: _Currency = None,
    funnel: _Funnel = None,
) -> None:
    """Add a product. With a taxonomy its logs are generated, unless they are only to be read.

    Which event is a payment, and the funnels, are read off the rules unless told.

    Examples:

        gamestats product add demo-shop ecommerce --users 1000 --days 7 --start 2026-01-01
        gamestats product add my-game plan.xlsx --only-read
    """
    from gamestats_assets.cli.generate import configuration_of, rule_maker, taxonomy_path
    from gamestats_assets.demo_data.production import read_rules
    from gamestats_assets.demo_data.products import add_product
    from gamestats_assets.demo_data.rules.soundness import require_sound
    from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
    from gamestats_assets.settings import Settings

    meaning = {
        "payment_event": payment_event,
        "amount_property": amount,
        "currency_property": currency_property,
        "currency": currency,
        "funnels": _funnels(funnel),
    }
    if taxonomy is None:
        enter(lambda conn: add_product(conn, product, **meaning))
        say(f"Bring its logs: gamestats ingest logs PATH --product {product}")
        return
    folder = taxonomy_path(taxonomy)
    told = read_taxonomy(folder)
    run = {"users": users, "days": days, "start": start.date() if start else None, "seed": seed}
    configuration = configuration_of(config, run, {"name": product}, told, folder)
    if not only_read:
        _refuse_early(configuration.start.isoformat())
    if rules is not None:
        chosen, origin = read_rules(rules), "a person"
    else:
        made = rule_maker(Settings(), ai).make(told, configuration)
        chosen, origin = made.rules, made.origin if made.origin == "analyst" else f"{ai}: {made.detail}"
    require_sound(chosen, told)
    enter(
        lambda conn: add_product(
            conn,
            product,
            taxonomy=told,
            rules=chosen,
            origin=origin,
            configuration=None if only_read else configuration,
            generated=not only_read,
            **meaning,
        )
    )
    say(f"Next: gamestats {'ingest logs PATH --product ' + product if only_read else 'materialize'}")


@product_app.command("change")
def change(
    product: _Product,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether its logs are taken up.", show_default=False)
    ] = None,
    payment_event: _PaymentEvent = None,
    amount: _Amount = None,
    currency_property: _CurrencyProperty = None,
    currency: _Currency = None,
    funnel: _Funnel = None,
) -> None:
    """Change what a product's events mean. Only what is given is changed; `none` takes a setting away.

    Example:

        gamestats product change my-game --payment-event payment --amount pay_amount --currency KRW
    """
    from gamestats_assets.demo_data.products import change_product

    fields = given(
        is_active=active,
        payment_event=payment_event,
        amount_property=amount,
        currency_property=currency_property,
        currency=currency,
        funnels=_funnels(funnel),
    )
    enter(lambda conn: change_product(conn, product, **fields))


@product_app.command("remove")
def remove(product: _Product) -> None:
    """Make a product inactive; what is there of it stays.

    Example:

        gamestats product remove demo-shop
    """
    from gamestats_assets.demo_data.products import remove_product

    enter(lambda conn: remove_product(conn, product))


@product_app.command("list")
def list_products(form: Form = None, output: Output = None) -> None:
    """List products, the inactive ones too.

    Example:

        gamestats product list
    """
    listed(_products, form, output)


def _products(conn: psycopg.Connection) -> pl.DataFrame:
    import polars as pl

    from gamestats_assets.lakehouse import ops

    columns = (
        "product", "is_active", "is_generated", "taxonomy_name", "rules_origin", "payment_event", "amount_property",
        "currency", "funnels",
    )  # fmt: skip
    found = ops.select(conn, "products", {})
    return pl.DataFrame(
        [{name: row[name] for name in columns} for row in found], schema_overrides={"currency": pl.String}
    )


def _refuse_early(first: str) -> None:
    from gamestats_assets.demo_data.tables import DemoLogs

    earliest = f"{DemoLogs.spec.first_day}"
    if first < earliest:
        raise typer.BadParameter(
            f"--start {first} is before {earliest}, the first day that products have partitions of."
        )


def _funnels(texts: list[str] | None) -> list[list[str]] | None:
    return None if texts is None else [listed_words(text) or [] for text in texts]
