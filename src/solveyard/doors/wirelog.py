"""What the HTTP library tells of requests, without what senders got wrong, or left half done.

They are told that by 400; in the log anybody could fill the disk with it.
"""

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger("solveyard.doors.http")


def _ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(
        error, HttpProcessingError | web.RequestPayloadError | ConnectionResetError
    )


log.addFilter(_ours)
