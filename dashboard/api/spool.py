"""Streams a request's body to a file on disk, so that an upload of any size costs the process a megabyte."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from core.errors import OctauditError, UsageError
from core.settings import Settings
from core.usecases.stage_files import upload_folder

_BUFFER_BYTES = 1 << 20


class TooLargeError(UsageError):
    """The body is larger than an upload may be."""


@asynccontextmanager
async def spooled(request: Request, settings: Settings, *, max_bytes: int) -> AsyncIterator[Path]:
    """The request's body as a file that is gone afterwards; TooLargeError as soon as it grows beyond ``max_bytes``."""
    _refuse_announced_size(request, max_bytes)
    with NamedTemporaryFile(prefix="body-", dir=upload_folder(settings), delete=False) as file:
        path = Path(file.name)
        try:
            await _write(request, file, max_bytes)
            file.flush()
            yield path
        except ClientDisconnect as error:
            raise OctauditError("The connection was lost before the file was complete.") from error
        finally:
            await run_in_threadpool(path.unlink, missing_ok=True)


async def _write(request: Request, file: IO[bytes], max_bytes: int) -> None:
    """Write in pieces of a megabyte, in a thread: neither memory nor the event loop feels a large upload."""
    buffer = bytearray()
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(max_bytes)
        buffer += chunk
        if len(buffer) >= _BUFFER_BYTES:
            await run_in_threadpool(file.write, bytes(buffer))
            buffer.clear()
    await run_in_threadpool(file.write, bytes(buffer))


def _refuse_announced_size(request: Request, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"The file is larger than {max_bytes / 1e6:.0f} MB, which is the limit of one upload.",
        remedy="Split the zip into several, or export the scans at their own resolution.",
    )
