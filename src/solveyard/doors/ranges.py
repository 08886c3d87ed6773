"""Parts of what a job has written, as the header `Range` asks for them (RFC 9110, 14)."""

from aiohttp import web

from solveyard.doors import encoding

#: Whatever a job has written, no browser takes it for a page of this manager's.
SAFE = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
}


def asked(request: web.Request) -> slice | None:
    """One range of bytes; None: none is asked for, or one that may be ignored."""
    if "Range" not in request.headers:
        return None
    try:
        found = request.http_range
    except ValueError:  # another unit, or several ranges: the whole is a good answer
        return None
    return None if found == slice(None, None, 1) else found


def wanted(request: web.Request, size: int, etag: str) -> range | None:
    """Which bytes to send, of `size`; None: there are none where it asks."""
    part = asked(request)
    if part is None or request.headers.get("If-Range", etag) != etag:
        return range(size)
    return range(size)[part] or None


def tell(response: web.StreamResponse, part: range, size: int) -> None:
    """Mark it as a part, where it is one."""
    if len(part) != size:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"


def unsatisfiable(size: int) -> web.Response:
    return encoding.refusal(
        416,
        "invalid_request",
        f"there are {size} bytes, and none where the header Range asks for them",
        headers={"Content-Range": f"bytes */{size}"},
    )


def cut(request: web.Request) -> None:
    """Close the connection, so that what was sent can't be taken for the whole answer."""
    if request.transport is not None:
        request.transport.close()
