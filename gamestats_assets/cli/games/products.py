"""`gamestats product`: the products whose event logs are read or generated."""

from __future__ import annotations

from typing import Annotated

import typer

from gamestats_assets.cli.commands import entered_by
from gamestats_assets.cli.games.generate import (
    Days,
    LanguageModel,
    RulesFile,
    RunFile,
    Seed,
    Start,
    Users,
    configuration_of,
    rule_maker,
    taxonomy_path,
)
from gamestats_assets.cli.terminal import CarefulGroup
from gamestats_assets.demo_data.products.entered import PRODUCT, Origin

app = typer.Typer(cls=CarefulGroup)


def _origin(
    product: str,
    taxonomy: Annotated[
        str | None,
        typer.Argument(
            metavar="[TAXONOMY]",
            help="What it sends: a file, a folder, or the name of a shipped one. With it the product is generated.",
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
) -> Origin:
    """What is known of a new product's logs: its taxonomy, its rules, and the run."""
    from gamestats_assets.demo_data.products.run import read_rules
    from gamestats_assets.demo_data.rules.soundness import require_sound
    from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
    from gamestats_assets.settings import Settings

    if taxonomy is None:
        return Origin()
    folder = taxonomy_path(taxonomy)
    parsed = read_taxonomy(folder)
    run = {"users": users, "days": days, "start": start.date() if start else None, "seed": seed}
    configuration = configuration_of(config, run, {"name": product}, parsed, folder)
    if not only_read:
        _refuse_early(configuration.start.isoformat())
    if rules is not None:
        chosen, origin = read_rules(rules), "a person"
    else:
        made = rule_maker(Settings(), ai).make(parsed, configuration.product)
        chosen, origin = made.rules, made.origin if made.origin == "analyst" else f"{ai}: {made.detail}"
    require_sound(chosen, parsed)
    return Origin(parsed, chosen, origin, None if only_read else configuration)


def _refuse_early(first: str) -> None:
    from gamestats_assets.demo_data.tables import DemoLogs

    earliest = f"{DemoLogs.spec.first_day}"
    if first < earliest:
        raise typer.BadParameter(
            f"--start {first} is before {earliest}, the first day that products have partitions of."
        )


entered_by(app, PRODUCT, _origin, add="add")
entered_by(app, PRODUCT, change="change", remove="remove", list="list")
