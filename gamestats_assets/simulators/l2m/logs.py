"""Raw logs of an MMO with a planted truth: active accounts, payers, farmers, and guilds.

Knows the format of the logs and nothing of the pipeline. A day's logs are made for some thousands of accounts at a
time, so memory does not grow with the rows; state that lasts from day to day (balances, levels, guilds, payments) is
kept per account. The same plan gives the same logs.

    truth = simulate(Plan(accounts=2_000, days=7), folder)
        truth.days[0].kpis      # the expected figures

Planted are: farms of accounts behind one address that act like clockwork; accounts that gain items and never leave the
first level; cafes whose honest players share an address; households and a dormitory with fewer than ten accounts per
address; and people at the first level on their first day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.simulators.l2m.truth import Tally, Truth
from gamestats_assets.simulators.templates import rows

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Format = Literal["parquet", "csv", "jsonl"]

TABLES = ("login", "logout", "recharge", "increase_item", "decrease_item", "increase_money", "decrease_money")
"""The seven logs."""
_MARKETS = rows("l2m", "countries")
"""Countries as in logs (KR has no figures of its own), with their share of accounts, currency, dollars per unit, daily
variation of the rate, and prices. A price times a rate has at most six decimals."""
_CURRENCIES = pl.Series([market["currency"] for market in _MARKETS])
_PRICES = pl.Series([price for market in _MARKETS for price in market["prices"].split()]).cast(pl.Decimal(18, 4))
_CHANNELS = ("google_play", "app_store", "web_shop", "one_store")
_DEVICES = ("SM-S918N", "SM-A546E", "iPhone15,2", "iPhone13,4", "Redmi Note 12", "CPH2481", "PC")
_DIAMONDS = ("902", "912")
_GOLD = "101"
_MONEY_TYPES = (*_DIAMONDS, _GOLD)
KEY_ITEMS = tuple(map(str, range(1001, 1052)))
"""51 of the items."""
_OTHER_ITEMS = tuple(map(str, range(2001, 2150)))
_GAINED_BY, _SPENT_BY = ("11", "12", "13", "14", "15"), ("21", "22", "23", "24")
_MONEY_GAINED_BY, _MONEY_SPENT_BY = ("31", "32", "33"), ("41", "42", "43", "44")
_DAY_US = 86_400_000_000
_LAST_US = _DAY_US - 1_000_000
"""Nothing happens in the last second of a day, so that rows that are moved apart stay on it."""
_SHARING = 9
"""Accounts behind the address of a dormitory: one fewer than in a farm."""
_A_DAY_LIKE_CLOCKWORK = 48
"""Daily actions of a farming account: two per hour."""
_CAFE = 40
"""Honest players of a cafe."""


@dataclass(frozen=True)
class Plan:
    """A simulation plan.

    Attributes:
        start: the first day.
        actions: mean number of gains and spendings of an account on an active day.
        farms: addresses with 12 to 20 farming accounts each.
        level_one: farming accounts that stay at the first level.
        cafes: addresses with 40 honest players each.
        together: accounts simulated at a time.
    """

    accounts: int = 1_000
    days: int = 7
    start: date = date(2026, 3, 1)
    seed: int = 7
    servers: int = 8
    guilds: int = 40
    actions: float = 12.0
    farms: int = 3
    level_one: int = 20
    cafes: int = 1
    together: int = 50_000

    def __post_init__(self) -> None:
        """Raises ValueError if there are too few accounts for everything that is planted."""
        planted = self.farms * 20 + self.level_one + self.cafes * _CAFE + _SHARING
        if self.accounts < planted:
            raise ValueError(f"expected at least {planted} accounts for what is planted, found {self.accounts}")


def rates_usd(plan: Plan) -> pl.DataFrame:
    """Returns dollars per unit of each currency on each day: ds, currency, usd_per_unit."""
    days = [plan.start + timedelta(days=number) for number in range(plan.days)]
    rates = [
        (
            ds,
            market["currency"],
            Decimal(market["usd_per_unit"]) + Decimal(market["daily_step"]) * (ds.toordinal() % 7 - 3),
        )
        for ds in days
        for market in _MARKETS
    ]
    schema = {"ds": pl.Date, "currency": pl.String, "usd_per_unit": pl.Decimal(18, 8)}
    return pl.DataFrame(rates, schema=schema, orient="row")


def simulate(plan: Plan, folder: Path, format: Format = "parquet", *, rates: bool = False) -> Truth:
    """Writes every day's logs to `<folder>/<day>/<table>-<part>.<format>`, and returns the truth about them.

    Args:
        rates: whether to write each day's rates as well, as `exchange_rates.csv`.
    """
    world, tally = _World(plan), Tally(rates_usd(plan))
    for number in range(plan.days):
        ds = world.ds(number)
        of_day = folder / ds.isoformat()
        of_day.mkdir(parents=True, exist_ok=True)
        for part, logs in enumerate(world.day(number)):
            tally.take(ds, logs)
            for table, frame in logs.items():
                if frame.height:
                    _write(frame, of_day / f"{table}-{part:03}.{format}", format)
        if rates:
            own = tally.rates.filter(pl.col("ds") == ds).drop("ds")
            own.with_columns(pl.col(pl.Decimal).cast(pl.String)).write_csv(of_day / "exchange_rates.csv")
    return world.truth(tally)


def _write(frame: pl.DataFrame, path: Path, format: Format) -> None:
    if format == "parquet":
        frame.write_parquet(path, compression="zstd", compression_level=1)
        return
    # Money as studios write it, times as most databases export them.
    plain = frame.with_columns(
        pl.col(pl.Decimal).cast(pl.String), pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    )
    plain.write_csv(path) if format == "csv" else plain.write_ndjson(path)


class _World:
    """Every account, with the state that lasts from day to day."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rng = np.random.default_rng([plan.seed, 0])
        n = plan.accounts
        self.country = rng.choice(len(_MARKETS), n, p=[float(market["share"]) for market in _MARKETS])
        self.server = rng.integers(1, plan.servers + 1, n)
        self.came = np.where(rng.random(n) < 0.6, 0, rng.integers(0, plan.days, n))
        self.growth = rng.uniform(0.4, 3.0, n)
        self.begun_at = np.where(self.came == 0, rng.integers(1, 40, n), 1)
        self.pays = rng.random(n) < 0.08
        self.plays = rng.beta(2.0, 2.2, n)
        self.device = rng.integers(0, len(_DEVICES), n)
        self.host = np.arange(n)
        self.guild = np.where(rng.random(n) < 0.5, rng.integers(0, plan.guilds, n), -1)
        self.balance = rng.integers(0, 500, (n, len(_MONEY_TYPES)))
        self.farm_of, self.level_one = np.full(n, -1), np.zeros(n, bool)
        self.cafe_of = np.full(n, -1)
        self._plant(rng)
        self.servers = pl.Series([f"S{server:02}" for server in range(plan.servers + 1)])
        # The last one, numbered -1, stands for no guild.
        self.guild_ids = pl.Series([*(f"g{guild:03}" for guild in range(plan.guilds)), None])
        self.guild_names = pl.Series([*(f"Guild {guild}" for guild in range(plan.guilds)), None])

    def _plant(self, rng: np.random.Generator) -> None:
        plan, place = self.plan, 0
        for farm in range(plan.farms):
            size = int(rng.integers(12, 21))
            self.farm_of[place : place + size] = farm
            place += size
        self.level_one[place : place + plan.level_one] = True
        place += plan.level_one
        for cafe in range(plan.cafes):
            self.cafe_of[place : place + _CAFE] = cafe
            self.plays[place : place + _CAFE] = 0.9  # so that there are always more than ten
            place += _CAFE
        self.host[place : place + _SHARING] = place  # a dormitory
        rest = np.arange(place + _SHARING, plan.accounts)
        homes = rest[rng.random(rest.size) < 0.2]
        self.host[homes] = np.where(homes % 3 == 0, homes, np.maximum(homes - homes % 3, place + _SHARING))
        farming = (self.farm_of >= 0) | self.level_one
        self.planted = farming | (self.cafe_of >= 0)
        self.came[self.planted] = 0
        self.plays[farming] = 0.97
        self.pays[farming & (rng.random(plan.accounts) < 0.9)] = False

    # ----------------------------------------------------------------- accounts and places

    def ds(self, number: int) -> date:
        """Returns the day of a number, from 0."""
        return self.plan.start + timedelta(days=number)

    @cached_property
    def names(self) -> pl.Series:
        """user_id of every account."""
        return pl.Series("user_id", [f"u{number:08}" for number in range(self.plan.accounts)])

    @cached_property
    def addresses(self) -> pl.Series:
        """ip of every account."""
        farms = [f"45.9.{farm // 250}.{farm % 250 + 1}" for farm in self.farm_of.tolist()]
        cafes = [f"103.7.{cafe}.5" for cafe in self.cafe_of.tolist()]
        homes = [
            f"{10 + host // 16_777_216}.{host // 65_536 % 256}.{host // 256 % 256}.{host % 256}" for host in self.host
        ]
        chosen = np.where(self.farm_of >= 0, farms, np.where(self.cafe_of >= 0, cafes, homes))
        return pl.Series("ip", chosen.tolist())

    def _level(self, who: Ints, number: int) -> Ints:
        """Returns the level at the end of a day."""
        grown = self.begun_at[who] + np.floor(self.growth[who] * (number - self.came[who] + 0.3)).astype(np.int64)
        return np.where(self.level_one[who], 1, np.clip(grown, 1, 90))

    # ----------------------------------------------------------------- a day

    def day(self, number: int) -> Iterator[dict[str, pl.DataFrame]]:
        """Yields the logs of a day, some accounts at a time; days must be asked for in order, each once."""
        for begin in range(0, self.plan.accounts, self.plan.together):
            rng = np.random.default_rng([self.plan.seed, 1 + number, begin])
            who = np.arange(begin, min(begin + self.plan.together, self.plan.accounts))
            fading = np.maximum(np.exp(-0.03 * np.maximum(number - self.came[who], 0)), 0.35)
            chance = self.plays[who] * np.where(self.planted[who], 1.0, fading)
            chance[(self.came[who] == number) & (number > 0)] = 1.0
            who = who[(self.came[who] <= number) & (rng.random(who.size) < chance)]
            if who.size:
                yield self._logs(rng, who, number)

    def _logs(self, rng: np.random.Generator, who: Ints, number: int) -> dict[str, pl.DataFrame]:
        day_us = int(datetime(*self.ds(number).timetuple()[:3], tzinfo=UTC).timestamp()) * 1_000_000
        begun = rng.integers(0, _DAY_US // 2, who.size)
        length = np.minimum(rng.exponential(5400e6, who.size).astype(np.int64) + 60_000_000, _LAST_US - begun)
        farming = (self.farm_of[who] >= 0) | self.level_one[who]
        begun, length = np.where(farming, 1_000_000, begun), np.where(farming, _DAY_US - 2_000_000, length)
        level = self._level(who, number)
        before = np.where(self.level_one[who] | (self.came[who] == number), 1, self._level(who, max(number - 1, 0)))
        moved = (rng.random(who.size) < 0.02) & (self.guild[who] >= 0)
        self.guild[who[moved]] = rng.integers(0, self.plan.guilds, int(moved.sum()))
        before = np.minimum(before, level)
        # Some came before midnight, and some leave after the next one.
        come, leave = rng.random(who.size) >= 0.03, rng.random(who.size) < 0.95
        logs = {
            "login": self._visits(who[come], day_us + begun[come], before[come]),
            "logout": self._visits(who[leave], day_us + (begun + length)[leave], level[leave]),
        }
        moments = _Moments(who, day_us + begun, length, before, level, self.farm_of[who] >= 0)
        items, balances = self._items(rng, moments), self._money(rng, moments)
        return {**logs, "recharge": self._payments(rng, who), **items, **balances}

    def _visits(self, who: Ints, at_us: Ints, level: Ints) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "user_id": self.names.gather(who),
                "server_id": self.servers.gather(self.server[who]),
                "level": level.astype(np.int16),
                "ip": self.addresses.gather(who),
                "device": _chosen(_DEVICES, self.device[who]),
                "country": _chosen([market["country"] for market in _MARKETS], self.country[who]),
                "time": _times(at_us),
            }
        )

    def _payments(self, rng: np.random.Generator, who: Ints) -> pl.DataFrame:
        payers = who[self.pays[who] & (rng.random(who.size) < 0.35)]
        payers = np.repeat(payers, rng.integers(1, 4, payers.size))
        which = rng.choice(6, payers.size, p=(0.30, 0.26, 0.19, 0.13, 0.08, 0.04))
        return pl.DataFrame(
            {
                "user_id": self.names.gather(payers),
                "server_id": self.servers.gather(self.server[payers]),
                "pmc": _chosen(_CHANNELS, rng.integers(0, len(_CHANNELS), payers.size)),
                "currency": _CURRENCIES.gather(self.country[payers]),
                "amount": _PRICES.gather(self.country[payers] * 6 + which),
            }
        )

    def _items(self, rng: np.random.Generator, moments: _Moments) -> dict[str, pl.DataFrame]:
        found: dict[str, pl.DataFrame] = {}
        items = (*KEY_ITEMS, *_OTHER_ITEMS)
        for table, share, reasons in (("increase_item", 0.35, _GAINED_BY), ("decrease_item", 0.15, _SPENT_BY)):
            gains = table == "increase_item"
            who, at_us, level = moments.drawn(
                rng, self.plan.actions * share, at_least=self.level_one if gains else None
            )
            found[table] = pl.DataFrame(
                {
                    "user_id": self.names.gather(who),
                    "server_id": self.servers.gather(self.server[who]),
                    "item_id": _chosen(items, rng.integers(0, len(items), who.size)),
                    "count": rng.integers(1, 20, who.size),
                    "reason_id": _chosen(reasons, rng.integers(0, len(reasons), who.size)),
                    "level": level.astype(np.int16),
                    "time": _times(at_us),
                }
            )
        return found

    def _money(self, rng: np.random.Generator, moments: _Moments) -> dict[str, pl.DataFrame]:
        """Returns gains, some of which are followed by a smaller spending of the same money, so that no balance is
        negative."""
        who, at_us, level = moments.drawn(rng, self.plan.actions * 0.3)
        kind = rng.choice(len(_MONEY_TYPES), who.size, p=(0.25, 0.15, 0.60))
        amount = rng.integers(1, 400, who.size) * np.where(kind == 2, 100, 1)
        spends = (rng.random(who.size) < 0.65) | (self.farm_of[who] >= 0)
        spent = np.where(spends, np.maximum((amount * rng.uniform(0.2, 1.0, who.size)).astype(np.int64), 1), 0)
        spends = spent > 0
        # In order of time within each account and kind of money, a balance is the sum of what came before it.
        order = np.lexsort((at_us, kind, who))
        who, at_us, level = who[order], at_us[order], level[order]
        kind, amount, spent, spends = kind[order], amount[order], spent[order], spends[order]
        moved = amount - spent
        net = np.cumsum(moved)
        starts, lengths = _runs(who * len(_MONEY_TYPES) + kind)
        # At least two microseconds apart: a spending comes one after its gain.
        at_us = at_us + 2 * (np.arange(at_us.size) - np.repeat(starts, lengths))
        after = self.balance[who, kind] + net - np.repeat(net[starts] - moved[starts], lengths)
        last = starts + lengths - 1
        self.balance[who[last], kind[last]] = after[last]
        guild = self.guild[who]

        def logged(of: Flags, moved: Ints, balance: Ints, reasons: tuple[str, ...], later_us: int) -> pl.DataFrame:
            whose = who[of]
            return pl.DataFrame(
                {
                    "user_id": self.names.gather(whose),
                    "server_id": self.servers.gather(self.server[whose]),
                    "money_type": _chosen(_MONEY_TYPES, kind[of]),
                    "amount": moved[of],
                    "reason_id": _chosen(reasons, rng.integers(0, len(reasons), whose.size)),
                    "level": level[of].astype(np.int16),
                    "balance_after": balance[of],
                    "guild_id": self.guild_ids.gather(guild[of]),
                    "guild_name": self.guild_names.gather(guild[of]),
                    "time": _times(at_us[of] + later_us),
                }
            )

        return {
            "increase_money": logged(np.ones(who.size, bool), amount, after + spent, _MONEY_GAINED_BY, 0),
            "decrease_money": logged(spends, spent, after, _MONEY_SPENT_BY, 1),
        }

    # ----------------------------------------------------------------- truth

    def truth(self, tally: Tally) -> Truth:
        """Returns the truth about everything that was simulated."""
        farms, ones = np.flatnonzero(self.farm_of >= 0), np.flatnonzero(self.level_one)
        signals = ["shared_ip"] * farms.size + ["level_one"] * ones.size + ["self_similar"] * farms.size
        changes = tally.guild_changes()
        return Truth(
            days=tally.days(),
            farmers=pl.DataFrame(
                {"user_id": self.names.gather(np.concatenate([farms, ones, farms])), "signal": signals}
            ),
            whitelist=tuple(f"103.7.{cafe}." for cafe in range(self.plan.cafes)),
            lifetime_usd=tally.lifetime_usd(),
            guilds=changes.unique("user_id", keep="last", maintain_order=True).drop("ds"),
            guild_changes=changes,
            balances=pl.DataFrame(
                {
                    "user_id": self.names.gather(np.repeat(np.arange(self.plan.accounts), len(_MONEY_TYPES))),
                    "money_type": list(_MONEY_TYPES) * self.plan.accounts,
                    "balance": self.balance.ravel(),
                }
            ),
            rates=tally.rates,
        )


@dataclass(frozen=True)
class _Moments:
    """Times at which accounts play on a day, with their first and last levels."""

    who: Ints
    begun_us: Ints
    length_us: Ints
    level_before: Ints
    level_after: Ints
    like_clockwork: Flags

    def drawn(self, rng: np.random.Generator, mean: float, *, at_least: Flags | None = None) -> tuple[Ints, Ints, Ints]:
        """Returns accounts, times and levels of random actions, on average so many per account; some need at least one.

        Accounts that act like clockwork do the same in every hour.
        """
        times = rng.poisson(mean, self.who.size)
        times = np.where(at_least[self.who], np.maximum(times, 1), times) if at_least is not None else times
        times = np.where(self.like_clockwork, _A_DAY_LIKE_CLOCKWORK, times)
        place = np.repeat(np.arange(self.who.size), times)
        number = np.arange(place.size) - np.repeat(np.cumsum(times) - times, times)
        even = (number + 0.5) / _A_DAY_LIKE_CLOCKWORK
        share = np.where(self.like_clockwork[place], even, rng.random(place.size))
        at_us = self.begun_us[place] + (share * self.length_us[place]).astype(np.int64)
        rising = self.level_after[place] - self.level_before[place]
        level = self.level_before[place] + np.floor(share * (rising + 1) * 0.999).astype(np.int64)
        return self.who[place], at_us, level


def _runs(key: Ints) -> tuple[Ints, Ints]:
    """Returns the start and the length of each run of equal values."""
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    return starts, np.diff(np.append(starts, key.size))


def _times(at_us: Ints) -> pl.Series:
    return pl.Series(at_us).cast(pl.Datetime("us", "UTC"))


def _chosen(values: Sequence[str], which: Ints) -> pl.Series:
    return pl.Series(values).gather(which)
