"""The built files of `browser/` that pages load.

A file's name contains a hash of its content, so browsers keep it for ever.
"""

from __future__ import annotations

import json
import logging
import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from gamestats_assets.serving.middleware.site import STATIC

FILES = Path(__file__).parents[1] / "static"
_LOG = logging.getLogger("gamestats.serving")
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


class Bundle:
    """The built files in a folder.

    Args:
        folder: folder with the built files and `manifest.json`, which names the file of every source.
    """

    def __init__(self, folder: Path = FILES) -> None:
        self._folder = folder
        manifest = folder / "manifest.json"
        if not manifest.exists():
            _LOG.warning("The pages' scripts and styles are not built: run `python -m hatchling build --hooks-only`.")
        self.names: dict[str, str] = json.loads(manifest.read_bytes()) if manifest.exists() else {}
        self._served = {path.name for path in folder.glob("*")} - {manifest.name}

    def url(self, source: str) -> str | None:
        """Returns the path of the file built from a source such as `app.css`; None if it was not built."""
        name = self.names.get(source)
        return name and STATIC + name

    def styles(self) -> Markup:
        """Returns the styles themselves, for pages that are single files; empty if they were not built."""
        name = self.names.get("app.css")
        return Markup((self._folder / name).read_text("utf-8")) if name else Markup()

    def router(self) -> APIRouter:
        """Returns the route that serves the files, compressed if the client accepts it."""
        router = APIRouter(include_in_schema=False)

        @router.get(STATIC + "{name}")
        async def static(request: Request, name: str) -> Response:
            if name not in self._served:
                raise HTTPException(404, "There is no such file.")
            headers, path = dict(_FOR_EVER), self._folder / name
            if f"{name}.gz" in self._served and "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"], path = "gzip", self._folder / f"{name}.gz"
            return FileResponse(path, headers=headers, media_type=mimetypes.guess_type(name)[0])

        return router
