"""What PyEDB's objects had that ours can't have, and what does it instead."""

from typing import NoReturn

from solveyard.pyedb.errors import NotHere

#: aiohttp handlers, and what they answered.
ROUTES = {
    "handle_index": "GET /",
    "handle_get_jobs": "GET /jobs",
    "handle_get_resources": "GET /resources",
    "handle_get_queue": "GET /queue",
    "handle_submit_job": "POST /jobs/submit",
    "handle_cancel_job": "POST /jobs/{id}/cancel",
    "handle_set_priority": "POST /jobs/{id}/priority",
    "handle_edit_concurrent_limits": "PUT /pool/limits",
    "handle_start_monitoring": "POST /system/start_monitoring",
    "handle_get_partitions": "GET /scheduler/partitions",
    "handle_get_system_status": "GET /system/status",
    "get_jobs": "GET /api/jobs",
    "get_job_log": "GET /api/jobs/{id}/log",
    "get_queue_status": "GET /api/queue",
    "get_resources": "GET /api/resources",
    "get_scheduler_type": "GET /api/scheduler_type",
    "get_cluster_partitions": "GET /api/cluster_partitions",
    "get_system_status": "GET /system/status",
    "get_me": "GET /api/me",
}
_INSTEAD = {
    "app": "the manager's doors are its own (serve routes of yours by an application of yours; the"
    " manager's are at the handler's `url`)",
    "setup_routes": "the manager's routes are there from the start (at the handler's `url`, after"
    " start_service())",
    "get_next_job": "the manager starts jobs by itself (add_job(id, priority): its turn)",
    "remove_job": "a job leaves the queue when it starts, or by cancel_job(id)"
    " (solveyard hold ID keeps it from starting)",
}  # fmt: skip


def missing(owner: object, name: str) -> NoReturn:
    """Raises NotHere for what PyEDB had, else AttributeError."""
    kind = type(owner).__name__
    if name in ROUTES:
        raise NotHere(
            f"{kind}.{name}: requests are the manager's to answer (ask {ROUTES[name]} at the"
            " handler's `url`)"
        )
    if name in _INSTEAD:
        raise NotHere(f"{kind}.{name}: {_INSTEAD[name]}")
    raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=owner)
