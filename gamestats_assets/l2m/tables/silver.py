"""Silver: who did what on a day, each account once."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.tables.rows import SILVER, AccountDayRow, DayRow, count, text, utc


class StdActive(AccountDayRow, key="l2m/std_active", **SILVER):
    """Who was active: accounts that any of the seven logs of a day names, on each server."""

    level = dy.Int16(
        nullable=True, min=0, description="Highest level that any log of the day tells; null where none does."
    )
    country = dy.String(
        nullable=True, description="Country that the day's visits tell; by alphabet the first of several."
    )
    logins = count("Logins of the day.")
    items_gained = count("Items gained, of any kind.")
    log_rows = count("Rows of all seven logs.")
    first_at = utc("Time of its first row that tells one.", nullable=True)
    last_at = utc("Time of its last row that tells one.", nullable=True)


class SharedAddresses(DayRow, key="l2m/shared_addresses", **SILVER):
    """Accounts that came from an address of which ten or more accounts came on that day, cafes included."""

    ip = text("Address.", primary_key=True)
    user_id = text("Account.", primary_key=True)
    accounts = count("Accounts that came from the address on that day.")


class ActivityRhythms(DayRow, key="l2m/activity_rhythms", **SILVER):
    """How alike the hours of an account's day are: people play now this and now that, programs do the same all day.

    Of each hour with something in it the seven logs' rows are a vector; its cosine similarity to the even vector is
    taken, and of all hours' similarities the standard deviation sigma. Self-similarity is 1 - sigma / 2, as in Lee and
    others, You are a game bot! (NDSS 2016).
    """

    user_id = text("Account.", primary_key=True)
    active_hours = count("Hours of the day with at least one row.")
    log_rows = count("Rows of item and money logs.")
    self_similarity = dy.Float64(min=0, max=1, description="1 where all hours are alike.")


class MoneyBalances(AccountDayRow, key="l2m/money_balances", **SILVER):
    """What an account had of a kind of money before and after the day, and what came and went."""

    money_type = text("Kind of money.", primary_key=True)
    gained = count("How much came.")
    spent = count("How much went.")
    opening_balance = dy.Int64(nullable=True, description="Before the first row of the day that tells a balance.")
    closing_balance = dy.Int64(nullable=True, description="After the last row of the day that tells a balance.")
    untold = count("Rows that tell no balance or no time.")


class GuildMembers(DayRow, key="l2m/guild_members", **SILVER):
    """The guild that an account's last money log of the day names."""

    user_id = text("Account.", primary_key=True)
    guild_id = text("Guild (clan).")
    guild_name = dy.String(nullable=True, description="Its name.")
    told_at = utc("Time of that row.")
