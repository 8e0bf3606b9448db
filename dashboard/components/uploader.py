"""The drop zone: sends files straight to the upload API with progress, past Streamlit's own uploader."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from core.settings import Settings
from core.store.batch import SiteRef

FOLDER = Path(__file__).resolve().parent


def draw_uploader(
    settings: Settings, site: SiteRef, *, batch_id: int | None, csrf_token: str, on_uploaded: Callable[[int], None]
) -> None:
    """Show the drop zone. Without ``batch_id`` the first file opens a draft for ``site``.

    ``on_uploaded`` is called with the batch's id once every dropped file has been sent.
    """
    result = _component()(
        data={
            "api": "/api/v1",
            "csrf": csrf_token,
            "batch": batch_id,
            "study": site.study,
            "site": site.site,
            "max_bytes": settings.upload_max_file_mb * 1_000_000,
            "limits": "DICOM, .vol, PNG, JPEG, TIFF, BMP, zip and the table as CSV; up to "
            f"{settings.upload_max_file_mb} MB each, {settings.upload_max_files} files in a batch, "
            f"{settings.image_max_megapixels:g} megapixels per image",
        },
        key=f"uploader-{site.site_id}-{batch_id}",
        on_uploaded_change=_nothing,
    )
    if result.uploaded:
        on_uploaded(int(result.uploaded["batch"]))


def draw_mask_drop(settings: Settings, target: str, *, csrf_token: str) -> None:
    """Show the drop zone for masks that go to ``target`` of the API, for example ``mask-rounds/7``.

    The page runs anew once every dropped file has been sent.
    """
    _component()(
        data={
            "api": "/api/v1",
            "csrf": csrf_token,
            "target": target,
            "max_bytes": settings.upload_max_file_mb * 1_000_000,
            "limits": f"Masks as PNG, or one zip of them; up to {settings.upload_max_file_mb} MB",
        },
        key=f"masks-{target}",
        on_uploaded_change=_nothing,
    )


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "octaudit.uploader",
        css=(FOLDER / "uploader.css").read_text("utf-8"),
        js=(FOLDER / "uploader.js").read_text("utf-8"),
    )
