"""What the schema says of answers that are no document: every kind of refusal, and images."""

from typing import Any

from dashboard.api.documents.base import ErrorDocument

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorDocument, "description": words}
    for status, words in {
        400: "The request asks for something that cannot be.",
        401: "There is no session, or the token is unknown, revoked or expired.",
        403: "Role, site, own work, scope or a missing CSRF token forbids it.",
        404: "No such row, or none that the caller may see.",
        405: "The address has no such method.",
        409: "The row has moved on, or does not take this step.",
        413: "The body is larger than it may be.",
        422: "A field of the request is missing or wrong.",
        429: "More requests than a program may send; Retry-After says when to go on (seconds).",
        503: "A stored file is missing or damaged; tell your administrator.",
        507: "The server's disk is full.",
    }.items()
}
"""Documented on every route; each carries the one error document."""
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/png", "application/x-npy", "application/json")
        },
        "description": "The file.",
    },
    304: {"description": "The copy that If-None-Match names is still right."},
}
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "The image."},
    304: {"description": "The copy that If-None-Match names is still right."},
}
