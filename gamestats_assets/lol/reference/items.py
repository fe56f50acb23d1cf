"""Items and champions: their names on each patch, and the kinds that statistics assign to items.

Data Dragon contains the gold, recipe and tags of an item, but not whether players consider it completed. The kinds are
derived as follows:

- An upgrade of a completed item by an ally's forge (Ornn's masterworks) costs nothing, cannot be bought and has one
  component; so a completed item is one whose `into` contains nothing else.
- An item with a `specialRecipe` is never bought: another item transforms into it. Some lists name the base of the
  standard list for an item of a mode's own list (3004 for the Arena's 223042); the actual base is in the mode's list.
- Modes have their own lists, whose items share names with standard ones, with numbers such as 223042 for 3042. They are
  separate items of the same kinds.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lol.reference.tables import Champions, DataDragonChampions, DataDragonItems, Items

CORE_GOLD = 2200
"""Lowest cost of a completed item, in gold."""
_CONSUMABLE_GOLD = 1000
_STARTER_GOLD = 1000
_BOOTS_GOLD = 500
_OWN_LIST = 10_000
# Items that transform although Data Dragon does not mention it: stopwatches and the later armguards break when used,
# and the stopwatch of a rune is wound up.
_UNTOLD = {2421: 2420, 2424: 2423, 2423: 2419}
_CALLED = {"item_id": "an item", "champion_id": "a champion"}
_IN_ENGLISH, _IN_KOREAN = pl.col("language") == "en_US", pl.col("language") == "ko_KR"


class UnknownNameError(GamestatsError):
    """No available item or champion has this name."""


def items(listed: dy.LazyFrame[DataDragonItems]) -> dy.LazyFrame[Items]:
    """Returns the items of every listed version in any language, with their kinds.

    The English name is that of the version, or of the nearest earlier, else later, version with one; without any, the
    name in another language is used. The Korean name is found likewise. Numbers are sometimes reused for other items,
    so versions with the same recipe come first; of the others only those that may be the same item count.
    """
    numbered = listed.with_columns(version_order()).with_columns(_sameness())
    named = _named(_one_language(numbered, "item_id"), numbered, "item_id", "recipe", "make")
    result = named.pipe(_with_origins).with_columns(kind=_kind()).with_columns(goes_by_itself=_goes_by_itself())
    return Items.cast(result)


def champions(listed: dy.LazyFrame[DataDragonChampions]) -> dy.LazyFrame[Champions]:
    """Returns the champions of every listed version in any language.

    Names are found like those of items. The highest ranks are those of the version, or of the nearest one that has
    them.
    """
    numbered = listed.with_columns(version_order())
    rows = _one_language(numbered, "champion_id").drop("max_ranks")
    ranked = _nearest(
        rows, numbered.filter(pl.col("max_ranks").is_not_null()), ["champion_id"], "max_ranks", "max_ranks"
    )
    return Champions.cast(_named(ranked, numbered, "champion_id"))


def standing_items(items: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Returns items as valid for versions: each item ever listed, from the version or else the nearest one with it.

    The version used for a patch may be older than an item. An item missing in it is taken from the nearest earlier
    version, or else the nearest later one.

    Args:
        items: rows of `Items`.
        versions: column `data_dragon_version`.

    Returns:
        Rows of `Items`, with the `data_dragon_version` they are valid for; `version` is their source.
    """
    asked = versions.select("data_dragon_version").unique().drop_nulls()
    wanted = asked.with_columns(version_order("data_dragon_version")).join(
        items.select("item_id").unique(), how="cross"
    )
    found = _nearest(wanted, items.with_columns(version_order()), ["item_id"], "version", "version")
    # A few thousand rows that several joins need.
    return found.drop("version_order").join(items, on=["version", "item_id"]).collect().lazy()


def ids_of_name(listed: pl.DataFrame, key: str, name: str) -> list[int]:
    """Returns the numbers of the items or champions with a name in English or Korean, lowest first.

    Case, spaces and punctuation do not matter: `seraphs embrace` is Seraph's Embrace. An item has several numbers if
    modes have their own version of it.

    Args:
        listed: rows of `Items` or `Champions`, of any number of versions.
        key: `item_id` or `champion_id`.
        name: the entered name; champions are also found by their keys, such as MonkeyKing.

    Raises:
        UnknownNameError: if nothing has the name; the message lists the nearest names.
    """
    columns = [column for column in ("name", "name_ko", "champion_key") if column in listed.columns]
    known: dict[str, set[int]] = {}
    spelt: dict[str, str] = {}
    for column in columns:
        for number, called in listed.select(key, column).drop_nulls().unique().sort(key, column).iter_rows():
            known.setdefault(_folded(called), set()).add(number)
            spelt.setdefault(_folded(called), called)
    wanted = _folded(name)
    if wanted in known:
        return sorted(known[wanted])
    # Korean names are compared by letters, because different syllables share many.
    letters = {unicodedata.normalize("NFD", each): spelt[each] for each in known}
    sought = unicodedata.normalize("NFD", wanted)
    close = difflib.get_close_matches(sought, letters, n=3, cutoff=0.6 if sought == wanted else 0.75)
    begun = [called for each, called in sorted(spelt.items()) if len(wanted) > 1 and each.startswith(wanted)]
    near = [*dict.fromkeys([*(letters[each] for each in close), *begun])][:3]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UnknownNameError(f"Expected the English or Korean name of {_CALLED[key]}, found {name!r}.{hint}")


def _folded(name: str) -> str:
    """Returns a name without case, spaces and punctuation; Korean syllables stay whole."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def version_order(column: str = "version") -> pl.Expr:
    """Returns `version_order`, a sort key from the first three numbers of a version: 13.9.1 is before 13.10.1."""
    first, second, third = (
        pl.col(column).str.extract(rf"^(?:\d+\.){{{part}}}(\d{{1,4}})").cast(pl.Int64).fill_null(0) for part in range(3)
    )
    return ((first * 10_000 + second) * 10_000 + third).alias("version_order")


def _one_language(listed: pl.LazyFrame, key: str) -> pl.LazyFrame:
    """Returns the facts from one language per version and item or champion, English first, as they do not depend on
    it."""
    return listed.sort(~_IN_ENGLISH, "language").unique(["version", key], keep="first", maintain_order=True)


def _sameness() -> tuple[pl.Expr, pl.Expr]:
    """Returns `recipe`, the components, and `make`, which differs only for items that are certainly different.

    Items with and without components are different, and so are items made of different single items.
    """
    recipe = pl.col("from_ids").list.sort().cast(pl.List(pl.String)).list.join(" ")
    return recipe.alias("recipe"), pl.when(pl.col("from_ids").list.len() < 2).then(recipe).otherwise(
        pl.lit("several")
    ).alias("make")


def _named(rows: pl.LazyFrame, listed: pl.LazyFrame, key: str, *same: str) -> pl.LazyFrame:
    """Returns rows with `name` and `name_ko`, without the markup that some names contain.

    Args:
        rows: one row per version and item or champion.
        listed: the names in every language.
        key: key of the named rows.
        same: columns that must be equal for a name from another version to count, tried in order.
    """
    plain = listed.with_columns(pl.col("name").str.replace_all(r"(?:<[^>]*>)+", " ").str.strip_chars()).filter(
        pl.col("name") != ""
    )
    rows = rows.drop("name")
    for in_language, into in ((_IN_ENGLISH, "name_en"), (_IN_KOREAN, "name_ko")):
        found = [f"{into}_{number}" for number in range(max(len(same), 1))]
        for name, by in zip(found, ([column] for column in same) if same else ([],), strict=True):
            rows = _nearest(rows, plain.filter(in_language), [key, *by], "name", name)
        rows = rows.with_columns(pl.coalesce(found).alias(into)).drop(found)
    other = plain.filter(~_IN_ENGLISH).sort("language").unique(["version", key], keep="first", maintain_order=True)
    return rows.join(other.select("version", key, name_other="name"), on=["version", key], how="left").with_columns(
        name=pl.coalesce("name_en", "name_other", pl.format(f"{key.removesuffix('_id')} {{}}", key))
    )


def _nearest(rows: pl.LazyFrame, listed: pl.LazyFrame, by: Sequence[str], column: str, into: str) -> pl.LazyFrame:
    """Returns rows with a value from their own version, else the nearest earlier, else the nearest later one."""
    known = (
        listed.select("version_order", *by, column)
        .sort("version_order")
        .unique(["version_order", *by], keep="first", maintain_order=True)
    )
    earlier, later = f"{into}_earlier", f"{into}_later"
    return (
        rows.sort("version_order")
        .join_asof(known.rename({column: earlier}), on="version_order", by=by, check_sortedness=False)
        .join_asof(known.rename({column: later}), on="version_order", by=by, strategy="forward", check_sortedness=False)
        .with_columns(pl.coalesce(earlier, later).alias(into))
        .drop(earlier, later)
    )


def _with_origins(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Returns rows with the origins and uses of each item.

    `transformed_from` and `upgraded_from` are columns of `Items`; `has_use` says whether the shop builds something from
    it, `is_choice` whether it transforms into one of several, `of_boots` whether boots are a component.
    """
    base = pl.coalesce(
        pl.col("special_recipe"), pl.col("item_id").replace_strict(_UNTOLD, default=None, return_dtype=pl.Int32)
    )
    # Made of one item, free of charge, and not in the shop.
    is_made = (pl.col("gold_base") == 0) & ~pl.col("purchasable") & (pl.col("from_ids").list.len() == 1)
    rows = rows.with_columns(
        base=base,
        own_base=pl.col("item_id") // _OWN_LIST * _OWN_LIST + base % _OWN_LIST,
        made_of=pl.when(is_made).then(pl.col("from_ids").list.first()),
    )
    gold = rows.select("version", "item_id", gold="gold_total")
    for column in ("base", "own_base", "made_of"):
        rows = rows.join(gold.rename({"item_id": column, "gold": f"{column}_gold"}), on=["version", column], how="left")
    is_forged = (pl.col("made_of_gold") >= CORE_GOLD) | pl.col("required_ally").is_not_null()
    rows = rows.with_columns(
        transformed_from=pl.when(pl.col("own_base_gold").is_not_null())
        .then("own_base")
        .when(pl.col("special_recipe").is_not_null() | pl.col("base_gold").is_not_null())
        .then("base")
        .when(~is_forged)
        .then("made_of"),
        upgraded_from=pl.when(is_forged).then(pl.col("from_ids").list.first()),
    )
    targets = rows.drop_nulls("transformed_from").group_by("version", item_id="transformed_from").agg(targets=pl.len())
    not_bought = rows.filter(pl.col("transformed_from").is_not_null() | pl.col("upgraded_from").is_not_null())
    used = (
        _listed_of(rows, "into_ids", "into_id")
        .join(not_bought.select("version", into_id="item_id"), on=["version", "into_id"], how="anti")
        .select("version", "item_id", has_use=True)
        .unique()
    )
    boots = rows.filter(_tagged("Boots")).select("version", from_id="item_id")
    of_boots = (
        _listed_of(rows, "from_ids", "from_id")
        .join(boots, on=["version", "from_id"])
        .select("version", "item_id", of_boots=True)
        .unique()
    )
    for found in (targets, used, of_boots):
        rows = rows.join(found, on=["version", "item_id"], how="left")
    return rows.with_columns(
        pl.col("has_use", "of_boots").fill_null(False), is_choice=pl.col("targets").fill_null(0) > 1
    )


def _listed_of(rows: pl.LazyFrame, column: str, single: str) -> pl.LazyFrame:
    exploded = rows.select("version", "item_id", pl.col(column).alias(single)).filter(pl.col(single).list.len() > 0)
    return exploded.explode(single)


def _tagged(tag: str) -> pl.Expr:
    return pl.col("tags").list.contains(tag)


def _kind() -> pl.Expr:
    gold, is_basic = pl.col("gold_total"), pl.col("from_ids").list.len() == 0
    is_supports = _tagged("GoldPer") & _tagged("Lane")
    return (
        pl.when(_tagged("Trinket"))
        .then(pl.lit("trinket"))
        # Tags alone are wrong for a few completed items, and a wardstone is listed as consumed.
        .when((pl.col("consumed") | _tagged("Consumable")) & (gold <= _CONSUMABLE_GOLD))
        .then(pl.lit("consumable"))
        .when(is_supports & (pl.col("transformed_from").is_not_null() | ~is_basic))
        .then(pl.lit("quest"))
        .when(is_supports & (gold > 0))
        .then(pl.lit("starter"))
        .when((_tagged("Boots") | pl.col("of_boots")) & (gold >= _BOOTS_GOLD))
        .then(pl.lit("boots"))
        .when(pl.col("has_use"))
        .then(pl.lit("component"))
        .when((_tagged("Lane") | _tagged("Jungle")) & is_basic & gold.is_between(1, _STARTER_GOLD))
        .then(pl.lit("starter"))
        # The Arena's prismatic items cost less and come from an anvil.
        .when(((gold >= CORE_GOLD) | (pl.col("special_recipe").is_not_null() & (gold > 0))) & ~pl.col("is_choice"))
        .then(pl.lit("core"))
        .otherwise(pl.lit("other"))
    )


def _goes_by_itself() -> pl.Expr:
    """Whether an item disappears without a sale: potions and wards are consumed, the jungle's starters eaten, tokens
    traded in, and free items are lent."""
    kind = pl.col("kind")
    is_used_up = pl.col("consumed") & kind.is_in(["consumable", "trinket"])
    is_eaten = (kind == "starter") & _tagged("Jungle")
    is_lent = (pl.col("gold_total") == 0) & (kind != "trinket")
    is_token = (kind == "other") & (pl.col("from_ids").list.len() == 0)
    return is_used_up | is_eaten | is_lent | is_token
