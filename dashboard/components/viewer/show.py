"""Shows the slabs of one capture in the viewer. Knows addresses and colours, never pixels."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from core.store.beside_scan import PreviousScan
from core.store.scan_view import ScanView, SlabView
from core.values import Scale
from core.vocabulary import ArtifactType, ScanKind
from core.wording import ARTIFACT_NAMES, EYE_NAMES, SLAB_NAMES, grade_name
from dashboard.overlay import ARTIFACT_COLOURS, CAM_COLOURS, FAZ_COLOUR, LANE_MASKS, MASKS_SHOWN_WHEN_ASKED

FOLDER = Path(__file__).resolve().parent
STRUCTURAL = frozenset({ScanKind.BSCAN, ScanKind.VOLUME})
"""Kinds whose image is a B-scan, or the central one of several."""


def show_viewer(view: ScanView, previous: PreviousScan | None = None, *, key: str) -> None:
    """The capture's slabs side by side, the opened scan first; zoom, contrast and overlays act on all alike.

    ``previous``, the same eye at the visit before, stands beside the opened scan where the person wants it.
    """
    ordered = sorted(view.slabs, key=lambda slab: slab.scan_id != view.scan_id)
    _component()(
        data={
            "scan": view.scan_id,
            "panes": [_pane(slab, view) for slab in ordered] + ([_before(previous, view)] if previous else []),
            "artifacts": _switches(view, ordered),
            "fazColour": FAZ_COLOUR,
            "camColours": CAM_COLOURS,
            "scale": _scale(view.scale),
        },
        key=key,
    )


def _switches(view: ScanView, slabs: Sequence[SlabView]) -> list[dict[str, Any]]:
    """The masks that can be switched on: artifacts of any slab, and what only the lane marks."""
    found = [type_ for type_ in ArtifactType if any(type_ in slab.artifact_types for slab in slabs)]
    marks = [(type_.value, ARTIFACT_NAMES[type_], ARTIFACT_COLOURS[type_]) for type_ in found]
    marks += [(name, *LANE_MASKS[name]) for name in _lane_masks(view)]
    return [
        {"type": type_, "name": name, "colour": colour, "isOff": type_ in MASKS_SHOWN_WHEN_ASKED}
        for type_, name, colour in marks
    ]


def _pane(slab: SlabView, view: ScanView) -> dict[str, Any]:
    folder = f"/scans/{slab.scan_id}"
    name, what = _names(slab, view)
    own = _lane_masks(view) if slab.scan_id == view.scan_id else ()
    of_lane = {picture: f"{folder}/pictures/{picture}" for picture in own}
    return {
        "name": name,
        "alt": f"{what} of the {EYE_NAMES[view.laterality]}, {slab.width_px} by {slab.height_px} pixels",
        "width": slab.width_px,
        "height": slab.height_px,
        "image": f"{folder}/image.png",
        "masks": {type_: f"{folder}/masks/{type_}.png" for type_ in slab.artifact_types} | of_lane,
        "faz": f"{folder}/faz.png" if slab.has_faz else None,
        "cam": f"{folder}/cam.png" if slab.has_cam else None,
    }


def _names(slab: SlabView, view: ScanView) -> tuple[str, str]:
    """What stands over a pane, and what it shows: B-scans are no slabs."""
    if view.kind in STRUCTURAL:
        return "B-scan", "B-scan"
    return SLAB_NAMES[slab.slab], f"{SLAB_NAMES[slab.slab]} en-face image"


def _lane_masks(view: ScanView) -> tuple[str, ...]:
    """File names of the opened scan's masks that only its lane has."""
    pictures = () if view.assessment is None else view.assessment.pictures
    return tuple(name for name in pictures if name in LANE_MASKS)


def _before(previous: PreviousScan, view: ScanView) -> dict[str, Any]:
    """The visit before: its pixels alone, because its overlays were drawn for another image."""
    when = f"{previous.visit_code}, {previous.acquired_at:%d %b %Y}"
    grade = "not graded" if previous.ordinal is None else grade_name(previous.ordinal, view.kind).lower()
    return {
        "name": f"Visit before: {when} · {grade}",
        "alt": f"{EYE_NAMES[view.laterality].capitalize()} at the visit before, {when}",
        "width": previous.width_px,
        "height": previous.height_px,
        "image": f"/scans/{previous.scan_id}/image.png",
        "masks": {},
        "faz": None,
        "cam": None,
        "before": True,
    }


def _scale(scale: Scale | None) -> dict[str, Any] | None:
    if scale is None:
        return None
    corrected = "corrected for axial length" if scale.axial_length_corrected else "nominal, axial length not corrected"
    return {"mmPerPx": scale.x_mm_per_px, "words": f"scale from {scale.source}; {corrected}"}


@cache
def _component() -> Any:
    shared = (FOLDER.parent / "panel.css").read_text("utf-8")
    return st.components.v2.component(
        "octaudit.viewer",
        html=(FOLDER / "viewer.html").read_text("utf-8"),
        css=shared + (FOLDER / "viewer.css").read_text("utf-8"),
        js=(FOLDER.parent / "keys.js").read_text("utf-8") + (FOLDER / "viewer.js").read_text("utf-8"),
    )
