"""The dashboard: one page, its scripts and styles, and the few answers made for it."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from solveyard.doors.dashboard import plots, rows
from solveyard.doors.keys import TABLE
from solveyard.doors.openapi import Route

HERE = Path(__file__).parent
KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
#: The page asks nobody but its own origin, runs no inline script and can't be framed.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ASK_AGAIN = {"Cache-Control": "no-cache"}


class Assets(NamedTuple):
    """What browsers load, kept in memory: some 150 kB."""

    version: str  #: changes with any of the files, so that browsers may keep them for ever
    page: bytes  #: the HTML, which names the version
    files: dict[str, tuple[bytes, str]]  #: by path: content, and its kind


ASSETS = web.AppKey("dashboard-assets", Assets)


def add(app: web.Application) -> None:
    """Register the page at `/`, its files below `/assets/` and its answers below `/dashboard/`.

    The page names everything relative to its own address, so it works below any path.
    """
    app[ASSETS] = load()
    app[TABLE].add(app, ROUTES)


def load() -> Assets:
    """Read the files; their version is a digest of all of them."""
    places = sorted(place for place in HERE.glob("*/*") if place.suffix in KINDS)
    files = {
        place.relative_to(HERE).as_posix(): (place.read_bytes(), KINDS[place.suffix])
        for place in places
    }
    digest = hashlib.sha256()
    for path, (content, _) in files.items():
        digest.update(b"%s\0%d\0" % (path.encode(), len(content)) + content)
    version = digest.hexdigest()[:16]
    html, _ = files.pop("page/index.html")
    return Assets(version, html.replace(b"{version}", version.encode()), files)


async def page(request: web.Request) -> web.Response:
    """The page itself; asked for anew each time, since it names the version of the rest."""
    content = request.app[ASSETS].page
    return web.Response(
        body=content, headers=HEADERS | ASK_AGAIN, content_type="text/html", charset="utf-8"
    )


async def asset(request: web.Request) -> web.Response:
    """One of the page's files. Another version's address is answered with the present file."""
    assets = request.app[ASSETS]
    found = assets.files.get(request.match_info["path"])
    if found is None:
        raise web.HTTPNotFound
    content, kind = found
    current = request.match_info["version"] == assets.version
    caching = FOR_EVER if current else ASK_AGAIN
    response = web.Response(
        body=content, headers=HEADERS | caching, content_type=kind, charset="utf-8"
    )
    response.enable_compression()
    return response


_PLOT = "/jobs/{id}/touchstone/{path:(?s:.+)}"  # a name may have line ends

ROUTES = (
    Route("GET", "/", page, content="text/html"),
    Route("GET", "/assets/{version}/{path:.+}", asset, content="*/*"),
    Route("GET", "/dashboard/jobs", rows.page, query=rows.PageQuery, answer=rows.Rows),
    Route("GET", "/dashboard/jobs/{numbers}", rows.some, answer=rows.Rows),
    Route("GET", "/dashboard/changes", rows.changes, query=rows.ChangesQuery, answer=rows.Changes),
    Route("GET", _PLOT, plots.touchstone, query=plots.PlotQuery, answer=plots.Plot),
)
