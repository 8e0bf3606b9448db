"""Shows the B-scans of a volume in their viewer. Knows addresses, places and colours, never pixels."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.usecases.look_at_volume import VolumeLook
from core.values import NotComputable
from core.vocabulary import ScanPattern
from core.volume import OctVolume
from dashboard.components.volume_words import border_names

FOLDER = Path(__file__).resolve().parent
BORDER_COLOURS = ("#56b4e9", "#f0e442", "#e69f00", "#cc79a7", "#00c38a", "#ff7f50", "#b5a7ff", "#ffffff")
"""Of the borders from the innermost outwards: Okabe and Ito's hues, made light enough for dark tissue."""

BSCAN_PARAMETER = "bscan"
"""Of the Scan page's URL: the number of the B-scan that is shown first, from 1."""
MOST_DIGITS = 6

NO_FUNDUS: dict[str, Any] = {"slo": None, "paths": None, "circle": None, "fovea": None}


class Picked(BaseModel):
    """Where a person put the cross: B-scan and A-scan, counted from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan: int
    bscan: int = Field(ge=0)
    column: int = Field(ge=0)


def show_volume(
    look: VolumeLook, *, may_pick: bool, agreement: Sequence[float | None] = ()
) -> tuple[float, float] | None:
    """Show the viewer; the place in mm on the fundus that was just picked for the fovea, None where none was.

    ``agreement`` is the level agreement (Q) of each B-scan, 0..1, where the model has levels and the person may know.
    What a browser sends that is no place of this volume is ignored.
    """
    volume = look.volume
    has_agreement = len(agreement) == volume.n_bscans and any(each is not None for each in agreement)
    data = {
        **_pixels(look.files.scan_id, volume),
        "layers": _layers(look),
        "device": sorted(volume.device_boundaries or {}),
        "hasBorders": look.borders is not None or bool(volume.device_boundaries),
        "quality": volume.quality_db,
        "agreement": list(agreement) if has_agreement else None,
        "mayPick": may_pick and not isinstance(look.surfaces, NotComputable),
        "foot": _foot(volume, has_agreement=has_agreement),
        **_on_fundus(look),
    }
    result = _component()(data=data, key=f"volume-{look.files.scan_id}", on_picked_change=_nothing)
    return _place_mm(volume, look.files.scan_id, result.picked)


def show_bscans(scan_id: int, volume: OctVolume) -> None:
    """Show the B-scans of a volume and nothing else: no border, no place on the fundus, no figure of the device."""
    data = {
        **_pixels(scan_id, volume),
        "layers": [], "device": [], "hasBorders": False, "quality": None, "agreement": None, "mayPick": False,
        "foot": "", **NO_FUNDUS,
    }  # fmt: skip
    _component()(data=data, key=f"bscans-{scan_id}", on_picked_change=_nothing)


def _pixels(scan_id: int, volume: OctVolume) -> dict[str, Any]:
    """What the viewer needs to show the B-scans themselves."""
    return {
        "scan": scan_id,
        "n": volume.n_bscans,
        "width": volume.width_px,
        "height": volume.height_px,
        "start": _asked_index(volume),
        "folder": f"/scans/{scan_id}/bscans",
        "umPerPx": _um_per_px(volume),
    }


def _asked_index(volume: OctVolume) -> int:
    """Of the B-scan that the URL names by its number, from 1; else of the central one."""
    text = st.query_params.get(BSCAN_PARAMETER, "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) - 1 if is_number and 1 <= int(text) <= volume.n_bscans else volume.central_index


def _layers(look: VolumeLook) -> list[dict[str, str]]:
    if look.borders is None:
        return []
    names = border_names(look.borders.shape[1])
    return [{"name": name, "colour": BORDER_COLOURS[at % len(BORDER_COLOURS)]} for at, name in enumerate(names)]


def _um_per_px(volume: OctVolume) -> dict[str, float] | None:
    if volume.z_um_per_px is None or volume.x_mm_per_px is None:
        return None
    return {"x": 1e3 * volume.x_mm_per_px, "z": volume.z_um_per_px}


def _on_fundus(look: VolumeLook) -> dict[str, Any]:
    """Fundus image, place of each B-scan and fovea in the image's own pixels; nothing where the file lacks them."""
    volume = look.volume
    if volume.slo is None or not volume.slo_mm_per_px or volume.lines_mm is None:
        return NO_FUNDUS
    height, width = volume.slo.shape
    lines = volume.lines_mm / volume.slo_mm_per_px
    is_circle = volume.scan_pattern is ScanPattern.CIRCLE
    fovea = look.fovea
    return {
        "slo": {
            "address": f"/scans/{look.files.scan_id}/slo.png",
            "width": width,
            "height": height,
            "words": f"{width * volume.slo_mm_per_px:.1f} × {height * volume.slo_mm_per_px:.1f} mm",
        },
        "paths": None if is_circle else lines.round(2).tolist(),
        # The file gives a circle by its first point and its centre.
        "circle": [
            [round(x, 2), round(y, 2), round(float(((x0 - x) ** 2 + (y0 - y) ** 2) ** 0.5), 2)]
            for x0, y0, x, y in lines.tolist()
        ]
        if is_circle
        else None,
        "fovea": None
        if isinstance(fovea, NotComputable)
        else {"x": round(fovea.x_mm / volume.slo_mm_per_px, 1), "y": round(fovea.y_mm / volume.slo_mm_per_px, 1)},
    }


def _foot(volume: OctVolume, *, has_agreement: bool) -> str:
    parts = [] if volume.quality_db is None else ["dB is the device's own signal-to-noise figure of each B-scan."]
    if has_agreement:
        parts.append("Level agreement is low where the model lacks training on such a B-scan; it is no quality of it.")
    if _um_per_px(volume) is not None:
        parts.append("Both arms of the scale bar are 200 µm: a B-scan is drawn deeper than it is.")
    return " ".join(parts)


def _place_mm(volume: OctVolume, scan_id: int, sent: Any) -> tuple[float, float] | None:
    try:
        picked = Picked.model_validate(sent) if sent else None
    except ValidationError:
        return None
    if picked is None or picked.scan != scan_id or volume.lines_mm is None:
        return None
    if picked.bscan >= volume.n_bscans or picked.column >= volume.width_px:
        return None
    x0, y0, x1, y1 = (float(each) for each in volume.lines_mm[picked.bscan])
    share = (picked.column + 0.5) / volume.width_px
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    shared = (FOLDER.parent / "panel.css").read_text("utf-8")
    return st.components.v2.component(
        "octaudit.volume",
        html=(FOLDER / "viewer.html").read_text("utf-8"),
        css=shared + (FOLDER / "viewer.css").read_text("utf-8"),
        js=(FOLDER / "viewer.js").read_text("utf-8"),
    )
