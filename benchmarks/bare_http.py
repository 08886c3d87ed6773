"""What every answer of an aiohttp server costs: one handler that always says the same.

`python -m benchmarks.bare_http SOCKET` listens until it is ended.
"""

import sys

from aiohttp import web


async def nothing(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"{}\n", content_type="application/json")


def main() -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nothing)
    web.run_app(app, path=sys.argv[1], access_log=None, print=None)


if __name__ == "__main__":
    main()
