"""Pages: templates filled with answers, in the reader's language and colours.

A public page is an answer like any other, a function of the question and the published tables: it is cached, has an
`ETag`, and does not depend on who is signed in. Personal pages are made for each request and stored nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers.cache import Answers, Format
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.pages.bundle import Bundle
from gamestats_assets.serving.pages.charts import bar, sparkline
from gamestats_assets.serving.pages.texts import ENGLISH, Texts

_FOLDER = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What pages may load and where they may send: this site only, and no inline scripts or styles."""
HEADERS = {"Content-Security-Policy": POLICY, "Vary": "Accept-Language"}
"""Of every page."""
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table on a page.

    Attributes:
        key: key for sorting; the texts `column.<key>` and `column.<key>.title` name the column.
        kind: text, number, name (the row's heading), or rank (before it).
        first: direction of the first sort; None if the table cannot be sorted by it.
    """

    key: str
    kind: str = "number"
    first: str | None = "desc"


@dataclass(frozen=True, slots=True)
class Place:
    """A page's path and parameters, as links contain them."""

    path: str
    asked: Mapping[str, Any]

    def link(self, path: str | None = None, /, **changes: Any) -> str:
        """Returns the address with changed parameters, None to remove one; with a path, that page with only these."""
        asked = {**({} if path else self.asked), **changes}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{path or self.path}?{query}" if query else path or self.path


class Pages:
    """The pages of an application.

    Args:
        games: games with templates and texts; a game's templates are named `<game>/<template>`.
    """

    def __init__(self, games: Sequence[Game], bundle: Bundle) -> None:
        self.texts = Texts([_FOLDER / "texts", *(game.folder / "texts" for game in games)])
        own = {game.name: FileSystemLoader(game.folder / "templates") for game in games}
        self._templates = Environment(
            loader=ChoiceLoader([FileSystemLoader(_FOLDER / "templates"), PrefixLoader(own)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for game in games:
            self._templates.filters.update(game.words)
        self._templates.globals.update(
            games=[game for game in games if game.start],
            static=bundle.url,
            styles=bundle.styles,
            number=number,
            signed=signed,
            span=span,
            sparkline=sparkline,
            bar=bar,
        )

    def render(self, request: Request, template: str, values: Values, *, asked: Values | None = None) -> str:
        """Returns a page as text.

        Args:
            asked: parameters for links to the page, unless `values` has them in full.
        """
        base = str(request.base_url).rstrip("/")
        place = Place(request.url.path, values.get("asked", asked or {}))
        return self.written(template, values, place, self.language(request), base)

    def written(self, template: str, values: Values, place: Place, language: str = ENGLISH, base: str = "") -> str:
        """Returns a page as text, for HTTP or for a file.

        Args:
            base: scheme, host and port for links in files.
        """
        say = self.texts.speaker(language)
        day_format = say("format.day")

        def moment(at: datetime) -> Markup:
            utc = at.astimezone(UTC)
            return Markup('<time datetime="{}" data-moment>{}</time>').format(
                f"{utc:%Y-%m-%dT%H:%M:%SZ}", utc.strftime(say("format.moment"))
            )

        def day(of: date) -> Markup:
            return Markup(f'<time datetime="{of}" data-day>{escape(of.strftime(day_format))}</time>')

        def hour(at: datetime) -> Markup:
            utc = at.astimezone(UTC)
            return Markup('<time datetime="{}" data-hour>{}</time>').format(
                f"{utc:%Y-%m-%dT%H:%M:%SZ}", utc.strftime(say("format.hour"))
            )

        shell = {"t": say, "language": language, "place": place, "link": place.link, "base": base}
        return self._templates.get_template(template).render(
            {**shell, "moment": moment, "hour": hour, "day": day, **values}
        )

    def language(self, request: Request) -> str:
        """Returns the language of a request."""
        return self.texts.language(request.headers.get("accept-language", ""))

    async def answer(
        self,
        request: Request,
        template: str,
        tables: Sequence[type[Table]],
        make: Callable[[Connection], Awaitable[Values]],
        *,
        asked: Values | None = None,
    ) -> Response:
        """Returns a public page.

        Args:
            tables: all tables that it rests on, of one game; none stands for everything published.
            make: returns the values of the template.
            asked: the parameters, which identify the question together with path and language; also used in links.
        """
        answers: Answers = request.state.answers

        async def render(conn: Connection) -> str:
            return self.render(request, template, await make(conn), asked=asked)

        form = Format("text/html; charset=utf-8", str.encode, HEADERS)
        parts = (template, self.language(request), request.base_url, request.url.path, urlencode(asked or {}))
        key = " ".join(map(str, parts))
        return await answers.give(request, tables, key, render, keeps_s=None, form=form, at_once=True)

    def personal(
        self,
        request: Request,
        template: str,
        values: Values,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        asked: Values | None = None,
    ) -> Response:
        """Returns a personal page or an error page, which must not be stored."""
        page = self.render(request, template, values, asked=asked)
        sent = {**HEADERS, **(headers or {}), "Cache-Control": "no-store"}
        return Response(page, status, sent, "text/html; charset=utf-8")


def number(value: float | None, digits: int = 0) -> str:
    """Returns a figure for people; a dash for None."""
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def span(seconds: float | None) -> str:
    """Returns a match time or duration as minutes and whole seconds; a dash for None.

    >>> span(83.7), span(None)
    ('1:23', '–')
    """
    if seconds is None:
        return "–"
    # Times come as floats just below the second that was meant.
    minutes, rest = divmod(math.floor(seconds + 1e-6), 60)
    return f"{minutes}:{rest:02}"


def signed(value: int) -> str:
    """Returns a figure with its sign."""
    return f"{value:+,}".replace("-", "−")
