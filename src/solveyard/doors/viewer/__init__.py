"""`/docs`: the routes' description, to read and to try, by Swagger UI; it works offline."""

import asyncio
from pathlib import Path

from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.openapi import Route

HERE = Path(__file__).parent
_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
_FILES = {place.name: place for place in HERE.glob("*/*") if place.suffix in _KINDS}
_HEADERS = {
    "Cache-Control": "no-cache",
    # Swagger UI's styles hold its icons
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def page(request: web.Request) -> web.Response:
    """The routes, to read and to try in a browser."""
    encoding.query(request, encoding.NoQuery)
    return await _file("index.html")


async def asset(request: web.Request) -> web.Response:
    """One of that page's files."""
    return await _file(request.match_info["name"])


async def _file(name: str) -> web.Response:
    place = _FILES.get(name)
    if place is None:
        raise web.HTTPNotFound
    content = await asyncio.to_thread(place.read_bytes)
    kind = _KINDS[place.suffix]
    return web.Response(body=content, headers=_HEADERS, content_type=kind, charset="utf-8")


ROUTES = (
    Route("GET", "/docs", page, content="text/html"),
    Route("GET", "/docs/{name}", asset, content="*/*"),
)
