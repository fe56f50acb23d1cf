"""The truth about simulated logs, added up from their rows as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

_USD = pl.Decimal(20, 6)
_EXACT = pl.Decimal(38, 12)


@dataclass(frozen=True)
class DayTruth:
    """The truth about one day.

    Attributes:
        active: accounts in any log, with server and highest level; null without a level in any.
        kpis: by server: dau, nru, pu, npu, nnpu, revenue_usd.
        rows: rows of each log.
    """

    ds: date
    active: pl.DataFrame
    kpis: pl.DataFrame
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Truth:
    """The truth about all days.

    Attributes:
        farmers: user_id, and the signal that finds it (shared_ip, level_one, self_similar: farms act like clockwork).
        whitelist: prefixes of the addresses of cafes.
        lifetime_usd: user_id and lifetime payments of those who ever paid.
        guilds: user_id and guild_id, by the last money log with one.
        guild_changes: user_id, ds and guild_id of each account's first guild and of each change.
        balances: user_id, money_type and balance after the last day.
        rates: ds, currency and dollars for one unit.
    """

    days: tuple[DayTruth, ...]
    farmers: pl.DataFrame
    whitelist: tuple[str, ...]
    lifetime_usd: pl.DataFrame
    guilds: pl.DataFrame
    guild_changes: pl.DataFrame
    balances: pl.DataFrame
    rates: pl.DataFrame


@dataclass
class Tally:
    """Adds up logs as they are written, days in order."""

    rates: pl.DataFrame
    rows: dict[date, dict[str, int]] = field(default_factory=dict)
    _seen: list[pl.DataFrame] = field(default_factory=list)
    _logins: list[pl.DataFrame] = field(default_factory=list)
    _paid: list[pl.DataFrame] = field(default_factory=list)
    _guilds: list[pl.DataFrame] = field(default_factory=list)

    def take(self, ds: date, logs: Mapping[str, pl.DataFrame]) -> None:
        """Adds the logs of some accounts; each account comes once a day."""
        rows = self.rows.setdefault(ds, dict.fromkeys(logs, 0))
        for log, frame in logs.items():
            rows[log] += frame.height
        account = ["user_id", "server_id"]
        named = [frame.select(*account, *({"level"} & {*frame.columns})) for frame in logs.values()]
        day = pl.lit(ds).alias("ds")
        self._seen.append(
            pl.concat(named, how="diagonal")
            .group_by(account)
            .agg(pl.col("level").max().cast(pl.Int64))
            .select(day, "*")
        )
        self._logins.append(logs["login"].select("user_id", day).unique())
        dollars = (pl.col("amount").cast(_EXACT) * pl.col("usd_per_unit").cast(_EXACT)).sum().cast(_USD)
        paid = logs["recharge"].join(self.rates.filter(pl.col("ds") == ds), on="currency")
        self._paid.append(paid.group_by("ds", *account).agg(usd=dollars))
        money = pl.concat([logs["increase_money"], logs["decrease_money"]]).drop_nulls("guild_id")
        self._guilds.append(money.select("user_id", day, "guild_id").unique())

    def days(self) -> tuple[DayTruth, ...]:
        """Returns the truth of each day."""
        seen, paid = pl.concat(self._seen), pl.concat(self._paid)

        def first(frame: pl.DataFrame, name: str) -> pl.DataFrame:
            return frame.group_by("user_id").agg(pl.col("ds").min().alias(name))

        is_first = {name: pl.col("ds").eq_missing(pl.col(name)) for name in ("active", "login", "charge")}
        kpis = (
            seen.join(paid, on=["ds", "user_id", "server_id"], how="left")
            .join(first(seen, "active"), on="user_id", how="left")
            .join(first(pl.concat(self._logins), "login"), on="user_id", how="left")
            .join(first(paid, "charge"), on="user_id", how="left")
            .group_by("ds", "server_id")
            .agg(
                dau=pl.len(),
                nru=is_first["active"].sum(),
                pu=pl.col("usd").count(),
                npu=is_first["charge"].sum(),
                nnpu=(is_first["charge"] & is_first["login"]).sum(),
                revenue_usd=pl.col("usd").sum().cast(_USD),
            )
            .sort("server_id")
        )
        return tuple(
            DayTruth(
                ds,
                seen.filter(pl.col("ds") == ds).drop("ds").sort("user_id"),
                kpis.filter(pl.col("ds") == ds).drop("ds"),
                rows,
            )
            for ds, rows in self.rows.items()
        )

    def lifetime_usd(self) -> pl.DataFrame:
        """Returns lifetime payments of all accounts that ever paid."""
        return (
            pl.concat(self._paid).group_by("user_id").agg(lifetime_usd=pl.col("usd").sum().cast(_USD)).sort("user_id")
        )

    def guild_changes(self) -> pl.DataFrame:
        """Returns each account's first guild, and each change."""
        guilds = pl.concat(self._guilds).sort("user_id", "ds")
        return guilds.filter(~pl.col("guild_id").eq_missing(pl.col("guild_id").shift().over("user_id")))
