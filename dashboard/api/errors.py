"""Turns every error of the API into the same three fields: stable code, message, remedy."""

import errno
import logging
import re
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import (
    IllegalMoveError,
    NotAllowedError,
    NotFoundError,
    OctauditError,
    StaleRecordError,
    StorageError,
    UnreadableScanError,
    UsageError,
)
from dashboard.api.limit import TooManyRequestsError
from dashboard.api.spool import TooLargeError

_LOG = logging.getLogger(__name__)
_STATUS = {
    TooLargeError: 413,
    TooManyRequestsError: 429,
    UsageError: 400,
    NotAllowedError: 403,
    NotFoundError: 404,
    IllegalMoveError: 409,
    StaleRecordError: 409,
    UnreadableScanError: 422,
    StorageError: 503,
}


def install_error_handlers(api: FastAPI) -> None:
    """Answer every error as JSON; what was unexpected is logged here and told in one sentence."""
    api.add_exception_handler(OctauditError, _expected)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(OSError, _storage)


def error_response(
    status: int, code: str, message: str, remedy: str, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error as the API answers it."""
    answer = {"code": code, "message": message, "remedy": remedy}
    return JSONResponse(answer, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})})


async def _expected(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OctauditError)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    code = error.code if isinstance(error, UnreadableScanError) else _code(type(error))
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyRequestsError) else None
    return error_response(status, code, error.message, error.remedy, headers=headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return error_response(422, "invalid_request", f"{place}: {fault['msg']}.", "Correct the request; see openapi.json.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return error_response(
        error.status_code, "http_error", str(error.detail), "Check the address and the method.", headers=error.headers
    )


async def _storage(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    _LOG.error("An upload could not be stored: %s", error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return error_response(
            507, "disk_full", "The server's disk is full.", "Tell your administrator; then upload the file once more."
        )
    return error_response(
        500, "not_stored", "The server could not store the file.", "Try again; if it stays so, tell your administrator."
    )


def _code(kind: type[OctauditError]) -> str:
    """NotAllowedError: not_allowed."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Error")).lower()
